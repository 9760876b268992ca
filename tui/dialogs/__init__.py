"""Small screens above another one: what to copy, one query with its documents before and after."""
