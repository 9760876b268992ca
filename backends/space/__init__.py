"""The vector space of a run, before and after training, as points that can be drawn."""
