"""From bytes to records: what a file is, and its records as a stream, whatever is wrong with it."""
