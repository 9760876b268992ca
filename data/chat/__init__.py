"""Data for language models made ready: the same for conversations as tunewiz.data.retrieval is for examples."""
