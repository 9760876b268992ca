"""What runs a preset: engines and all that they share. Heavy libraries are imported only inside functions."""
