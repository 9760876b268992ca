"""Conversations with a model, untouched or tuned, token by token, in the template it was trained with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any, Literal

from tunewiz.backends.language_models.encoded_rows import prompt_ids
from tunewiz.backends.language_models.loaded_model import Loaded, adapter_in, load, load_tuned, places_of, read_record
from tunewiz.backends.runs.run import Run
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.presets.yaml.library import load as load_preset
from tunewiz.problems import BadPreset, Where, error, say

Side = Literal["base", "tuned"]


def open_chat(run: Run, side: Side = "tuned") -> Loaded:
    """The model of ``run`` ready to chat: as it was, or tuned (from its export, else its checkpoints).

    Raises :class:`BadPreset` when the run is of another task, or has nothing to load yet.
    """
    preset = load_preset(str(run.preset_file))
    record = read_record(run.record_file)
    if not isinstance(preset, LlmPreset) or "llm" not in record or "model" not in record:
        message = say("The run {name} holds no language model to chat with.", name=run.name)
        raise BadPreset(error("no-chat", message, Where(file=run.name)))
    places = places_of(record, run.data, run.checkpoints)
    if side == "base":
        return load(preset, places, None)
    return load_tuned(preset, places, _folder(run))


def _folder(run: Run) -> Path:
    """Where the tuned weights are: the adapter keeps the base's own precision, a merged model stands alone."""
    for place in (run.model / "adapter", run.model, run.checkpoints):
        if adapter_in(place) or any(place.glob("*.safetensors")):
            return place
    message = say("The run {name} has no tuned model yet.", name=run.name)
    raise BadPreset(error("no-tuned-model", message, Where(file=run.name), say("Let it finish: tunewiz run --resume.")))


def stream(
    loaded: Loaded,
    turns: Sequence[tuple[Literal["user", "assistant"], str]],
    system: str = "",
    most: int = 512,
    temperature: float = 0.0,
) -> Iterator[str]:
    """Pieces of the assistant's answer to ``turns`` (ending with the user's) as they are written.

    ``temperature`` 0 writes the likeliest answer, the same each time. A model that fails while it writes raises here.
    """
    import torch
    from transformers import TextIteratorStreamer

    ids = torch.tensor([prompt_ids(loaded, [{"role": who, "content": text} for who, text in turns], system)])
    streamer = TextIteratorStreamer(loaded.tokenizer, skip_prompt=True, skip_special_tokens=True)
    faults: list[BaseException] = []

    def write() -> None:
        try:
            loaded.model.generate(**_asked(loaded, ids, most, temperature), streamer=streamer)
        except (RuntimeError, ValueError, MemoryError) as fault:  # raised again where the answer is read
            faults.append(fault)
            streamer.end()

    writer = Thread(target=write, daemon=True)
    writer.start()
    yield from streamer
    writer.join()
    if faults:
        raise faults[0]


def complete(loaded: Loaded, text: str, most: int, temperature: float, ends: Sequence[str]) -> str:
    """What the model writes after ``text``, as it stands and without a template, up to the first of ``ends``."""
    import torch

    ids = torch.tensor([loaded.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        written = loaded.model.generate(
            **_asked(loaded, ids, most, temperature), stop_strings=list(ends), tokenizer=loaded.tokenizer
        )
    answer: str = loaded.tokenizer.decode(written[0][ids.shape[1] :], skip_special_tokens=True)
    found = [place for end in ends if (place := answer.find(end)) >= 0]
    return answer[: min(found, default=len(answer))]


def _asked(loaded: Loaded, ids: Any, most: int, temperature: float) -> dict[str, Any]:
    """What ``generate`` is called with."""
    import torch

    sampling: dict[str, Any] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
    if temperature > 0:
        # The unlikely tail of the vocabulary is left out (nucleus sampling; Holtzman et al., 2020).
        sampling = {"do_sample": True, "temperature": temperature, "top_p": 0.9}
    device = loaded.inner.device
    return sampling | {
        "input_ids": ids.to(device),
        "attention_mask": torch.ones_like(ids).to(device),
        "max_new_tokens": most,
        "eos_token_id": loaded.stops,
        "pad_token_id": loaded.tokenizer.pad_token_id,
    }
