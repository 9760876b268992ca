"""A file of another program, read by what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.importing.command_lines import (
    configured,
    from_flag_embedding,
    from_sentence_transformers,
    program_in,
)
from tunewiz.backends.importing.foreign import Given, Imported, found_around
from tunewiz.backends.importing.language_models import from_axolotl, from_llama_factory
from tunewiz.backends.importing.launching import options_of
from tunewiz.backends.importing.shell import Word, commands_of
from tunewiz.files import read_bytes
from tunewiz.presets.yaml.tree import LARGEST, Tree, parse
from tunewiz.problems import BadPreset, Where, error, errors, say, warning

_COMMANDS: Final = (".sh", ".bash", ".txt", ".cmd")


def read(file: Path) -> Imported:
    """The preset that ``file`` becomes: YAML of LLaMA-Factory or axolotl, or a shell script with a command.

    Raises :class:`BadPreset` where it is none of these, or no model is named in it.
    """
    text = _text(file)
    if file.suffix in _COMMANDS:
        return _from_command(text, file)
    return _of_yaml(text, file)


def _of_yaml(text: str, file: Path, words: Sequence[Word] = (), more: Sequence[Given] = ()) -> Imported:
    """A configuration, with what a command says before the program (``words``) and after the file (``more``)."""
    tree = parse(text, str(file))
    wrong = errors(tree.problems)
    if wrong:
        raise BadPreset(*wrong)
    if not isinstance(tree.value, dict):
        return _from_command(text, file)
    later = {one.key for one in more}
    givens = [Given(str(key), value, tree.where((key,))) for key, value in tree.value.items() if key not in later]
    givens += more
    if "base_model" in tree.value:
        return from_axolotl(givens, file, tree.where, words)
    if "model_name_or_path" in tree.value or "stage" in tree.value:
        return from_llama_factory(givens, file, words)
    raise _unknown(tree, file)


def _from_command(text: str, file: Path) -> Imported:
    """The first command of a script that trains; that there are others is told."""
    known = [(program_in(words), words) for words in commands_of(text)]
    trains = [(program, words) for program, words in known if program]
    if not trains:
        message = say("There is no command in it that trains a model.")
        fix = say("Known are FlagEmbedding's modules, python scripts of sentence-transformers, llamafactory-cli train "
                  "and axolotl train.")  # fmt: skip
        raise BadPreset(error("no-known-command", message, Where(file=str(file)), fix))
    program, words = trains[0]
    found = _of_program(program, words, file)
    if len(trains) == 1:
        return found
    lines = ", ".join(str(others[0].line) for _, others in trains[1:])
    message = say("More commands in it train: lines {lines}. This preset is the first.", lines=lines)
    fix = say("Each is a preset of its own: put it into a file of its own.")
    return replace(found, told=(*found.told, warning("several-commands", message, Where(file=str(file)), fix)))


def _of_program(program: str, words: Sequence[Word], file: Path) -> Imported:
    if program == "flag_embedding":
        return from_flag_embedding(words, file)
    if program == "sentence_transformers":
        return from_sentence_transformers(words, file)
    texts = [word.text for word in words]
    named = configured(texts) if program == "configured" else None
    if named is None:
        begin = 1 + next(number for number, text in enumerate(texts) if text == "train" or text.endswith(".py"))
        return from_llama_factory(options_of(words[begin:], str(file)), file, _launcher(words))
    said = [Word(f"--{word.text.lstrip('-')}", word.line) if "=" in word.text else word for word in words[named + 1 :]]
    place = found_around(texts[named], file)
    if place is None:
        message = say("Line {line} trains by {path}, which is not here.", line=words[named].line, path=texts[named])
        fix = say("Read that file itself: tunewiz import {path}", path=texts[named])
        raise BadPreset(error("unreadable-file", message, Where(file=str(file)), fix))
    return _of_yaml(_text(place), place, _launcher(words[:named]), options_of(said, str(file)))


def _launcher(words: Sequence[Word]) -> Sequence[Word]:
    """What stands before the program: its script or, where launchers are modules too, the last module."""
    texts = [word.text for word in words]
    ends = [place for place, text in enumerate(texts) if text.endswith(".py") or text == "train"]
    modules = [place for place, text in enumerate(texts) if text == "-m"]
    return words[: ends[0] if ends else modules[-1] if modules else len(words)]


def _text(file: Path) -> str:
    try:
        return read_bytes(file, LARGEST).decode("utf-8-sig")
    except OSError as fault:
        message = say("{path} cannot be read: {reason}.", path=str(file), reason=fault.strerror or str(fault))
        raise BadPreset(error("unreadable-file", message, Where(file=str(file)))) from fault
    except UnicodeDecodeError as fault:
        message = say("{path} is not a text in UTF-8.", path=str(file))
        raise BadPreset(error("unreadable-file", message, Where(file=str(file)))) from fault


def _unknown(tree: Tree, file: Path) -> BadPreset:
    value: Mapping[str, Any] = tree.value
    if "task" in value and "model" in value:
        message = say("{file} is a preset already.", file=file.name)
        return BadPreset(error("is-preset", message, Where(file=str(file)), say("Run it: tunewiz run FILE.")))
    if isinstance(value.get("model"), str) and {"train_dataset", "peft_config", "dist_config"} & set(value):
        message = say(
            "{file} is in the layout of LLaMA-Factory's next version (v1), which is not read.", file=file.name
        )
        fix = say("Say the same with the keys of today: model_name_or_path, stage, dataset, finetuning_type.")
        return BadPreset(error("no-known-configuration", message, Where(file=str(file)), fix))
    message = say("{file} is no configuration that is known: it names no model.", file=file.name)
    fix = say("LLaMA-Factory says model_name_or_path, axolotl base_model.")
    return BadPreset(error("no-known-configuration", message, Where(file=str(file)), fix))
