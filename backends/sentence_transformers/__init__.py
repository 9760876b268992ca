"""The backend on sentence-transformers: contrastive tuning of bi-encoders."""
