"""The line-based commands, one file each: its options, and its body from plain values to an exit code."""
