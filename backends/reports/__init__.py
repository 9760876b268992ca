"""What a run leaves to read: Markdown, a page that stands alone, pictures, and all numbers as JSON."""
