"""Screens: ``name.py`` beside ``name.tcss``."""
