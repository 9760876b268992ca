"""Panels of the monitor, of home and of the result: each shows one part of what is known of a run and its machine."""
