"""Data for retrieval made ready: cleaned, checked, split without leaks, and what it is measured on."""
