"""Texts as texts: stray characters and markup, how long they are, and which say the same."""
