"""A search service over HTTP: FAISS finds candidates with the tuned model, a reranker may put them in order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

from backends.runs.run import Run
from backends.targets.base import Target, copy_model
from backends.trying.corpus import of_run
from data.files import write_jsonl, write_whole
from data.language import N_
from data.problems import Message, say
from presets.preset import Preset

_SOURCE = Path(__file__).resolve().parent / "programs" / "service.py.txt"


class Service(Target):
    """``serve.py``, ``model/`` and ``documents.jsonl``; the documents are those of the run, to be replaced by yours."""

    name: ClassVar[str] = "service"
    tasks: ClassVar[frozenset[str]] = frozenset({"embedding"})
    summary: ClassVar[str] = N_("a search service (FastAPI, FAISS), with reranking if you have a reranker")

    def write(self, run: Run, preset: Preset, folder: Path) -> Message:
        """Copy the model, the run's documents and the program."""
        copy_model(run, folder / "model")
        corpus = of_run(run)
        rows = ({"id": name, "text": text} for name, text in zip(corpus.ids, corpus.texts, strict=True))
        write_jsonl(folder / "documents.jsonl", rows)
        write_whole(folder / "serve.py", _SOURCE.read_text(encoding="utf-8"))
        question = next(iter(corpus.queries), "what do I do when the disk is full")
        asked = json.dumps({"query": question, "k": 5}, ensure_ascii=False)
        write_whole(folder / "example.json", asked + "\n")
        return say(
            "Start it: {start}; ask it: {ask}",
            start="python serve.py --port 8000",
            ask="curl localhost:8000/search -H 'content-type: application/json' -d @example.json",
        )
