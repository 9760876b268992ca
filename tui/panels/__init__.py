"""Panels of the monitor: each shows one part of a :class:`~tui.watching.View`."""
