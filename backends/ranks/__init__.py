"""A training over several processes: how many, on which cards, started by torchrun; what each of them is and does.

The run's own process stays what it is. Only its stage ``train`` is gone through by ranks, which read the same prepared
rows; rank 0 alone tells. What they exchange is the affair of torch and the libraries that train.
"""
