"""What a dataset is, and what is wrong with it. Imports no machine-learning library."""
