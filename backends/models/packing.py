"""Linear layers in the memory layout that a CPU multiplies fastest, for as long as a model only computes.

Why this room is here. PyTorch's fp32 ``Linear`` on a CPU copies the bias, multiplies an unpacked matrix and writes
GELU's input to memory before reading it again. oneDNN (which comes with PyTorch) can lay the weights out once and do
bias and GELU while the result is still in registers: the same fp32 numbers up to rounding, in about 60 % of the time on
a CPU with AVX-512. What that brings to a whole evaluation, which there is 1.4 to 1.5 times as fast as the library's
(BENCHMARKS.md), is measured by ``python -m tests.bench.evaluation_speed --data DIR``: "ours" beside "not packed". With
AVX2 alone it brought nothing: 14.5 CPU seconds against 14.7 for the answers of the English FAQ sample.

When it does nothing. Its operators are private to PyTorch and may go or change with any release, so that they are tried
on a small layer before each use. Where they are gone, fail or compute something else, on a GPU, and for every layer
that is no plain fp32 ``nn.Linear``, the model stays as it is: slower, the same numbers.

With bf16 the inputs of each multiplication are rounded, sums and everything else stay fp32. oneDNN has it on CPUs with
AVX-512 or AVX-NE-CONVERT only; elsewhere autocast rounds (:func:`tunewiz.backends.models.batching.half`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

Precision = Literal["fp32", "bf16"]
#: Rows that the layout is tuned for; any number works. Twice the tokens of a batch (``batching.CPU_TOKENS``).
_ROWS: Final = 2048
#: How far the small layer may be off: fp32 rounds by 1e-7, bf16 by 1e-2, a wrong layout or a lost bias by tenths.
_SAME: Final[dict[str, float]] = {"fp32": 1e-5, "bf16": 5e-2}


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
    """Whether the operators compute ``precision`` here: this build of PyTorch has them, the processor what they need.

    They are tried on one small layer with GELU, beside PyTorch's own, in milliseconds and without a random number
    (a measurement during training must not change what dropout draws next).
    """
    import torch

    if not torch.backends.mkldnn.is_available() or torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        return False
    numbers = torch.linspace(-1, 1, 64).reshape(8, 8)
    linear = torch.nn.Linear(8, 8, device="meta")
    linear.weight, linear.bias = torch.nn.Parameter(numbers.flip(1)), torch.nn.Parameter(numbers[0].clone())
    try:
        with torch.inference_mode():
            found = packed_linear(linear, precision, gelu=True)(numbers).float()
            expected = torch.nn.functional.gelu(linear(numbers))
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):  # gone, other arguments, no instructions
        return False
    return found.shape == expected.shape and bool((found - expected).abs().max() <= _SAME[precision])


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
