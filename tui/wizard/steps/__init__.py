"""The wizard's steps, each with its view."""
