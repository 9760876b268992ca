"""Both front ends: the full screen and the line-based command."""
