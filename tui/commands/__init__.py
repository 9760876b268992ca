"""The line-based commands, one file each. A command takes plain values and returns an exit code."""
