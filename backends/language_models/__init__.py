"""Causal language models, loaded and read by LLaMA-Factory for every engine that tunes them."""
