"""English and Chinese are equals: no string is missing, no placeholder lost, no catalogue stale."""

from __future__ import annotations

import gettext
import string

import pytest

from tests.catalogues import catalogue_file, extracted, translations
from tunewiz.language import PACKAGES, detect, translate


def placeholders(text: str) -> set[str]:
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_string_has_its_chinese(package: str) -> None:
    known = translations(package)
    source = set(extracted(package))
    assert [text for text in sorted(source) if not known.get(text)] == []
    assert sorted(set(known) - source) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_placeholders_are_kept(package: str) -> None:
    wrong = [
        english for english, chinese in translations(package).items() if placeholders(english) != placeholders(chinese)
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_compiled_catalogue_is_the_written_one(package: str) -> None:
    with catalogue_file(package).with_suffix(".mo").open("rb") as stream:
        compiled = gettext.GNUTranslations(stream)
    assert {english: compiled.gettext(english) for english in translations(package)} == translations(package)


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "TUNEWIZ_LANG": "zh"}, "zh"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh"),
    ],
)
def test_the_locale_chooses(environment: dict[str, str], language: str) -> None:
    assert detect(environment) == language


def test_unknown_text_comes_back() -> None:
    assert translate("no such string", "zh") == "no such string"
    assert translate("", "zh") == ""
