"""A language model as one GGUF file for llama.cpp, Ollama and LM Studio: in 16, 8 and 4 bits, with what that costs.

Written by the ``gguf`` package, and by llama.cpp's own programs for what that package does not do: its converter for
models that are not known here, its quantiser for 4 bits as it does them itself (Q4_K_M). What was written is read back:
how far its weights are from the 16-bit ones, and what the run's own questions lose with it, by transformers' reader.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Final

from tunewiz.backends.export import gguf_files
from tunewiz.backends.export.gguf_words import NotWritten
from tunewiz.backends.export.targets import Target, modelfile, need_packages, template_of, whole_model
from tunewiz.backends.reports.blocks import Block, Code, Heading, Paragraph, markdown
from tunewiz.backends.runs.run import Run
from tunewiz.data.chat.prepared import load as load_prepared
from tunewiz.files import write_json, write_whole
from tunewiz.language import N_, translate
from tunewiz.presets.preset import Preset
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.printable import amount, operand, printable
from tunewiz.problems import BadData, BadPreset, Message, TunewizError, error, say

CONVERTER: Final = "convert_hf_to_gguf.py"
QUANTISER: Final = "llama-quantize"
_VARIABLE: Final = "LLAMA_CPP"
FILE: Final = "model.gguf"
#: Held-out rows and written answers that are compared: a minute or two of a small model on two cores.
_ROWS, _ANSWERS = 32, 4
#: Bytes of memory that a weight may take while both are compared: 4 in the reader, 4 in the model, some for the rest.
_BYTES: Final = 10
#: Largest difference of the mean loss (nats) of the same weights in 16 bits, whichever kind of 16 bits they were in.
_SAME_LOSS: Final = 0.02


class Gguf(Target):
    """``model.gguf``, ``Modelfile`` for Ollama, ``README.md``, and ``check.json`` with what was found out."""

    name: ClassVar[str] = "gguf"
    tasks: ClassVar[frozenset[str]] = frozenset({"llm"})
    summary: ClassVar[str] = N_("one GGUF file for llama.cpp, Ollama, LM Studio, in 16 bits")
    #: What the ``gguf`` package writes, and what llama.cpp's quantiser is asked for where it is here.
    kind: ClassVar[gguf_files.Kind | None] = None
    finest: ClassVar[str] = ""

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Write the file and read it back; what was found out.

        Raises :class:`BadPreset` (``gguf-packages``, ``no-converter``), ``TunewizError`` where it is not the model.
        """
        assert isinstance(preset, LlmPreset)
        need_packages({"gguf": "gguf"}, "llm", "gguf-packages")
        model, file = whole_model(run), folder / FILE
        exact = file if self.kind is None else folder / "exact.gguf"
        by = _write_exact(model, exact, preset.name)
        if self.kind is not None:
            by = self._write_fewer(exact, file)
        told = {"by": by, "bytes": file.stat().st_size, "size": file.stat().st_size / exact.stat().st_size}
        told["difference"] = 0.0
        if exact != file:
            told["difference"] = gguf_files.difference(exact, file)
            exact.unlink()
        told |= _compared(run, preset, model, file)
        self._check(told)
        write_json(folder / "check.json", told)
        made = _write_modelfile(run, model, folder)
        found = self._told(told)
        write_whole(folder / "README.md", markdown(list(_readme(preset, found, made))))
        return say("{found} Run it: {command}", found=found, command=_commands(preset, made))

    def _write_fewer(self, exact: Path, file: Path) -> str:
        """Write ``file`` with fewer bits; in which way."""
        assert self.kind is not None
        own = quantiser()
        if own is None:
            gguf_files.write_fewer_bits(exact, file, self.kind)
            return self.kind
        _run([str(own), str(exact), str(file), self.finest], file, say("The quantiser failed: {reason}"))
        return self.finest

    def _check(self, told: Mapping[str, Any]) -> None:
        """Raise ``TunewizError`` where 16 bits are not the tuned model; fewer bits are told, not judged."""
        away = abs(told["loss"] - told["loss_tuned"]) if "loss" in told else 0.0
        if self.kind is None and not away <= _SAME_LOSS:  # so that nan counts as a difference
            message = say("The GGUF file does not answer like the tuned model: their losses differ by {difference}.",
                          difference=f"{away:.2g}")  # fmt: skip
            raise TunewizError(error("export-differs", message, fix=say("Export it as it is: --to merged.")))

    def _told(self, told: Mapping[str, Any]) -> Message:
        """What was found out, in a sentence or two."""
        values = {"by": told["by"], "size": amount(told["bytes"]), "percent": round(100 * told["size"])}
        size = say("{by}, {size}.", **values)
        if self.kind is not None:
            size = say("{by}, {size}: {percent} % of the 16-bit file; its weights are {difference} % away from those.",
                       difference=f"{100 * told['difference']:.1f}", **values)  # fmt: skip
        if "loss" not in told:
            return say("{size} Its answers were not compared: {why}.", size=size, why=told["not_compared"])
        lost = say("The loss on {count} held-out rows is {loss} instead of {exact}.", count=told["rows"],
                   loss=f"{told['loss']:.4f}", exact=f"{told['loss_tuned']:.4f}")  # fmt: skip
        if not told["answers"]:
            return say("{size} {lost}", size=size, lost=lost)
        same = say("{same} of {count} answers are the same word for word.", same=told["same"], count=told["answers"])
        return say("{size} {lost} {same}", size=size, lost=lost, same=same)


class GgufQ8(Gguf):
    """Half the size: 8 bits a weight, with a scale for 32 of them."""

    name: ClassVar[str] = "gguf-q8"
    summary: ClassVar[str] = N_("the GGUF file in 8 bits, its loss measured")
    kind: ClassVar[gguf_files.Kind | None] = "Q8_0"
    finest: ClassVar[str] = "Q8_0"


class GgufQ4(Gguf):
    """A third of the size and less: 4 bits a weight."""

    name: ClassVar[str] = "gguf-q4"
    summary: ClassVar[str] = N_("the GGUF file in 4 bits, its loss measured")
    kind: ClassVar[gguf_files.Kind | None] = "Q4_0"
    finest: ClassVar[str] = "Q4_K_M"


# The 16-bit file, which the others are made from.


def _write_exact(model: Path, file: Path, name: str) -> str:
    """Write the model in 16 bits: here where its kind is known, else by llama.cpp's converter; by which of them.

    Raises :class:`BadPreset` (``no-converter``) with the exact commands where neither can.
    """
    try:
        gguf_files.write_16_bits(model, file, printable(name))
        return "16 bit"
    except NotWritten as fault:
        file.unlink(missing_ok=True)
        found = converter()
        if found is None:
            message = say("Its GGUF file needs llama.cpp's converter {name}, which is not on this machine: {why}.",
                          name=CONVERTER, why=fault.why)  # fmt: skip
            command = "git clone --depth 1 https://github.com/ggml-org/llama.cpp && export LLAMA_CPP=$PWD/llama.cpp"
            fix = say("Fetch it and export again: {command}", command=command)
            raise BadPreset(error("no-converter", message, fix=fix)) from fault
    command_line = [sys.executable, str(found), str(model), "--outfile", str(file), "--outtype", "bf16"]
    _run(command_line, file, say("The converter failed: {reason}"))
    return "16 bit"


def _run(command: list[str], file: Path, failed: Message) -> None:
    """Run a program of llama.cpp's that writes ``file``. Raises ``TunewizError`` where it does not."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode or not file.is_file():
        lines = (done.stderr or done.stdout).strip().splitlines() or [str(done.returncode)]
        reason = printable(lines[-1], 300)
        raise TunewizError(error("converter-failed", Message(failed.template, {"reason": reason})))


def converter() -> Path | None:
    """The converter: in ``$LLAMA_CPP``, on the path, or in a ``llama.cpp`` folder here; ``None`` if it is nowhere."""
    return _program(CONVERTER, "")


def quantiser() -> Path | None:
    """The quantiser, looked for likewise, where it is built too; ``None`` if it is nowhere."""
    return _program(QUANTISER, "build/bin")


def _program(name: str, below: str) -> Path | None:
    on_path = shutil.which(name)
    homes = [Path(os.environ[_VARIABLE])] if os.environ.get(_VARIABLE) else []
    places = [home / inner / name for home in homes for inner in ("", below)]
    places += [Path(on_path)] if on_path else []
    places += [Path("llama.cpp") / inner / name for inner in ("", below)]
    return next((place.absolute() for place in places if place.is_file()), None)


# What the run's own questions lose.


def _compared(run: Run, preset: LlmPreset, model: Path, file: Path) -> dict[str, Any]:
    """Losses and answers of the tuned model and of the file on held-out rows; or why they were not compared."""
    why = _hinders(run, file)
    if why:
        return {"not_compared": why.text()}
    from tunewiz.backends.language_models.loaded_model import load, places_of, read_record
    from tunewiz.backends.language_models.measures import measure

    places = replace(places_of(read_record(run.record_file), run.data, run.checkpoints), model=str(model))
    options = preset.evaluation.model_copy(update={"rows": _ROWS, "answers": _ANSWERS})
    prepared = load_prepared(run.data)

    def measured(loaded: Any) -> Any:
        return measure(loaded, prepared, options, preset.training.seed, lambda _done, _total: None)

    loaded = load(preset, places, None, merged=True)
    exact = measured(loaded)
    device = loaded.inner.device
    loaded = replace(loaded, model=None)
    gc.collect()
    try:
        found = measured(replace(loaded, model=_read(model, file, device)))
    except (ImportError, NotImplementedError, RuntimeError, ValueError) as fault:  # a kind of model it does not read
        why = say("transformers does not read it ({reason})", reason=printable(str(fault), 200))
        return {"not_compared": why.text()}
    name = next((key for key in ("loss", "chosen_loss", "liked_loss") if key in exact.metrics), "")
    if not name:
        return {"not_compared": say("none of the held-out rows has a loss").text()}
    wrote = [(one.get("written"), found.details.get("answers", {}).get(key, {}).get("written"))
             for key, one in exact.details.get("answers", {}).items()]  # fmt: skip
    return {
        "rows": len(exact.per_query), "loss_tuned": exact.metrics[name], "loss": found.metrics[name],
        "answers": len(wrote), "same": sum(one == other for one, other in wrote),
    }  # fmt: skip


def _hinders(run: Run, file: Path) -> Message | None:
    """Why answers cannot be compared here."""
    import gguf
    import psutil

    try:
        held_out = bool(load_prepared(run.data).evaluation)
    except BadData:
        held_out = False
    if not held_out:
        return say("the run has no held-out rows")
    weights = sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(str(file)).tensors)
    needed, there = _BYTES * weights, int(psutil.virtual_memory().available)
    if needed > there:
        return say("that needs {needed} of memory, and {there} are free", needed=amount(needed), there=amount(there))
    return None


def _read(model: Path, file: Path, device: Any) -> Any:
    """The model of the file as transformers reads it: its weights, in the shape that the tuned one has."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig

    config = AutoConfig.from_pretrained(str(model), local_files_only=True)
    if config.model_type == "mistral":  # which has no name of its own in GGUF
        kept = {key: value for key, value in config.to_dict().items() if key not in _OF_MISTRAL}
        config = LlamaConfig(**kept)
    told = {"gguf_file": file.name, "config": config, "dtype": torch.float32, "local_files_only": True}
    return AutoModelForCausalLM.from_pretrained(str(file.parent), **told).to(device).eval()


_OF_MISTRAL: Final = ("model_type", "architectures", "sliding_window")


# What lies beside the file.


def _write_modelfile(run: Run, model: Path, folder: Path) -> bool:
    """``Modelfile`` for Ollama, where the run's template can be one; whether it is there."""
    try:
        text = modelfile(model, template_of(run), f"./{FILE}")
    except BadPreset:
        return False  # Ollama then takes the template in the file, where it knows it
    write_whole(folder / "Modelfile", text)
    return True


def _commands(preset: Preset, made: bool) -> str:
    name = operand(preset.name)
    chat = f"llama-cli -m {FILE}"
    return f"{chat}; ollama create -f Modelfile {name} && ollama run {name}" if made else chat


def _readme(preset: Preset, found: Message, made: bool) -> Iterator[Block]:
    yield Heading(preset.name, 1)
    yield Paragraph(found.text())
    yield Heading(translate(N_("How to use it")))
    name = operand(preset.name)
    lines = [f"llama-cli -m {FILE}", f"llama-server -m {FILE} --host 127.0.0.1 --port 8080"]
    if made:
        lines += [f"ollama create -f Modelfile {name}", f"ollama run {name}"]
    yield Code("\n".join(lines), "sh")
    yield Paragraph(
        say("Run them in this folder; LM Studio and other programs that read GGUF open {file}.", file=FILE).text()
    )
