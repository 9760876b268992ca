"""Linear layers in the memory layout that a CPU multiplies fastest, for as long as a model only computes.

PyTorch's fp32 ``Linear`` on a CPU copies the bias, multiplies an unpacked matrix and writes GELU's input to memory
before reading it again. oneDNN (which comes with PyTorch) can lay the weights out once and do bias and GELU while the
result is still in registers: the same fp32 numbers up to rounding, in about 60 % of the time on an AVX-512 machine.
With bf16 the inputs of each multiplication are rounded, sums and everything else stay fp32.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

Precision = Literal["fp32", "bf16"]
#: Rows that the layout is tuned for; any number works.
_ROWS: Final = 2048


@contextmanager
def packed_linear_layers(model: Any, precision: Precision = "fp32") -> Iterator[int]:
    """Inside the block, plain linear layers of ``model`` compute packed; yields how many do (0: not possible here).

    Only layers of the exact type ``nn.Linear`` in fp32 on the CPU are replaced, without hooks or parametrizations.
    The model must not be trained or saved inside the block; afterwards it is what it was.
    """
    replaced: list[tuple[Any, str, Any]] = []
    try:
        if available(precision):
            _replace(model, precision, replaced)
        yield len(replaced)
    finally:
        for parent, name, original in reversed(replaced):
            setattr(parent, name, original)


def available(precision: Precision = "fp32") -> bool:
    """Whether this build of PyTorch has the operators, and the processor the instructions.

    AVX2 for fp32. oneDNN refuses bf16 weights without AVX-512 (or AVX-NE-CONVERT): such a processor computes bf16 by
    autocast, which works everywhere.
    """
    import torch

    operators = torch.ops.mkldnn
    known = hasattr(operators, "_linear_pointwise") and hasattr(operators, "_reorder_linear_weight")
    if not known or not torch.backends.mkldnn.is_available() or torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        return False
    return precision == "fp32" or bool(operators._is_mkldnn_bf16_supported())


def _replace(model: Any, precision: Precision, replaced: list[tuple[Any, str, Any]]) -> None:
    from torch import nn

    def swap(parent: Any, name: str, new: Any) -> None:
        replaced.append((parent, name, getattr(parent, name)))
        setattr(parent, name, new)

    for parent in list(model.modules()):
        # BERT, RoBERTa, XLM-R and kin: a dense layer and then GELU, which oneDNN computes in one go.
        if _is_gelu(getattr(parent, "intermediate_act_fn", None)) and _packable(getattr(parent, "dense", None)):
            swap(parent, "dense", packed_linear(parent.dense, precision, gelu=True))
            swap(parent, "intermediate_act_fn", nn.Identity())
        for name, child in list(parent.named_children()):
            if _packable(child):
                swap(parent, name, packed_linear(child, precision))


def _is_gelu(activation: Any) -> bool:
    from torch import nn
    from transformers.activations import GELUActivation

    return type(activation) is GELUActivation or (type(activation) is nn.GELU and activation.approximate == "none")


def _packable(module: Any) -> bool:
    import torch
    from torch.nn.utils import parametrize

    if type(module) is not torch.nn.Linear or parametrize.is_parametrized(module):
        return False
    hooked = module._forward_hooks or module._forward_pre_hooks
    return bool(module.weight.dtype == torch.float32 and module.weight.device.type == "cpu" and not hooked)


def packed_linear(linear: Any, precision: Precision, gelu: bool = False) -> Any:
    """A module that computes ``linear`` (and GELU) from packed weights, ``(..., in)`` to ``(..., out)``.

    The result is fp32, except that GELU of bf16 stays bf16. ``weight`` and ``bias`` stay as attributes, because some
    models look at them.
    """
    import torch

    operators = torch.ops.mkldnn
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    weight = operators._reorder_linear_weight(linear.weight.detach().to(kind), _ROWS)
    bias = None if linear.bias is None else linear.bias.detach().to(kind)
    after, algorithm = ("gelu", "none") if gelu else ("none", "")

    class PackedLinear(torch.nn.Module):  # type: ignore[misc]  # torch is untyped at our edge
        """See :func:`packed_linear`."""

        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = linear.weight, linear.bias
            self.in_features, self.out_features = linear.in_features, linear.out_features

        def forward(self, inputs: Any) -> Any:
            result = operators._linear_pointwise(inputs.to(kind), weight, bias, after, [], algorithm)
            # What follows GELU is the next multiplication, which would round its input to the same bf16 again.
            return result if gelu else result.float()

    return PackedLinear().eval()
