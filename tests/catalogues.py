"""Brings the Chinese catalogues up to date with the source: ``python -m tests.catalogues`` (``make messages``).

New strings are added untranslated, strings that are gone are removed, the ``.mo`` files are compiled. Prints what is
left to translate and exits with 1 if there is anything.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from tunewiz.language import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # the compiled file changes only when a string does
KEYWORDS = {"say": None, "N_": None, "_": None, "translate": None}


def catalogue_file(package: str) -> Path:
    return ROOT / package / "locales" / "zh" / "LC_MESSAGES" / f"{package}.po"


def extracted(package: str) -> Iterator[str]:
    """Every string marked for translation in ``package``."""
    for _file, _line, message, _comments, _context in extract_from_dir(ROOT / package, keywords=KEYWORDS):
        if isinstance(message, str) and message:
            yield message


def translations(package: str) -> dict[str, str]:
    """What the catalogue of ``package`` holds: English to Chinese."""
    with catalogue_file(package).open("rb") as stream:
        catalogue = read_po(stream, locale="zh")
    return {str(message.id): str(message.string) for message in catalogue if message.id}


def update(package: str, known: dict[str, str]) -> list[str]:
    """Write the catalogue of ``package``, Chinese taken from ``known``; the strings that have none."""
    catalogue = Catalog(locale="zh", project="tunewiz", charset="utf-8", creation_date=EPOCH, revision_date=EPOCH)
    for text in sorted(set(extracted(package))):
        catalogue.add(text, known.get(text, ""))
    file = catalogue_file(package)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        # No header and no line numbers: a change shows what changed and nothing else.
        write_po(stream, catalogue, omit_header=True, no_location=True, width=110)
    with file.with_suffix(".mo").open("wb") as stream:
        write_mo(stream, catalogue)
    return [str(message.id) for message in catalogue if message.id and not message.string]


def main() -> int:
    missing = 0
    # A string keeps its Chinese when it moves to another room.
    known = {
        text: said
        for package in PACKAGES
        if catalogue_file(package).exists()
        for text, said in translations(package).items()
    }
    for package in PACKAGES:
        for text in update(package, known):
            print(f"{package}: {text!r}", file=sys.stderr)  # noqa: T201
            missing += 1
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
