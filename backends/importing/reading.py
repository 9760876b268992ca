"""A file of another program, read by what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.importing.command_lines import (
    from_flag_embedding,
    from_sentence_transformers,
    givens_of,
    program_in,
    words_of,
)
from tunewiz.backends.importing.foreign import Given, Imported
from tunewiz.backends.importing.language_models import from_axolotl, from_llama_factory
from tunewiz.files import read_bytes
from tunewiz.presets.yaml.tree import LARGEST, Tree, parse
from tunewiz.problems import BadPreset, Where, error, errors, say

_COMMANDS: Final = (".sh", ".bash", ".txt", ".cmd")


def read(file: Path) -> Imported:
    """The preset that ``file`` becomes: YAML of LLaMA-Factory or axolotl, or a shell script with a command.

    Raises :class:`BadPreset` where it is none of these, or no model is named in it.
    """
    text = _text(file)
    if file.suffix in _COMMANDS:
        return _from_command(text, file)
    tree = parse(text, str(file))
    wrong = errors(tree.problems)
    if wrong:
        raise BadPreset(*wrong)
    if not isinstance(tree.value, dict):
        return _from_command(text, file)
    givens = [Given(str(key), value, tree.where((key,))) for key, value in tree.value.items()]
    if "base_model" in tree.value:
        return from_axolotl(givens, file, tree.where)
    if "model_name_or_path" in tree.value or "stage" in tree.value:
        return from_llama_factory(givens, file)
    raise _unknown(tree, file)


def _from_command(text: str, file: Path) -> Imported:
    words = words_of(text)
    program = program_in(words)
    if program == "flag_embedding":
        return from_flag_embedding(words, file)
    if program == "sentence_transformers":
        return from_sentence_transformers(words, file)
    place = next(number for number, word in enumerate(words) if word.text.endswith("llamafactory-cli"))
    return from_llama_factory(givens_of(words[place + 1 :], str(file)), file)


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
    message = say("{file} is no configuration that is known: it names no model.", file=file.name)
    fix = say("LLaMA-Factory says model_name_or_path, axolotl base_model.")
    return BadPreset(error("no-known-configuration", message, Where(file=str(file)), fix))
