"""Drafts of presets: what has been answered so far, what is suggested for the rest, and where they are kept."""
