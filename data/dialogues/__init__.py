"""Dialogues: who speaks, whole talks written into one text, and the order of turns that training needs."""
