"""Shell scripts, as far as they say how a training is called: quotes, joined lines, variables, arrays and ``eval``.

Nothing is run. A variable has the value that was last written to it above, whatever branch that stands in; what the
shell would fill in from elsewhere (``$1``, ``$(nproc)``) stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple


class Word(NamedTuple):
    """A word of a command, and the line that it stands in."""

    text: str
    line: int


_PIECES: Final = re.compile(
    r"""(?P<joined>\\\r?\n)
    |(?P<comment>(?<![^\s;&|(])\#[^\n]*)
    |\\(?P<escaped>.)
    |'(?P<single>[^']*)'
    |"(?P<double>(?:[^"\\]|\\.)*)"
    |(?P<asked>\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`)
    |\$\{(?P<braced>\w+)(?P<all>\[[@*]\])?(?:(?::?[-=])(?P<otherwise>[^{}]*))?\}
    |\$(?P<named>[A-Za-z_]\w*)
    |(?P<aside>\d?[<>]{1,2}(?:&\d|&?[ \t]*[^\s;&|()'"]+))
    |(?P<end>[\n;]|&&?|\|\|?)
    |(?P<space>[ \t\r]+)
    |(?P<bracket>[()])
    |(?P<bare>[^\s'"\\;&|()$`<>]+|.)""",
    re.VERBOSE | re.DOTALL,
)
#: The same within double quotes, where variables are filled in and nothing else is split.
_INSIDE: Final = re.compile(
    r"""(?P<joined>\\\r?\n)
    |\\(?P<escaped>["\\$`])
    |\$\{(?P<braced>\w+)(?P<all>\[[@*]\])?(?:(?::?[-=])(?P<otherwise>[^{}]*))?\}
    |\$(?P<named>[A-Za-z_]\w*)
    |(?P<bare>[^\\$]+|.)""",
    re.VERBOSE | re.DOTALL,
)
_ASSIGNED: Final = re.compile(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_DECLARES: Final = ("export", "local", "readonly", "declare", "typeset")
_KEYWORDS: Final = ("if", "then", "else", "elif", "do", "{", "}", "!", "time", "fi", "done", "exec", "nohup")
#: How deep ``eval`` may lie in ``eval``, and how many characters variables may fill in: a few lines may double a text
#: until no memory holds it.
_DEEPEST: Final = 4
_MOST: Final = 1 << 20


def commands_of(text: str) -> list[list[Word]]:
    """The commands of a shell script, with its variables filled in: assignments, comments and redirections are not."""
    script = _Script(text.splitlines())
    script.read(text, 0, 0)
    return script.commands


@dataclass
class _Open:
    """A command that is being read; within ``name=(`` also the ``array``'s name and the command ``around`` it."""

    command: list[Word] = field(default_factory=list)
    word: Word | None = None
    array: str = ""
    around: list[Word] = field(default_factory=list)

    def grow(self, text: str, line: int) -> None:
        self.word = Word(self.word.text + text, self.word.line) if self.word else Word(text, line)

    def close(self) -> None:
        if self.word is not None:
            self.command.append(self.word)
        self.word = None

    def taken(self) -> list[Word]:
        found, self.command = self.command, []
        return found


@dataclass
class _Script:
    """What has been read: ``lines`` are the file's, by which words from variables are found again."""

    lines: Sequence[str]
    variables: dict[str, list[str]] = field(default_factory=dict)
    commands: list[list[Word]] = field(default_factory=list)
    filled: int = 0

    def read(self, text: str, line: int, depth: int) -> None:
        """Take the commands of ``text``; ``line`` is where all of it stands, 0 where its own lines are the file's."""
        for command in self._split(text, line):
            self._take(command, depth)

    def _take(self, command: list[Word], depth: int) -> None:
        while command and command[0].text in _KEYWORDS:
            command = command[1:]
        if not command:
            return
        named = command[1:] if command[0].text in _DECLARES else command
        if all(_ASSIGNED.match(word.text) or word.text.startswith("-") for word in named):
            self._assign(named)
        elif command[0].text == "eval":
            if depth < _DEEPEST:
                self.read(" ".join(word.text for word in command[1:]), command[0].line, depth + 1)
        else:
            self.commands.append(command)

    def _assign(self, words: Sequence[Word]) -> None:
        for word in words:
            found = _ASSIGNED.match(word.text)
            if found:
                before = self.variables.get(found[1], [""]) if found[2] else [""]
                self.variables[found[1]] = [*before[:-1], before[-1] + found[3]]

    def _split(self, text: str, line: int) -> Iterator[list[Word]]:
        now, place = _Open(), line or 1
        for piece in _PIECES.finditer(text):
            kind, begun = piece.lastgroup or "", place
            place += 0 if line else piece[0].count("\n")
            if kind == "bracket" and self._is_array(now, piece[0]):
                continue
            if kind in ("space", "end", "comment", "aside", "bracket"):
                now.close()
                if kind in ("end", "bracket") and not now.array:
                    yield now.taken()
            elif kind != "joined":
                for number, part in enumerate(self._unfolded(kind, piece)):
                    if number:
                        now.close()
                    now.grow(part, self._line(part, begun))
        now.close()
        yield now.taken()

    def _is_array(self, now: _Open, bracket: str) -> bool:
        """Whether a bracket begins or ends ``name=(…)``, whose words are the variable's."""
        if not now.array and bracket == "(" and now.word and re.fullmatch(r"\w+\+?=", now.word.text):
            now.array, now.word, now.around = now.word.text, None, now.taken()
            return True
        if not now.array or bracket == "(":
            return False
        now.close()
        name, values = now.array.rstrip("+="), [word.text for word in now.taken()]
        self.variables[name] = [*self.variables.get(name, []), *values] if "+" in now.array else values
        now.array, now.command = "", now.around
        return True

    def _unfolded(self, kind: str, piece: re.Match[str]) -> list[str]:
        """The words that a piece of a word becomes; the first goes on with what stands before it."""
        if kind == "double":
            whole = re.fullmatch(r"\$\{(\w+)\[@\]\}", piece["double"])
            return (whole and self._values(whole[1])) or [self._within(piece["double"])]
        if kind in ("named", "braced", "all", "otherwise"):
            return self._value(piece).split() or [""]
        return [piece[kind]] if kind in ("escaped", "single") else [piece[0]]

    def _within(self, text: str) -> str:
        found = []
        for piece in _INSIDE.finditer(text):
            kind = piece.lastgroup or ""
            if kind in ("named", "braced", "all", "otherwise"):
                found.append(self._value(piece))
            elif kind != "joined":
                found.append(piece["escaped"] or piece[0])
        return "".join(found)

    def _value(self, piece: re.Match[str]) -> str:
        known = self._values(piece["braced"] or piece["named"])
        if known is not None:
            return " ".join(known)
        return piece[0] if piece["otherwise"] is None else piece["otherwise"]

    def _values(self, name: str) -> list[str] | None:
        """What a variable holds; ``None`` where it holds nothing that is said here, or all of them too much."""
        known = self.variables.get(name)
        self.filled += sum(map(len, known or ())) + len(known or ())
        return known if self.filled <= _MOST else None

    def _line(self, text: str, begun: int) -> int:
        """Where an option stands that a variable brought; the line of the command where it is not found."""
        if not text.startswith("--") or (begun <= len(self.lines) and text in self.lines[begun - 1]):
            return begun
        seen = re.compile(rf"(?<![\w-]){re.escape(text)}(?![\w-])")
        return next((number for number, line in enumerate(self.lines, 1) if seen.search(line)), begun)
