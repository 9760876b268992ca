"""What the user wants: presets, model families, losses. Imports no machine-learning library."""
