"""Three hundred damaged datasets: each is inspected, prepared and fixed, or refused with words; never a traceback."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tunewiz.data.inspection import fix, inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.retrieval.prepare import prepare
from tunewiz.data.retrieval.prepared import Plan, load, save
from tunewiz.problems import BadData, TunewizError

ROWS = [
    {
        "query": f"第{number}个问题 number {number}",
        "positive": f"答案 {number}, with <b>more</b>",
        "negative": f"no {number}",
    }
    for number in range(12)
]
SCORED = [{"sentence1": f"a {number}", "sentence2": f"b {number}", "score": number % 4} for number in range(12)]
LISTS = [{"query": f"q {n}", "pos": [f"p {n}", "p"], "neg": [f"n {n}"], "pos_scores": [0.5, 1]} for n in range(12)]
TALK = [{"messages": [{"role": "user", "content": f"q {n}"}, {"role": "assistant", "content": "a"}]} for n in range(9)]


def lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def table(rows: list[dict[str, object]], delimiter: str, encoding: str) -> bytes:
    text = [delimiter.join(rows[0]), *(delimiter.join(str(value) for value in row.values()) for row in rows)]
    return "\r\n".join(text).encode(encoding)


FILES: dict[str, bytes] = {
    "rows.jsonl": lines([*ROWS]),
    "scored.jsonl": lines([*SCORED]),
    "lists.jsonl": lines([*LISTS]),
    "talk.jsonl": lines([*TALK]),
    "rows.json": json.dumps({"data": ROWS}).encode(),
    "rows.csv": table([*ROWS], ";", "gb18030"),
    "scored.tsv": table([*SCORED], "\t", "utf-16"),
}
PIECES = [
    b"\x00",
    b"\xff\xfe",
    b'"',
    b"\n",
    b"\\ud800",
    b"{",
    b"]",
    b",",
    b"NaN",
    b"1e999",
    b"\xf0\x9f",
    b"\t",
    b"<b>",
    b"null",
]


def damaged(whole: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.randint(1, 4)):
        start = draw.randrange(len(whole) + 1)
        end = min(len(whole), start + draw.choice((0, 1, 2, 20, 200)))
        piece = draw.choice([b"", whole[:end][-50:], draw.choice(PIECES), draw.randbytes(3)])
        whole = whole[:start] + piece + whole[end:]
    return whole if draw.random() < 0.9 else whole[: draw.randrange(len(whole) + 1)]


def collection(folder: Path, draw: random.Random) -> Path:
    corpus = lines([{"_id": f"d{n}", "title": "", "text": f"text {n}"} for n in range(12)])
    queries = lines([{"_id": f"q{n}", "text": f"query {n}"} for n in range(9)])
    qrels = b"query-id\tcorpus-id\tscore\n" + b"".join(b"q%d\td%d\t%d\n" % (n, n, n % 3) for n in range(9))
    parts = {"corpus.jsonl": corpus, "queries.jsonl": queries, "qrels.tsv": qrels}
    chosen = draw.choice(list(parts))
    folder.mkdir()
    for name, whole in parts.items():
        (folder / name).write_bytes(damaged(whole, draw) if name == chosen else whole)
    return folder


@pytest.mark.parametrize("seed", range(10))
def test_no_damage_ends_in_a_traceback(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    for number in range(30):
        name, whole = draw.choice(list(FILES.items()))
        path = tmp_path / f"{number}-{name}"
        if number % 6 == 0:
            path = collection(tmp_path / str(number), draw)
        else:
            path.write_bytes(damaged(whole, draw))
        found = inspect(Dataset(str(path)))
        try:
            done = prepare(
                Plan(Dataset(str(path)), fraction=0.3, validation=0.2, clean=draw.random() < 0.5), lambda _: None
            )
        except BadData as refused:
            assert refused.problems
        else:
            assert found.counts
            save(done, tmp_path / f"{number}-run")
            assert load(tmp_path / f"{number}-run") == done
        out = tmp_path / f"{number}-clean"
        try:
            fixed = fix(Dataset(str(path)), out)
        except TunewizError as refused:
            assert refused.problems
        else:
            assert fixed.path.exists()
