"""Whatever bytes a file holds, discovery, reading and detection answer with problems, never with another exception."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tunewiz.data.formats import collections
from tunewiz.data.opening import detection, opened
from tunewiz.data.reading.discovery import discover
from tunewiz.data.reading.records import read
from tunewiz.data.reading.source import Dataset
from tunewiz.problems import Problem, TunewizError

SEEDS = range(60)


def _csv() -> bytes:
    rows = "".join(f'怎么退货 {i}？,"七天内可退, 请保留""小票""\n第 {i} 行",{i % 2}\r\n' for i in range(12))
    return ("问题,答案,标签\r\n" + rows).encode()


def _jsonl() -> bytes:
    rows = [
        {"query": f"how {i}", "pos": [f"so {i}", "é"], "neg": [f"no {i}"], "pos_scores": [0.5, 1]} for i in range(12)
    ]
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def _json() -> bytes:
    rows = [{"query": f"how {i}", "positive": f"so {i} 😀", "negative": f"no {i}", "score": i / 3} for i in range(12)]
    return json.dumps({"version": 1, "data": rows}, ensure_ascii=False, indent=1).encode()


def _squad() -> bytes:
    asked = [{"id": f"q{i}", "question": f"what {i}?", "answers": [{"text": "x"}]} for i in range(3)]
    paragraphs = [{"context": f"text {i}", "qas": asked} for i in range(4)]
    return json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}).encode()


def _flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 20)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _reencode(data: bytes, chance: random.Random) -> bytes:
    return data.decode().encode(
        chance.choice(["gb18030", "utf-16", "utf-16-le", "utf-32", "cp1252", "big5"]), "replace"
    )


def _odd_marks(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b",", chance.choice([b";", b"|", b"\t", b"\x01", b"  ", b",,", b'"', b"\0"]))


def _quotes(data: bytes, chance: random.Random) -> bytes:
    return data.replace(b'"', chance.choice([b"'", b"", b'""', b'\\"', b"\xe2\x80\x9c"]))


def _shuffle(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    chance.shuffle(lines)
    return chance.choice([b"\n", b"\r\n", b"\r", b"\n\n"]).join(lines)


def _splice(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    noise = chance.choice(
        [b"\0" * 40, bytes(range(256)), b"[" * 3000, b"NaN", b"1e999", b'"\\ud800"', b"9" * 5000, b"\xff\xfe"]
    )
    return data[:at] + noise + data[at:]


def _zip_cut(data: bytes, chance: random.Random) -> bytes:
    packed = gzip.compress(data)
    return packed[: chance.randrange(2, len(packed))]


MUTATIONS: list[Callable[[bytes, random.Random], bytes]] = [
    *(_flip, _truncate, _reencode, _odd_marks, _quotes, _shuffle, _splice, _zip_cut),
]


def survive(dataset: Dataset) -> list[Problem]:
    """Everything that can be done with a file; only TunewizError may stop it."""
    problems: list[Problem] = []
    try:
        source = discover(dataset)
        problems += source.notes
        detected = detection.detect(source)
        problems += detected.problems
        if detected.format.shape == "collection":
            collections.collection(detected, opened.splits_of(detected)[0], problems.append)
            list(collections.groups_from_qrels(detected, "auto", problems.append))
        else:
            list(opened.examples_of(detected, read(source, problems.append), problems.append))
    except TunewizError as stopped:
        assert stopped.problems
        problems += stopped.problems
    for problem in problems:
        assert problem.line("en")
        assert problem.line("zh")
        assert "{" not in problem.code
    return problems


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.json", "squad.json"])
def test_mutated_files_raise_nothing_else(tmp_path: Path, name: str, seed: int) -> None:
    chance = random.Random(f"{name} {seed}")
    made = {"rows.csv": _csv, "rows.jsonl": _jsonl, "rows.json": _json, "squad.json": _squad}[name]()
    for mutation in chance.sample(MUTATIONS, chance.randint(1, 3)):
        if made:
            made = mutation(made, chance) if mutation is not _reencode else _reencoded_if_text(made, chance)
    path = tmp_path / (
        name if chance.random() < 0.8 else chance.choice(["rows.txt", "rows.tsv", "rows.csv.gz", "rows"])
    )
    path.write_bytes(made)
    survive(Dataset(str(path)))


def _reencoded_if_text(data: bytes, chance: random.Random) -> bytes:
    try:
        return _reencode(data, chance)
    except UnicodeDecodeError:
        return data


@pytest.mark.parametrize("seed", range(40))
def test_mutated_collections_raise_nothing_else(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    corpus = "".join(json.dumps({"_id": f"d{i}", "title": "t", "text": f"text {i}"}) + "\n" for i in range(8))
    queries = "".join(json.dumps({"_id": f"q{i}", "text": f"query {i}"}) + "\n" for i in range(5))
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\td{i}\t{i % 3}\n" for i in range(5))
    contents = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels/test.tsv": qrels}
    (tmp_path / "qrels").mkdir()
    damaged = chance.choice(list(contents))
    for name, text in contents.items():
        data = text.encode()
        (tmp_path / name).write_bytes(chance.choice(MUTATIONS)(data, chance) if name == damaged else data)
    survive(Dataset(str(tmp_path)))


@pytest.mark.parametrize("seed", range(40))
def test_random_bytes_raise_nothing_else(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = ["a.csv", "a.json", "a.jsonl", "a.parquet", "a.xlsx", "a.tsv.gz"]
    magic = chance.choice(
        [b"", b"PAR1", b"PK\x03\x04xl/", b"\x1f\x8b\x08", b"BZh9", b"\xff\xfe", b"\xef\xbb\xbf", b"[{", b"{"]
    )
    path = tmp_path / chance.choice(names)
    path.write_bytes(magic + chance.randbytes(chance.randint(0, 3000)))
    survive(Dataset(str(path)))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
def test_mutated_binary_files_raise_nothing_else(tmp_path: Path, kind: str, seed: int) -> None:
    path = tmp_path / f"rows.{kind}"
    rows = [{"query": f"how {i}", "positive": f"so {i}", "label": i % 2} for i in range(30)]
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        import openpyxl

        book = openpyxl.Workbook()
        for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
            book.active.append(row)
        book.save(path)
    chance = random.Random(f"{kind} {seed}")
    path.write_bytes(chance.choice([_flip, _truncate, _splice, _zip_cut])(path.read_bytes(), chance))
    survive(Dataset(str(path)))
