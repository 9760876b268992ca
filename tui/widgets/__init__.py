"""Widgets: lines of styled text, and what draws them."""
