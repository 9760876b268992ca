"""PiSSA (Meng et al., 2024, https://arxiv.org/abs/2404.02948) in a training that is resumed.

PiSSA starts an adapter from the principal singular values of a weight and takes them out of the frozen weight. Frozen
weights are in no checkpoint: a resumed training computes both again, and LLaMA-Factory, which takes the start from the
adapter at the end, then notes the adapter of the checkpoint as the start. What an adapter started from is therefore
kept in each checkpoint.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tunewiz.backends.runs.checkpoints import numbered, set_aside
from tunewiz.backends.runs.run import Run
from tunewiz.problems import Where, say, warning


def start_in(checkpoint: Path) -> Path:
    """The folder of the adapter that training began with, in ``checkpoint``.

    It is not directly in it: peft takes folders with an adapter for other adapters of the same model.
    """
    return checkpoint / "pissa" / "init"


def with_start(run: Run, checkpoint: Path | None) -> Path | None:
    """``checkpoint`` if it says what its adapter started from; else ``None``, and the run is told of it."""
    if checkpoint is None or start_in(checkpoint).is_dir():
        return checkpoint
    why = say("it does not say what its PiSSA adapter started from")
    message = say("{name} is passed over: {why}.", name=checkpoint.name, why=why)
    run.notice(warning("checkpoint-passed-over", message, Where(file=checkpoint.name), say("Training begins anew.")))
    for _, path in numbered(run.checkpoints):
        set_aside(path)
    return None


def start_kept(folder: Path, resumed: Path | None) -> Any:
    """A call-back that keeps the start in each checkpoint in ``folder``, and goes on from the one in ``resumed``.

    It has to come before LLaMA-Factory's own, which notes the start when training begins and reads it at the end.
    """
    from transformers import TrainerCallback

    noted = folder / "pissa_init"

    class StartKept(TrainerCallback):  # type: ignore[misc]  # transformers is untyped at our edge
        """Until the first step the library has its note to itself."""

        kept = start_in(resumed) if resumed else None

        def on_init_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            if self.kept:
                take_out(model, self.kept)

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.put_back()

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.put_back()

        def put_back(self) -> None:
            if self.kept:
                shutil.copytree(self.kept, noted, dirs_exist_ok=True)
            self.kept = None

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            shutil.copytree(noted, start_in(folder / f"checkpoint-{state.global_step}"), dirs_exist_ok=True)

    return StartKept()


def take_out(model: Any, start: Path) -> None:
    """Let the frozen weights of ``model`` (a ``PeftModel``) lack the adapter in ``start`` instead of the one they lack.

    The fast decomposition begins at random and rounds differently on other processors. Where it found the same bytes
    again the weights stay as they are. The model then has the adapter in ``start``.
    """
    import torch
    from peft import load_peft_weights, set_peft_model_state_dict
    from peft.tuners.lora import LoraLayer

    name = model.active_adapter
    layers = [layer for layer in model.modules() if isinstance(layer, LoraLayer) and name in layer.lora_A]
    computed = [layer.get_delta_weight(name).float() for layer in layers]
    set_peft_model_state_dict(model, load_peft_weights(str(start), device="cpu"), adapter_name=name)
    with torch.no_grad():
        for layer, lacks in zip(layers, computed, strict=True):
            should_lack, weight = layer.get_delta_weight(name).float(), layer.get_base_layer().weight
            if not torch.equal(lacks, should_lack):
                weight.copy_(weight.float() + lacks - should_lack)
