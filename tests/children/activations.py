"""What autograd keeps for the backward pass, measured."""

from __future__ import annotations

from typing import Any


def kept(model: Any, backbone: Any, batch: int, length: int, autocast: bool) -> int:
    """Bytes of distinct storage that autograd holds on to after ``backbone`` read a batch; weights are left out."""
    import torch

    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    storages: dict[int, int] = {}
    alive = []  # a freed storage's address could be used again

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    ids = torch.randint(5, 100, (batch, length))
    mask = torch.ones_like(ids)
    mask[0, -1] = 0
    model.train()
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=autocast),
    ):
        held = backbone(input_ids=ids, attention_mask=mask)
    assert held is not None
    return sum(storages.values())
