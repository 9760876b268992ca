"""Folders that are datasets: splits and shards, one folder a class, and what 🤗 datasets and LLaMA-Factory save."""
