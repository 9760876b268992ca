"""Questions for bare documents: written by a model for each passage, kept where a search finds it again."""
