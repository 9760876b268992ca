"""A run's training as a program of its own: a script or a notebook that needs the public libraries alone."""
