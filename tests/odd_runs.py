"""Folders of runs as no run leaves them: damaged, truncated, hostile; the same seed makes the same folder."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.playing import a_run, closing, log_lines, opening, training
from tunewiz.backends.runs.run import Run
from tunewiz.files import write_json, write_jsonl

#: What a stranger could put into a name: a title, a colour, the C1 form of it, a bidirectional override, a bell.
HOSTILE: Final = "\x1b]0;owned\x07\x1b[31mred\x9b1m\u202eabc\x7f"
#: Files that readers look for, whether or not a run has them.
FILES: Final = (
    "preset.yaml", "run.json", "process.json", "events.jsonl", "output.log", "stop",
    "report/report.md", "report/metrics.json", "report/before.json", "report/after.json", "report/search.json",
    "data/queries.jsonl", "data/qrels.tsv", "data/corpus.jsonl", "data/evaluation.jsonl", "data/counts.json",
)  # fmt: skip
ODD: Final[tuple[Any, ...]] = (
    None, [], {}, "", "x", True, -1, 0, 1e308, -1e308, 10**30, float("nan"), float("inf"), [[]], {"": None}, HOSTILE,
    ["a", 1], 253402300800, "9" * 5000,
)  # fmt: skip


def a_whole_run(folder: Path, name: str = "faq-20260101-120000", gain: float = 0.07) -> Run:
    """A finished run with everything that readers look for."""
    run = a_run(folder, name)
    for event in (*opening(run, 1000.0), *training(10, 1010.0, 1.0), *closing(1080.0, gain)):
        run.emit(event)
    log_lines(run, "==> train\nall went well\n")
    write_json(run.record_file, {"created": 1000.0, "versions": {"torch": "2"}, "model": {"place": "/m"}})
    queries = {f"q{number}": f"how do i do {number}" for number in range(6)}
    for when, value in (("before", 0.5), ("after", 0.5 + gain)):
        per_query = {key: {"ndcg@10": value, "recall@10": 1.0} for key in queries}
        cosines = {"positive": {"histogram": [0] * 30 + [3] * 10, "mean": 0.6}}
        metrics = {"ndcg@10": value, "recall@10": 1.0}
        answers = {"0": {"prompt": "a", "expected": "b", "answer": "c"}}
        record = {"metrics": metrics, "per_query": per_query, "cosines": cosines, "answers": answers, "seconds": 1.0}
        write_json(run.report / f"{when}.json", record)
    compared = {"difference": gain, "low": 0.01, "high": 0.1, "wins": 4, "losses": 1, "ties": 1}
    numbers = {"primary": "ndcg@10", "verdict": "WIN", "comparison": {"ndcg@10": compared}, "next": ["more data"]}
    write_json(run.report / "metrics.json", numbers)
    (run.report / "report.md").write_text("# Report\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", encoding="utf-8")
    write_jsonl(run.data / "queries.jsonl", ({"_id": key, "text": text} for key, text in queries.items()))
    write_jsonl(run.data / "corpus.jsonl", ({"_id": f"d{number}", "text": "t"} for number in range(6)))
    rows = "".join(f"q{number}\td{number}\t1\n" for number in range(6))
    (run.data / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows, encoding="utf-8")
    return run


def an_odd_run(folder: Path, seed: int, whole: Run | None = None) -> Run:
    """A run of which one to three things were made odd; a copy of ``whole``, which spares the waits for the disk."""
    draw, name = random.Random(seed), f"odd{seed}-20260101-120000"
    run = Run(folder / name) if whole else a_whole_run(folder, name)
    if whole:
        shutil.copytree(whole.directory, run.directory)
    for _ in range(draw.randint(1, 3)):
        path = run.directory / draw.choice(FILES)
        with suppress(OSError):  # an earlier one took its folder away
            draw.choice(MUTATIONS)(path, draw)
    return run


def _room(path: Path) -> None:
    """Nothing at ``path``, and a folder around it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)


def _written(content: Callable[[random.Random], bytes]) -> Callable[[Path, random.Random], None]:
    def mutate(path: Path, draw: random.Random) -> None:
        _room(path)
        path.write_bytes(content(draw))

    return mutate


def _folder(path: Path, _: random.Random) -> None:
    _room(path)
    path.mkdir()


def _pipe(path: Path, _: random.Random) -> None:
    _room(path)
    os.mkfifo(path)


def _loop(path: Path, _: random.Random) -> None:
    _room(path)
    path.symlink_to(path.name)


def _device(path: Path, draw: random.Random) -> None:
    _room(path)
    path.symlink_to(draw.choice(["/dev/zero", "/dev/full", "/proc/self/mem", "/nowhere"]))


def _sparse(path: Path, _: random.Random) -> None:
    _room(path)
    with path.open("wb") as stream:
        stream.truncate(1 << 40)


def _forbidden(path: Path, _: random.Random) -> None:
    if path.is_file():
        path.chmod(0)


def _cut(path: Path, draw: random.Random) -> None:
    if path.is_file() and not path.is_symlink():
        content = path.read_bytes()[: 1 << 20]
        path.write_bytes(content[: draw.randint(0, len(content))])


def _flipped(path: Path, draw: random.Random) -> None:
    """Some bytes changed."""
    if path.is_file() and not path.is_symlink():
        content = bytearray(path.read_bytes()[: 1 << 20])
        for _ in range(draw.randint(1, 20) if content else 0):
            content[draw.randrange(len(content))] = draw.randrange(256)
        path.write_bytes(content)


def _replaced(path: Path, draw: random.Random) -> None:
    """In files of JSON some values, at any depth, changed into odd ones."""
    if not path.is_file() or path.is_symlink() or path.stat().st_size > 1 << 20:
        return
    lines = path.suffix == ".jsonl"
    try:
        text = path.read_text(encoding="utf-8")
        trees = [json.loads(line) for line in (text.splitlines() if lines else [text])]
    except (ValueError, RecursionError):
        return
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(trees)) if trees else 0
        if trees:
            trees[at] = _odd_within(trees[at], draw)
    path.write_text("\n".join(json.dumps(tree) for tree in trees) + "\n", encoding="utf-8")


def _odd_within(tree: Any, draw: random.Random) -> Any:
    if isinstance(tree, dict) and tree and draw.random() < 0.9:
        key = draw.choice(list(tree))
        if draw.random() < 0.1:
            return {**tree, HOSTILE: tree[key]}
        return {**tree, key: _odd_within(tree[key], draw)}
    if isinstance(tree, list) and tree and draw.random() < 0.9:
        at = draw.randrange(len(tree))
        return [*tree[:at], _odd_within(tree[at], draw), *tree[at + 1 :]]
    return draw.choice(ODD)


def lines_changed(path: Path, draw: random.Random) -> None:
    """Lines of a file of JSON lines taken out, doubled, moved, cut, joined, and values in them changed."""
    lines: list[Any] = path.read_bytes().splitlines(keepends=True)
    for _ in range(draw.randint(1, 12)):
        if not lines:
            break
        at, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        line = lines[at]
        kind = draw.randrange(7)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines[at:at] = [line] * draw.choice([1, 2, 50])
        elif kind == 2:
            lines[at], lines[other] = lines[other], line
        elif kind == 3:
            lines[at] = line[: draw.randint(0, len(line))]
        elif kind == 4:
            lines[at] = line[: draw.randrange(len(line) + 1)] + draw.randbytes(draw.randint(1, 4)) + line[-9:]
        else:
            with suppress(ValueError):
                lines[at] = json.dumps(_odd_within(json.loads(line), draw)).encode() + b"\n"
    path.write_bytes(b"".join(lines))


def _no_folder(path: Path, draw: random.Random) -> None:
    """Something else in place of the folder that the file would be in."""
    if path.parent.name in ("report", "data"):
        draw.choice([_pipe, _loop, _written(lambda _: b"x")])(path.parent, draw)
        return
    _room(path)


MUTATIONS: Final = (
    _written(lambda _: b""),
    _written(lambda _: b"[]\n"),
    _written(lambda _: b"null\n"),
    _written(lambda _: b"1e400\n"),
    _written(lambda _: b"NaN\n"),
    _written(lambda _: b'"text"\n'),
    _written(lambda _: b"[" * 200_000),
    _written(lambda _: b'{"a":' * 5_000 + b"1" + b"}" * 5_000),
    _written(lambda _: b"[" * 500 + b"]" * 500 + b"\n"),
    _written(lambda _: b"\xff\xfe\x00bad\x80\n"),
    _written(lambda draw: draw.randbytes(3000)),
    _written(lambda _: b"x" * (9 << 20)),
    _written(lambda _: b"\n" * 50_000),
    _written(lambda _: b'{"event":"progress","stage":"train","step":1,"total":1,"time":1,"values":{"loss":1e400}}\n'),
    _written(lambda _: b'{"event":"failed","exit_code":7,"time":1,"problems":[1,"x",null]}\n'),
    _written(lambda _: f'{{"event":"saved","time":1,"what":"x","path":{json.dumps(HOSTILE)}}}\n'.encode()),
    _written(lambda _: b"version: 2\nname: later\ntask: embedding\n"),
    _written(lambda _: b"a: &a [1]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b]\nd: &d {e: *d}\n"),
    _folder, _pipe, _loop, _device, _sparse, _forbidden, _cut, _flipped, _replaced, _replaced, _replaced, _replaced,
    _no_folder,
)  # fmt: skip
