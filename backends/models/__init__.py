"""Models of sentence-transformers: loaded as a preset wants them, adapters, texts to vectors, pairs to scores."""
