"""A dataset opened: which format it has, how sure that is, what to say when none fits, and its rows as a stream."""
