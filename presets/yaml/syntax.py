"""What is wrong with a preset's YAML, in the user's words instead of the parser's."""

from __future__ import annotations

import re
from typing import Final

import yaml

from tunewiz.language import N_
from tunewiz.problems import Message, Problem, Where, error, say
from tunewiz.redaction import redacted

#: Part of what PyYAML says, what it means, and what to do; the first that fits is taken.
_KNOWN: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "mapping values are not allowed",
        N_("A second colon in one value, or a line indented deeper than the one above."),
        N_('Put a value that holds ": " in quotes; give all keys of a section the same indentation.'),
    ),
    (
        "could not find expected ':'",
        N_("A key without a colon and a space after it."),
        N_("Write KEY: VALUE, with a space after the colon."),
    ),
    (
        "expected <block end>",
        N_("The indentation fits no section above, or a list and keys are mixed."),
        N_("Indent all keys of a section by the same number of spaces."),
    ),
    (
        "quoted scalar",
        N_("A quoted text that does not end, or has an escape that YAML does not know."),
        N_("Close the quotes on the same line; write backslashes in single quotes."),
    ),
    (
        "flow",
        N_("A list in brackets or a mapping in braces that does not end, or lacks a comma."),
        N_("Check the brackets and the commas between the items."),
    ),
    (
        "that cannot start any token",
        N_("A value begins with a character that has a meaning in YAML."),
        N_("Put the value in quotes."),
    ),
    (
        "special characters are not allowed",
        N_("A control character, or a file that is not text."),
        N_("Save the preset as plain UTF-8 text."),
    ),
)
_REFUSED: Final[dict[str, tuple[str, str]]] = {
    "yaml-documents": (N_("A second document begins here (---)."), N_("Keep one preset in each file.")),
    "yaml-shape": (
        N_("Too deeply nested, or a list or mapping used as a key."),
        N_("A preset has sections, keys and lists of values, no more."),
    ),
    "yaml-alias": (N_("Anchors (&) and aliases (*) are not read."), N_("Write the value itself, or put it in quotes.")),
    "yaml-tag": (N_("Tags (!) are not read."), N_("Write the plain value, or put it in quotes.")),
    "yaml-character": (N_("The text holds a control character."), N_("Remove it.")),
}
_NO_SPACE: Final = re.compile(r"^\s*[a-z_]+:[^\s]")


def syntax_problems(fault: yaml.YAMLError, text: str, file: str) -> list[Problem]:
    """The problem behind ``fault``, then every line with tabs as indentation or a full-width colon."""
    lines = text.splitlines()
    found = _at_sight(lines, file)
    line = _line(fault, text)
    if any(problem.where.line == line for problem in found):
        return found
    told = " ".join(part for part in (getattr(fault, "context", ""), getattr(fault, "problem", ""), str(fault)) if part)
    meaning, fix = next(((said, fix) for part, said, fix in _KNOWN if part in told), (N_("This is not YAML."), ""))
    shown = redacted(lines[line - 1].strip())[:60] if 0 < line <= len(lines) else ""
    rule = say("{meaning} The line: {shown}", meaning=Message(meaning), shown=shown) if shown else Message(meaning)
    where = Where(file=file, line=line)
    return [error("yaml-syntax", rule, where, Message(fix) if fix else None), *found]


def _line(fault: yaml.YAMLError, text: str) -> int:
    mark = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    return text.count("\n", 0, int(getattr(fault, "position", 0))) + 1


def _at_sight(lines: list[str], file: str) -> list[Problem]:
    """Mistakes that can be seen without parsing; told only when parsing failed."""
    found = []
    for number, line in enumerate(lines, 1):
        where = Where(file=file, line=number)
        head = line.partition("#")[0]
        if "\t" in line[: len(line) - len(line.lstrip())]:
            rule, fix = say("The line is indented with a tab."), say("Use spaces: YAML does not allow tabs.")
            found.append(error("yaml-tab", rule, where, fix))
        elif "：" in head and ":" not in head:
            rule, fix = say("The colon is a full-width one (：)."), say("Type : and a space.")
            found.append(error("yaml-colon", rule, where, fix))
        elif _NO_SPACE.match(head) and "://" not in head:
            rule, fix = (
                say("No space after the colon: {shown}", shown=redacted(line.strip())[:60]),
                say("Write KEY: VALUE."),
            )
            found.append(error("yaml-colon", rule, where, fix))
    return found


def refuse(code: str, where: Where) -> Problem:
    """A part of YAML that presets do not use."""
    rule, fix = _REFUSED[code]
    return error(code, Message(rule), where, Message(fix))


def too_large(file: str, largest: int) -> Problem:
    """A file that cannot be a preset for its size."""
    rule = say("The file is larger than {limit} KiB; a preset has a few.", limit=largest // 1024)
    return error("preset-too-large", rule, Where(file=file), say("Is it a data file? Name it under data.train."))


def unreadable(file: str) -> Problem:
    """The parser gave up without a place."""
    rule = say("An escape or a directive in this file has no meaning.")
    return error("yaml-syntax", rule, Where(file=file), say("Remove backslash escapes and lines that begin with %."))


def not_text(file: str, offset: int) -> Problem:
    """Bytes that are not UTF-8."""
    rule = say("The file is not UTF-8 text (byte {offset}).", offset=offset)
    return error("preset-not-text", rule, Where(file=file), say("Save it as UTF-8 in your editor."))


def no_mapping(tree_value: object, file: str, lines: list[str]) -> list[Problem]:
    """A document that is empty, a list or a single value."""
    if tree_value is None:
        rule, fix = say("The preset is empty."), say("Begin with a shipped one: `tunewiz presets` lists them.")
        return [error("preset-empty", rule, Where(file=file), fix)]
    rule = say("A preset consists of keys with values (KEY: VALUE); this is something else.")
    fix = say("Begin with a shipped one: `tunewiz presets` lists them.")
    return _at_sight(lines, file) or [error("preset-shape", rule, Where(file=file, line=1), fix)]
