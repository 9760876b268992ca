"""Files are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.files import read_json, sha256, whole, write_json, write_jsonl, write_whole


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    write_whole(path, "before\n")
    with pytest.raises(RuntimeError), whole(path) as stream:
        stream.write("half")
        raise RuntimeError
    assert path.read_text() == "before\n"
    assert list(path.parent.iterdir()) == [path]


def test_json_goes_and_comes(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"查询": [1, None]})
    assert read_json(path) == {"查询": [1, None]}
    path.write_text("{half")
    assert read_json(path) is None
    assert read_json(tmp_path / "missing.json") is None
    assert write_jsonl(tmp_path / "rows.jsonl", iter([{"a": 1}, "二"])) == 2
    assert (tmp_path / "rows.jsonl").read_text(encoding="utf-8") == '{"a": 1}\n"二"\n'


def test_sha256_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"")
    assert sha256(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
