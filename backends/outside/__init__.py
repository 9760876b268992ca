"""What a run has to do with the world beyond its directory: who is told of its end, where its results are copied."""
