"""Documents as blocks of text under headings, whatever kind of file they are.

Texts and Markdown are read here; web pages, PDF and Word files by lxml, pypdf and python-docx, which are imported when
a file needs them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from tunewiz.data.reading.encodings import detect_encoding
from tunewiz.data.reading.source import resolve
from tunewiz.problems import BadData, BadPreset, Problem, Report, Where, error, say, warning

#: Endings, and the package that reads such files ("" for none).
KINDS: Final[Mapping[str, str]] = {
    ".txt": "", ".text": "", ".md": "", ".markdown": "", ".rst": "", ".html": "lxml", ".htm": "lxml", ".xhtml": "lxml",
    ".pdf": "pypdf", ".docx": "docx",
}  # fmt: skip
_MOST: Final = 64 << 20  # bytes of one file: a longer one is a dump, not a document
_FILES: Final = 20_000


@dataclass(frozen=True)
class Block:
    """Text under a heading ("" where there is none); blank lines divide its paragraphs."""

    heading: str
    text: str


@dataclass(frozen=True)
class Document:
    """A file, named from the folder that was given, with its blocks in order."""

    name: str
    blocks: tuple[Block, ...]


def document_files(path: str) -> list[Path]:
    """The documents that ``path`` names: a file, or all in a folder and below it, hidden ones left out.

    Raises :class:`BadData` (``no-documents``) where there is none.
    """
    place = resolve(path)
    files = [place] if place.is_file() else sorted(_below(place))
    found = [file for file in files if file.suffix.casefold() in KINDS]
    if found:
        return found
    message = say("There is no document here: {endings} are read.", endings=tuple(KINDS))
    others = sorted({file.suffix or file.name for file in files})[:8]
    fix = say("What is there: {endings}.", endings=tuple(others)) if others else None
    raise BadData(error("no-documents", message, Where(file=path), fix))


def _below(folder: Path) -> Iterator[Path]:
    for count, file in enumerate(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if count < _FILES and not hidden and file.is_file():
            yield file


def holds_documents(path: str) -> bool:
    """Whether most of what ``path`` names are documents, by the endings of its files; looks at a few of them."""
    try:
        place = resolve(path)
        files = (
            [place] if place.is_file() else [file for _, file in zip(range(_LOOKED_AT), _below(place), strict=False)]
        )
    except (BadData, OSError):
        return False
    found = [file for file in files if file.suffix.casefold() in KINDS and file.stem.casefold() not in _ABOUT]
    return len(found) > len(files) / 2


_LOOKED_AT: Final = 100
_ABOUT: Final = frozenset(("readme", "license", "changelog"))


def missing_packages(files: list[Path]) -> list[Problem]:
    """What must be installed to read ``files``."""
    wanted = {KINDS[file.suffix.casefold()]: file for file in reversed(files)}
    absent = {package: file for package, file in wanted.items() if package and find_spec(package) is None}
    fix = say("Install it: {command}", command="pip install 'tunewiz[documents]'")
    return [
        error("package-missing", say("The package {package} is not installed.", package=package),
              Where(file=str(file)), fix)
        for package, file in sorted(absent.items())
    ]  # fmt: skip


def read_documents(path: str, report: Report) -> list[Document]:
    """Every document that ``path`` names and that holds text; of the others it is told why they hold none.

    Raises :class:`BadData` where none does, :class:`BadPreset` where a package is missing.
    """
    files, root = document_files(path), resolve(path)
    missing = missing_packages(files)
    if missing:
        raise BadPreset(*missing)
    found = []
    for file in files:
        name = file.name if root.is_file() else file.relative_to(root).as_posix()
        where = Where(file=name)
        try:
            if file.stat().st_size > _MOST:
                raise ValueError(f"{file.stat().st_size >> 20} MiB")
            blocks = tuple(block for block in _reader(file)(file) if block.text.strip())
        except Exception as fault:  # noqa: BLE001  a damaged file of a foreign kind raises anything; the others are read
            reason = f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
            report(warning("unreadable-document", say("It cannot be read: {reason}.", reason=reason[:200]), where))
            continue
        if blocks:
            found.append(Document(name, blocks))
        else:
            fix = say("If its pages are pictures, have them recognised first (OCR).")
            report(warning("no-text", say("It holds no text."), where, fix))
    if not found:
        raise BadData(error("no-documents", say("No document holds any text."), Where(file=path)))
    return found


def _reader(file: Path) -> Callable[[Path], Iterator[Block]]:
    kind = file.suffix.casefold()
    readers: dict[str, Callable[[Path], Iterator[Block]]] = {"lxml": _web_page, "pypdf": _pdf, "docx": _word}
    return readers.get(KINDS[kind], _plain if kind in (".txt", ".text") else _markdown)


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        name = detect_encoding(stream, "auto").name
    return file.read_text(encoding=name, errors="replace").removeprefix("\ufeff").replace("\x00", "")


# Texts, and Markdown (reStructuredText underlines its headings as Markdown may).


#: 第三章 …, 一、…, 2.1 …, CHAPTER IV: a line of its own that begins so and is short is a heading.
_NUMBERED: Final = re.compile(
    r"(第[一二三四五六七八九十百零〇\d]+[章节篇部条]|[一二三四五六七八九十]+、|\d+(\.\d+)+\.?\s|\d+\.\s|chapter\s|section\s)",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"[。！？；.!?;，,：:]$")
_SHORT: Final = 60  # characters of a heading


def _plain(file: Path) -> Iterator[Block]:
    heading, lines = "", list[str]()
    for line in _text(file).splitlines():
        shown = line.strip()
        if len(shown) <= _SHORT and _NUMBERED.match(shown) and not _SENTENCE.search(shown):
            yield Block(heading, "\n".join(lines))
            heading, lines = shown, []
        else:
            lines.append(line)
    yield Block(heading, "\n".join(lines))


_FRONT: Final = re.compile(r"\A---\s*\n.*?\n---\s*\n", re.DOTALL)
_HEADING: Final = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_UNDERLINE: Final = re.compile(r"(=|-|~|\^|\*){3,}\s*$")
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def _markdown(file: Path) -> Iterator[Block]:
    lines = [*_FRONT.sub("", _text(file)).splitlines(), ""]
    above: list[str] = []  # the headings that the text stands under, by level
    held: list[str] = []
    code = skip = False
    for line, after in pairwise(lines):
        if skip:
            skip = False
            continue
        code ^= line.lstrip().startswith(("```", "~~~"))
        mark = None if code else _HEADING.match(line)
        under = not code and bool(line.strip()) and bool(_UNDERLINE.match(after)) and not line.lstrip().startswith(">")
        if mark or (under and not _TABLE.match(line)):
            yield Block(_path(above), "\n".join(held))
            level = len(mark[1]) if mark else 1 if after.startswith("=") else 2
            above = [*above[: level - 1], _LINK.sub(r"\1", mark[2] if mark else line.strip())]
            held, skip = [], not mark
        else:
            held.append(_LINK.sub(r"\1", line))
    yield Block(_path(above), "\n".join(held))


_TABLE: Final = re.compile(r"\s*\|")


def _path(above: list[str]) -> str:
    return " > ".join(part for part in above if part)


# Web pages.


_UNREAD: Final = (
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "svg",
    "iframe",
)
_LINES: Final = frozenset(
    ("p", "div", "section", "article", "main", "ul", "ol", "table", "blockquote", "pre", "dl", "dd", "dt", "figure")
)
_BREAKS: Final = frozenset(("li", "tr", "br"))


def _web_page(file: Path) -> Iterator[Block]:
    from lxml import html

    text = re.sub(r"\A\s*<\?xml[^>]*\?>", "", _text(file))  # lxml takes no declared encoding in a text
    if not text.strip():
        return
    tree = html.document_fromstring(text)
    for element in list(tree.iter(*_UNREAD)):
        if element.getparent() is not None and not (element.tag == "header" and element.find(".//h1") is not None):
            element.drop_tree()
    body = tree.find("body")
    main = tree.find(".//main")
    root = main if main is not None else body if body is not None else tree
    above: list[str] = []
    held: list[str] = []
    for kind, said in _said(root):
        if kind:
            yield Block(_path(above), _joined(held))
            above, held = [*above[: kind - 1], " ".join(said.split())], []
        else:
            held.append(said)
    yield Block(_path(above), _joined(held))


def _said(element: Any) -> Iterator[tuple[int, str]]:
    """Texts in order, each with the level of the heading that it is (0: none)."""
    tag = element.tag if isinstance(element.tag, str) else ""
    if re.fullmatch("h[1-6]", tag):
        yield int(tag[1]), element.text_content()
        return
    if tag in _LINES or tag in _BREAKS:
        yield 0, "\n\n" if tag in _LINES else "\n"
    if tag:
        if element.text:
            yield 0, element.text if tag == "pre" else re.sub(r"\s+", " ", element.text)
        for child in element:
            yield from _said(child)
            if child.tail:
                yield 0, re.sub(r"\s+", " ", child.tail)
    if tag in _LINES:
        yield 0, "\n\n"
    elif tag in ("td", "th"):
        yield 0, " "


def _joined(parts: list[str]) -> str:
    lines = (line.strip() for line in "".join(parts).splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


# PDF: no paragraphs and no headings, only lines; what stands on most pages in the same place is no text.


def _pdf(file: Path) -> Iterator[Block]:
    from pypdf import PdfReader

    reader = PdfReader(file)
    if reader.is_encrypted:
        reader.decrypt("")  # files that anyone may read and not everyone change
    pages = [(page.extract_text() or "").splitlines() for page in reader.pages]
    ends = [(2 if len(page) > _LINES_A_PAGE else 1, page) for page in pages]
    edges = Counter(
        line for many, page in ends for line in {*map(_edge, page[:many]), *map(_edge, page[-many:])} if line
    )
    again = {line for line, count in edges.items() if count > max(2, len(pages) / 2)}
    kept = [
        line.strip()
        for many, page in ends
        for number, line in enumerate(page)
        if many <= number < len(page) - many or _edge(line) not in again
    ]
    heading, held = "", list[str]()
    for line in kept:
        if len(line) <= _SHORT and _NUMBERED.match(line) and not _SENTENCE.search(line):
            yield Block(heading, _unwrapped(held))
            heading, held = line, []
        else:
            held.append(line)
    yield Block(heading, _unwrapped(held))


_LINES_A_PAGE: Final = 8  # pages of fewer lines have one of them as header and footer, if any


def _edge(line: str) -> str:
    """A line with its numbers made alike: "page 3 of 20" is a footer on every page."""
    return re.sub(r"\d+", "#", line.strip())


_CJK_END: Final = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]$")


def _unwrapped(lines: list[str]) -> str:
    """Lines that were broken to fit the page as running text; a short line that ends a sentence ends a paragraph."""
    width = max(map(len, lines), default=0)
    text = ""
    for line in lines:
        if not line:
            text = text.rstrip() + "\n\n"
        elif text.endswith("-") and line[:1].islower():
            text = text[:-1] + line
        else:
            joint = "" if not text or text.endswith("\n") or _CJK_END.search(text) else " "
            text += joint + line
        if line and len(line) < 0.7 * width and re.search(r"[。！？.!?：:]$", line):
            text += "\n\n"
    return text.strip()


# Word.


def _word(file: Path) -> Iterator[Block]:
    import docx
    from docx.table import Table

    document = docx.Document(str(file))
    above: list[str] = []
    held: list[str] = []
    for part in document.iter_inner_content():
        if isinstance(part, Table):
            held += ["\n".join(" | ".join(dict.fromkeys(cell.text.strip() for cell in row.cells)) for row in part.rows)]
            continue
        level = _level(part)
        if level and part.text.strip():
            yield Block(_path(above), "\n\n".join(held))
            above, held = [*above[: level - 1], part.text.strip()], []
        else:
            held.append(part.text)
    yield Block(_path(above), "\n\n".join(held))


def _level(paragraph: Any) -> int:
    """The level of a heading, by its style's own id, which is English in every language; 0 for running text."""
    style = paragraph.style
    for name in (getattr(style, "style_id", "") or "", getattr(style, "name", "") or ""):
        found = re.fullmatch(r"(?:Heading|heading|标题)\s*(\d)", name)
        if found:
            return int(found[1])
        if name == "Title":
            return 1
    return 0
