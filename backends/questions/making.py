"""Questions for a folder of documents: passage by passage, each question on disk as soon as it is kept.

``OUT/train.jsonl`` and ``OUT/test.jsonl`` hold ``query``, ``positive``, ``passage_id`` and ``generated_by``; a passage
is on one side only. ``OUT/all-passages.jsonl`` holds every passage, also those without a question: a corpus to search.
``OUT/asked.jsonl`` says which passages are done, so that an interrupted call goes on.

It is ``python -m tunewiz.backends.questions.making``, with the plan as JSON on stdin and facts as JSON lines on stdout;
what libraries print goes to stderr.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tunewiz.backends.questions.prompts import questions_in
from tunewiz.data.documents.passages import Passage, held_out, passages_of
from tunewiz.data.documents.reading import read_documents
from tunewiz.data.reading.discovery import GENERATED
from tunewiz.data.text.duplicates import normal
from tunewiz.errand import collect_rarely
from tunewiz.files import write_json, write_jsonl, write_whole
from tunewiz.problems import BadData, BadPreset, ExitCode, Problem, TunewizError, Where, error, note, say

if TYPE_CHECKING:
    from tunewiz.backends.negatives import Strategy

Fact = Mapping[str, Any]
Tell = Callable[[Fact], None]

#: Questions a passage at most: what is asked for beyond repeats what was asked.
_A_PASSAGE: Final = 4
#: With fewer passages than this many times k nearly every question finds its own, and the round trip filters little.
_FEW: Final = 10
SIDES: Final = ("train", "test")
ASKED: Final = "asked.jsonl"
PASSAGES: Final = "all-passages.jsonl"
PLAN: Final = "questions.json"


@dataclass(frozen=True)
class QuestionPlan:
    """``count`` questions to keep for the documents at ``path``, in the folder ``out``.

    ``retriever`` is ``bm25`` or an embedding model (an id, a folder, ``starter``); a question is kept if its passage is
    among the first ``top_k``. ``share`` of the passages are for measuring only.
    """

    path: str
    out: str
    count: int
    writer: str = "starter"
    retriever: str = "bm25"
    top_k: int = 3
    share: float = 0.2
    seed: int = 42


def make(plan: QuestionPlan, tell: Tell) -> dict[str, Any]:
    """Write questions until there are enough or every passage was asked; what became of it, as a fact.

    Raises :class:`TunewizError` when documents cannot be read, ``out`` holds something else, or the writer gives up.
    """
    out = Path(plan.out)
    documents = read_documents(plan.path, lambda problem: tell(_problem(problem)))
    passages = passages_of(documents)
    if len(passages) < 2:
        message = say("The documents hold {count} passages: too few to tell one from another.", count=len(passages))
        raise BadData(error("few-passages", message, Where(file=plan.path)))
    kept = _Kept.at(out, plan, passages)
    tell({"event": "passages", "documents": len(documents), "passages": len(passages), "kept": kept.count})
    if len(passages) < _FEW * plan.top_k:
        message = say("With {count} passages most questions find their own: the round trip filters little.",
                      count=len(passages))  # fmt: skip
        tell(_problem(note("weak-round-trip", message, Where(file=plan.path))))
    if kept.count < plan.count:
        _write(plan, passages, kept, tell)
    return kept.summary(len(passages))


class _Kept:
    """What is on disk: questions by side, and the passages that were asked."""

    def __init__(self, out: Path, plan: QuestionPlan, sides: Mapping[str, str]) -> None:
        self._out = out
        self._plan = plan
        self.sides = sides
        self.asked: Counter[str] = Counter()
        self.known: set[str] = set()
        self.written: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.by = set[str]()

    @classmethod
    def at(cls, out: Path, plan: QuestionPlan, passages: list[Passage]) -> _Kept:
        """The folder ``out``, begun or gone on with. Raises :class:`BadPreset` where it holds something else."""
        aside = held_out(passages, plan.share, plan.seed)
        kept = cls(out, plan, {one.name: "test" if one.name in aside else "train" for one in passages})
        told = {"passages": _fingerprint(passages), "share": plan.share, "seed": plan.seed}
        if (out / PLAN).is_file():
            kept._go_on(told)
            return kept
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            message = say("It is there already; nothing was written.")
            fix = say("Name a folder that does not exist: --out.")
            raise BadPreset(error("file-exists", message, Where(file=str(out)), fix))
        out.mkdir(parents=True, exist_ok=True)
        write_jsonl(out / PASSAGES, ({"_id": one.name, "text": one.text} for one in passages))
        write_json(out / PLAN, told)
        return kept

    def _go_on(self, told: Mapping[str, Any]) -> None:
        before = json.loads((self._out / PLAN).read_text(encoding="utf-8"))
        if before != told:
            message = say("It holds questions for other documents, or they have changed since.")
            fix = say("Name another folder: --out.")
            raise BadPreset(error("other-documents", message, Where(file=str(self._out)), fix))
        for name in (*(f"{side}.jsonl" for side in SIDES), ASKED):
            _mend(self._out / name)
        for side in SIDES:
            for row in _lines(self._out / f"{side}.jsonl"):
                self.known.add(normal(str(row.get("query", ""))))
                self.written[side] += 1
                self.by.add(str(row.get(GENERATED, "")))
        for row in _lines(self._out / ASKED):
            self.asked[str(row.get("passage"))] += int(row.get("asked", 0))
            self.dropped.update({name: int(row.get(name, 0)) for name in ("lost", "repeated", "none")})

    @property
    def count(self) -> int:
        """Questions on disk."""
        return self.written.total()

    def add(self, passage: Passage, questions: list[str], writer: str, facts: Mapping[str, int]) -> None:
        """Write the questions of a passage, then that it was asked: a crash between costs a repeat, never a row."""
        side = self.sides[passage.name]
        rows = [
            {"query": question, "positive": passage.text, "passage_id": passage.name, GENERATED: writer}
            for question in questions
        ]
        _append(self._out / f"{side}.jsonl", rows)
        _append(self._out / ASKED, [{"passage": passage.name, "kept": len(rows)} | dict(facts)])
        self.known |= {normal(question) for question in questions}
        self.written[side] += len(rows)
        self.asked[passage.name] += facts["asked"]
        self.dropped.update({name: facts[name] for name in ("lost", "repeated", "none")})
        self.by.add(writer)

    def summary(self, passages: int) -> dict[str, Any]:
        """What is there, and a README that tells of it as generated."""
        plan = self._plan
        found = {
            "event": "made",
            "kept": self.count,
            "wanted": plan.count,
            "passages": passages,
            "asked": len(self.asked),
            "out": plan.out,
            "by": sorted(self.by - {""}),
            **{side: self.written[side] for side in SIDES},
            **{name: self.dropped[name] for name in ("lost", "repeated", "none")},
        }
        write_whole(self._out / "README.md", _readme(plan, found))
        return found


def _write(plan: QuestionPlan, passages: list[Passage], kept: _Kept, tell: Tell) -> None:
    """Ask for questions, in rounds over the passages, until enough are kept or nothing is left to ask."""
    from tunewiz.backends.questions.writers import writer_of

    search = _Search(plan, passages)
    writer = writer_of(plan.writer, plan.seed, lambda message: tell({"event": "note", "text": message.text()}))
    order = list(range(len(passages)))
    random.Random(plan.seed).shuffle(order)
    each = min(_A_PASSAGE, max(1, math.ceil(plan.count / len(passages))))
    for wanted in range(each, _A_PASSAGE + 1):  # a second round asks more of each, where the first kept too few
        for place in order:
            passage = passages[place]
            if kept.count >= plan.count:
                return
            if kept.asked[passage.name] >= wanted:
                continue
            asked = wanted - kept.asked[passage.name] if kept.asked[passage.name] else wanted
            answer = writer.answer(passage.text, wanted)
            found = list(questions_in(answer, passage.text))
            fresh = [question for question in found if normal(question) not in kept.known]
            right = search.finds(fresh, place) if fresh else []
            facts = {
                "asked": asked,
                "lost": len(fresh) - len(right),
                "repeated": len(found) - len(fresh),
                "none": int(not found),
            }
            right = right[: min(asked, plan.count - kept.count)]
            kept.add(passage, right, writer.name, facts)
            tell({"event": "progress", "kept": kept.count, "wanted": plan.count, "asked": len(kept.asked),
                  "passages": len(passages), "last": right[-1] if right else ""})  # fmt: skip


class _Search:
    """The round trip: the passages that a question finds."""

    def __init__(self, plan: QuestionPlan, passages: list[Passage]) -> None:
        from tunewiz.backends.negatives import Surroundings, catalogue

        kinds = catalogue()

        def encoder() -> Any:
            from tunewiz.backends.evaluate.measuring import MeasureOptions
            from tunewiz.backends.evaluate.two_stage import embedder

            return embedder(plan.retriever, MeasureOptions())

        self._strategy: Strategy = kinds["bm25" if plan.retriever == "bm25" else "dense"](
            Surroundings(plan.seed, encoder)
        )
        self._strategy.index([passage.text for passage in passages])
        self._k = plan.top_k

    def finds(self, questions: list[str], place: int) -> list[str]:
        """Those of ``questions`` that find the passage at ``place`` among the first k."""
        ranked = self._strategy.search(questions, self._k)
        found = ranked.passages.tolist()
        return [question for question, places in zip(questions, found, strict=True) if place in places]


def _readme(plan: QuestionPlan, found: Mapping[str, Any]) -> str:
    lines = [
        say("# Generated questions"),
        say("The questions were written by {by}, not asked by people: {train} to train on, {test} to measure on; no "
            "passage is on both sides.", by=", ".join(found["by"]) or "?", train=found["train"], test=found["test"]),
        say("Each was kept because {retriever} finds its passage among the first {k} by it; {lost} were not.",
            retriever=plan.retriever, k=plan.top_k, lost=found["lost"]),
        say("Read them before you trust numbers measured on them, and delete what no person would ask."),
    ]  # fmt: skip
    return "\n\n".join(line.text() for line in lines) + "\n"


def _fingerprint(passages: list[Passage]) -> str:
    told = hashlib.sha256()
    for passage in passages:
        told.update(f"{passage.name}\0{passage.text}\0".encode())
    return told.hexdigest()


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if isinstance(row, dict):
            yield row


def _append(file: Path, rows: list[dict[str, Any]]) -> None:
    with file.open("ab") as stream:
        stream.write("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
        stream.flush()
        os.fsync(stream.fileno())


def _mend(file: Path) -> None:
    """Take away a last line that was cut off while it was written."""
    if file.is_file():
        held = file.read_bytes()
        if held and not held.endswith(b"\n"):
            write_whole(file, held[: held.rfind(b"\n") + 1].decode("utf-8", "replace"))


def _problem(problem: Problem) -> Fact:
    return {"event": "problem", "problem": problem.as_json()}


def main() -> int:
    """Make what the plan on stdin says."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)

    def tell(fact: Fact) -> None:
        out.write(json.dumps(fact, ensure_ascii=False) + "\n")

    try:
        tell(make(QuestionPlan(**json.load(sys.stdin)), tell))
    except TunewizError as fault:
        tell({"event": "failed", "problems": [problem.as_json() for problem in fault.problems],
              "exit_code": int(fault.exit_code)})  # fmt: skip
        return int(fault.exit_code)
    except KeyboardInterrupt:
        return int(ExitCode.STOPPED)
    except Exception as fault:  # noqa: BLE001  the outer edge of the child: every end is told
        from tunewiz.backends.runs.explain import explain

        told = explain(fault)
        tell(
            {"event": "failed", "problems": [one.as_json() for one in told.problems], "exit_code": int(told.exit_code)}
        )
        return int(told.exit_code)
    return int(ExitCode.OK)


if __name__ == "__main__":
    collect_rarely()
    sys.exit(main())
