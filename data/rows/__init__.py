"""The shapes that every dataset is turned into: examples for retrieval and conversations. Below everything else."""
