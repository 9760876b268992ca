"""Form controls made from the fields of a preset: what a field takes decides how it is asked, never its key."""
