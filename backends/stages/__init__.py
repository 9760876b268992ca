"""The stages of a run that engines share: all but training; and a run inside a run."""
