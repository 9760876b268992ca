"""What no run is tuned for: prompts of ours with good answers, and our test collections, to see what a model forgot.

The prompts lie in ``samples/_general``, where nobody is offered them to train on.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Final

from tunewiz.data.opening import opened
from tunewiz.data.reading.source import SAMPLE_PREFIX, SAMPLES, Dataset
from tunewiz.data.rows.conversations import Conversation, plain_exchange
from tunewiz.data.rows.examples import Collection
from tunewiz.files import parse_json, read_lines

#: Languages of the prompts and of the collections.
LANGUAGES: Final = ("en", "zh")
#: Questions of a collection that are asked: enough for an interval, few enough to cost seconds.
ASKED: Final = 48
_SEED: Final = 1  # the same questions for every run, so that runs can be laid beside each other


def general_rows() -> dict[str, Conversation]:
    """Prompts of everyday kinds with short good answers, by language and place: ``en-1`` ... ``zh-24``."""
    rows = {}
    for language in LANGUAGES:
        for place, line in enumerate(read_lines(SAMPLES / "_general" / f"{language}.jsonl"), 1):
            told = parse_json(line)
            rows[f"{language}-{place}"] = plain_exchange(told["instruction"], told["output"], place)
    return rows


def collection_beside(trained: Iterable[str], language: str) -> str:
    """The name of a sample collection that holds none of the texts ``trained``; "" where each does.

    That in the ``language`` of the data comes first: what is forgotten is best seen in what the model is used for.
    """
    order = sorted(LANGUAGES, key=lambda own: own != ("zh" if language == "zh" else "en"))
    texts = {name: _texts(_whole(name)) for name in (f"faq-{one}" for one in order)}
    left = dict(texts)
    for text in trained:
        for name in [name for name, own in left.items() if text in own]:
            del left[name]
        if not left:
            return ""
    return next(iter(left))


def _texts(collection: Collection) -> frozenset[str]:
    bodies = (text for document in collection.corpus.values() for text in (document.full, document.text))
    return frozenset((*collection.queries.values(), *bodies))


def general_collection(name: str) -> Collection:
    """The sample ``name`` with all its documents and :data:`ASKED` of its questions."""
    whole = _whole(name)
    asked = sorted(random.Random(_SEED).sample(sorted(whole.queries), min(ASKED, len(whole.queries))))
    queries: Mapping[str, str] = {query: whole.queries[query] for query in asked}
    return Collection(whole.corpus, queries, {query: whole.qrels[query] for query in asked})


def _whole(name: str) -> Collection:
    """Of both splits: a run on the sample trains on the one and is measured on the other."""
    found = opened.open_dataset(Dataset(SAMPLE_PREFIX + name), lambda _problem: None)
    parts = [opened.read_collection(found, split, lambda _problem: None) for split in ("train", "test")]
    queries = {query: text for part in parts for query, text in part.queries.items()}
    qrels = {query: judged for part in parts for query, judged in part.qrels.items()}
    return Collection(parts[0].corpus, queries, qrels)
