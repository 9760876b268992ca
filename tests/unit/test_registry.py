"""The one registry: what a room defines, found from any thread."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import pytest

from tunewiz.registry import Registry


class Kind:
    name: str


#: Set by the test, awaited by a module while it is imported.
asked, may_go_on = Event(), Event()
#: What that module asks while it is imported.
other: Registry[Kind] | None = None


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of two modules; the import of one asks another registry, once it is let."""
    package = tmp_path / "a_room_of_kinds"
    package.mkdir()
    (package / "__init__.py").write_text("", "utf-8")
    (package / "first.py").write_text(
        "from tests.unit import test_registry as here\n"
        "class First(here.Kind):\n    name = 'first'\n"
        "here.asked.set()\nassert here.may_go_on.wait(20)\nassert here.other is not None\nhere.other.classes()\n",
        "utf-8",
    )
    (package / "second.py").write_text(
        "from tests.unit import test_registry as here\nclass Second(here.Kind):\n    name = 'second'\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield package.name
    for name in [name for name in sys.modules if name.startswith(package.name)]:
        del sys.modules[name]


def test_an_import_in_one_thread_and_a_registry_in_another_do_not_wait_for_each_other(
    room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = Registry(room, Kind)
    empty = Registry("tests.unit.presets", Kind)
    monkeypatch.setattr(sys.modules[__name__], "other", empty)
    importing = Thread(target=import_module, args=(f"{room}.first",), daemon=True)
    importing.start()
    assert asked.wait(20)
    looking = Thread(target=kinds.classes, daemon=True)
    looking.start()
    looking.join(0.3)  # by now it waits for the other thread's import
    may_go_on.set()
    importing.join(20)
    looking.join(20)
    assert not importing.is_alive()
    assert not looking.is_alive()
    assert list(kinds.classes()) == ["first", "second"]
