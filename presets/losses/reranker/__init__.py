"""Losses of rerankers by family: how a cross-encoder learns to put right documents first."""
