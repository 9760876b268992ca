"""Bare documents: read from texts, Markdown, web pages, PDF and Word files, and cut into passages."""
