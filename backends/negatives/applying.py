"""Negatives for a run: mined once for the same data, model and options, then kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from backends.negatives import NONE, catalogue
from backends.negatives.base import Encoder, Strategy, Surroundings
from backends.negatives.mining import Counts, Passages, merged, mine, passages
from backends.runs.run import Run
from data.examples import Group
from data.files import read_json, write_json, write_jsonl
from data.prepared import Prepared
from data.problems import Problem, note, say, warning
from presets.sections.data import Negatives

#: Raised when the way of mining changes, so that nothing old is taken from the cache.
_VERSION: Final = 1


@dataclass(frozen=True)
class _Mined:
    chosen: list[list[int]]
    counts: Counts
    cached: bool


def with_negatives(
    run: Run,
    prepared: Prepared,
    options: Negatives,
    seed: int,
    encoder: Callable[[], Encoder],
    corpus: bool = True,
    cache: Path | None = None,
) -> Prepared:
    """``prepared`` with mined negatives in its training groups; writes ``run.data / "negatives.jsonl"``.

    ``encoder`` is called if the strategy needs the model. ``corpus`` says whether a given corpus is searched beside the
    training passages (not where it belongs to evaluation data of its own). ``cache`` is by default the user's.
    """
    if options.strategy == NONE:
        return prepared
    if prepared.shape == "scored":
        told = say("Scored pairs have no queries to mine negatives for: none were mined.")
        run.notice(warning("negatives-not-mined", told, fix=say("Set data.negatives.strategy: none.")))
        return prepared
    documents = [(key, item.full) for key, item in prepared.evaluation.corpus.items()]
    given = documents if corpus and prepared.corpus == "given" else []
    pool = passages(prepared.groups, given)
    strategy = catalogue()[options.strategy](Surroundings(seed, encoder))
    found = _cached_or_mined(prepared.groups, pool, strategy, options, cache or _user_cache())
    groups = merged(prepared.groups, found.chosen, pool, options.per_query)
    _write(run.data / "negatives.jsonl", prepared.groups, groups)
    for problem in told_of(found.counts, options, found.cached):
        run.notice(problem)
    counts = {f"negatives_{name}": value for name, value in asdict(found.counts).items()}
    return replace(prepared, groups=groups, counts={**prepared.counts, **counts})


def _cached_or_mined(
    groups: Sequence[Group], pool: Passages, strategy: Strategy, options: Negatives, cache: Path
) -> _Mined:
    path = cache / f"{_key(groups, pool, strategy, options)}.json"
    kept = _read(path, len(groups))
    if kept:
        return kept
    chosen, counts = mine(groups, pool, strategy, options)
    write_json(path, {"chosen": chosen, "counts": asdict(counts)})
    return _Mined(chosen, counts, cached=False)


def _read(path: Path, groups: int) -> _Mined | None:
    record = read_json(path)
    names = {field.name for field in fields(Counts)}
    if not isinstance(record, dict) or set(record.get("counts", {})) != names or len(record["chosen"]) != groups:
        return None
    return _Mined(record["chosen"], Counts(**record["counts"]), cached=True)


def _key(groups: Sequence[Group], pool: Passages, strategy: Strategy, options: Negatives) -> str:
    digest = hashlib.sha256()
    head = [_VERSION, strategy.name, strategy.identity(), options.model_dump()]
    digest.update(json.dumps(head, sort_keys=True).encode())
    for group in groups:
        record = [group.query, group.positives, group.negatives, group.positive_ids]
        digest.update(json.dumps(record).encode())
    digest.update(json.dumps([pool.texts, sorted(pool.by_id.items())]).encode())
    return digest.hexdigest()[:32]


def _user_cache() -> Path:
    """As the XDG Base Directory Specification says."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return folder / "tunewiz" / "negatives"


def _write(path: Path, before: Sequence[Group], after: Sequence[Group]) -> None:
    def records() -> Any:
        for old, new in zip(before, after, strict=True):
            mined = list(new.negatives[len(old.negatives) :])
            yield {"query": new.query, "query_id": new.query_id, "negatives": mined, "line": new.line}

    write_jsonl(path, records())


def told_of(counts: Counts, options: Negatives, cached: bool) -> list[Problem]:
    """What was mined, and a warning when many queries got too few."""
    told = say(
        "{strategy} found {mined} hard negatives for {queries} queries among {passages} passages. Left out: {known} "
        "known answers, {margin} within the margin of one, {alike} that nearly repeat one, {skipped} in the top ranks.",
        strategy=options.strategy,
        **{name: getattr(counts, name) for name in ("mined", "queries", "passages", "known", "margin")},
        alike=counts.alike,
        skipped=counts.skipped,
    )
    found = [note("negatives-mined", told)]
    if cached:
        found.append(note("negatives-cached", say("The same negatives were mined before and taken from the cache.")))
    if counts.short:
        few = say(
            "{short} of {queries} queries got fewer than {wanted} negatives ({missing} are missing).",
            short=counts.short,
            queries=counts.queries,
            wanted=options.per_query,
            missing=counts.missing,
        )
        fix = say("Raise data.negatives.candidates, or lower relative_margin, skip_top or per_query.")
        found.append(warning("negatives-short", few, fix=fix))
    return found
