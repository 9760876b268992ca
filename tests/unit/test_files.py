"""Files are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tunewiz.files import (
    discard,
    put_back,
    read_json,
    replacing,
    sha256,
    sweep_tree,
    whole,
    write_json,
    write_jsonl,
    write_whole,
)


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


def content(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def filled(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_text(text)
    return folder


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replacing(target) as part:
        (part / "file").write_text("first")
    with pytest.raises(RuntimeError), replacing(target) as part:
        (part / "file").write_text("half")
        raise RuntimeError
    assert content(tmp_path) == {"model/file": "first"}
    with replacing(target) as part:
        assert content(part) == {}
        assert content(target) == {"file": "first"}
        (part / "other").write_text("second")
    assert content(tmp_path) == {"model/other": "second"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("recovered", [put_back, lambda target: sweep_tree(target.parent)], ids=["put_back", "sweep"])
def test_what_a_kill_leaves_of_a_replacement_is_the_old_folder_or_the_new(recovered: object, tmp_path: Path) -> None:
    between, after = tmp_path / "between" / "model", tmp_path / "after" / "model"
    filled(between.with_name(".model.old"), "old")  # the new one did not come
    filled(after.with_name(".model.old"), "old")
    filled(after, "new")
    for target in (between, after):
        recovered(target)  # type: ignore[operator]
    assert content(tmp_path) == {"between/model/file": "old", "after/model/file": "new"}
    assert not list(tmp_path.rglob(".*"))


def test_leftovers_of_dead_writers_are_swept_and_no_others(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    filled(tmp_path / "checkpoints" / ".tuned.part", "half")
    filled(tmp_path / ".checkpoints.part", "half deleted")
    kept = [".hidden", f".theirs.{os.getppid()}.part", "name.part", "cache/.vectors.part.npz"]
    earlier = f".mine.{os.getpid()}.part"  # of one that died with our id, in a container
    (tmp_path / "cache").mkdir()
    for name in [*kept, f".run.json.{int(dead.stdout)}.part", ".v.part.npz", earlier, ".x.99999999999999.part"]:
        (tmp_path / name).write_text(name)
    os.utime(tmp_path / earlier, (1.0, 1.0))
    sweep_tree(tmp_path, apart=("cache",))
    assert content(tmp_path) == {name: name for name in kept}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept[:-1], "cache", "checkpoints"])


def test_a_folder_is_gone_at_once(tmp_path: Path) -> None:
    filled(tmp_path / ".model.part", "of an earlier kill")
    discard(filled(tmp_path / "model", "text"))
    discard(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
