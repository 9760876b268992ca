"""How a tuned model leaves its run: exporters, the targets of ``tunewiz export``, cards, files of vectors."""
