"""Hard negatives for groups: search, leave out what is or may be right, keep the hardest that remain.

The margin against the positive's score follows NV-Retriever (Moreira et al., 2024). For a run they are mined once for
the same data, model and options, then kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tunewiz import paths
from tunewiz.backends.negatives import NONE, Encoder, Ranked, Searched, Strategy, Surroundings, catalogue
from tunewiz.backends.negatives.nearest import SHARES
from tunewiz.backends.runs.run import Run
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group
from tunewiz.data.text.duplicates import NEAR_THRESHOLD, NearDuplicates, normal, normals
from tunewiz.files import read_json, write_json, write_jsonl
from tunewiz.presets.sections.data import Negatives
from tunewiz.problems import Message, Problem, note, say, warning

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tunewiz.backends.negatives import Floats, Integers

    Flags = npt.NDArray[np.bool_]

#: Queries that are searched, filtered and chosen for at once: some ten MB of candidates, whatever their number.
_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class Counts:
    """What happened to the candidates, and to how many queries.

    ``known`` were positives of the query, ``margin`` scored too close to a positive, ``alike`` nearly repeat a
    positive's text, ``skipped`` stood in the top ranks that the preset passes over. ``short`` queries got fewer than
    wanted, ``missing`` negatives in all.
    """

    queries: int
    passages: int
    mined: int
    known: int
    margin: int
    alike: int
    skipped: int
    short: int
    missing: int


class Passages(NamedTuple):
    """The texts searched, each once, and where their ids (if they have any) point."""

    texts: list[str]
    by_text: dict[str, int]
    by_id: dict[str, int]


def passages(groups: Sequence[Group], corpus: Sequence[tuple[str, str]] = ()) -> Passages:
    """The passages of ``corpus`` (id, text) and of ``groups``; texts that are the same to a reader count once."""
    texts: list[str] = []
    by_text: dict[str, int] = {}

    def placed(given: Iterable[str]) -> Iterator[int]:
        for text, key in _with_normals(given):
            place = by_text.setdefault(key, len(texts))
            if place == len(texts):
                texts.append(text)
            yield place

    by_id = dict(zip((name for name, _ in corpus), placed(text for _, text in corpus), strict=True))
    for _ in placed(text for group in groups for text in (*group.positives, *group.negatives)):
        pass
    return Passages(texts, by_text, by_id)


def _with_normals(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each text and :func:`normal` of it, found for many at once."""
    left = iter(texts)
    while some := list(islice(left, _AT_ONCE)):
        yield from zip(some, normals(some), strict=True)


def mine(
    groups: Sequence[Group], pool: Passages, strategy: Strategy, options: Negatives
) -> tuple[list[list[int]], Counts]:
    """For each group the numbers of its negatives in ``pool.texts``, hardest first, and the counts.

    Each query is searched once, however many groups ask it; its positives in any of them are never its negatives.
    """
    asked: dict[str, int] = {}
    rows = [asked.setdefault(key, len(asked)) for _, key in _with_normals(group.query for group in groups)]
    queries = [""] * len(asked)
    for row, group in zip(rows, groups, strict=True):
        queries[row] = group.query
    strategy.index(pool.texts)
    known = _Known(groups, rows, pool, list(asked))
    depth = min(len(pool.texts), options.candidates + options.skip_top + known.most)
    wanted = _wanted(groups, rows, options.per_query)
    choice = _Choice(pool.texts, known, wanted, strategy, options)
    chosen: list[list[int]] = [[] for _ in queries]
    for part, ranked in strategy.parts(queries, depth, _AT_ONCE, choice.agreement):
        for row, numbers in zip(part.tolist(), choice.best(part, ranked), strict=True):
            chosen[row] = numbers
    short = [max(0, count - len(found)) for count, found in zip(wanted, chosen, strict=True)]
    left_out = choice.left_out
    counted = Counts(
        queries=len(queries),
        passages=len(pool.texts),
        mined=sum(map(len, chosen)),
        known=left_out["known"],
        margin=left_out["margin"],
        alike=left_out["alike"],
        skipped=left_out["skipped"],
        short=sum(map(bool, short)),
        missing=sum(short),
    )
    return [chosen[row] for row in rows], counted


def merge_negatives(
    groups: Sequence[Group], chosen: Sequence[Sequence[int]], pool: Passages, per_query: int
) -> list[Group]:
    """``groups`` with mined negatives after their own, ``per_query`` in all (their own are all kept)."""
    result = []
    for group, numbers in zip(groups, chosen, strict=True):
        own = {normal(text) for text in group.negatives}
        new = [pool.texts[number] for number in numbers if normal(pool.texts[number]) not in own]
        new = new[: max(0, per_query - len(group.negatives))]
        # Teacher scores do not cover mined texts, and half of them would be worse than none.
        scores = () if new else group.negative_scores
        result.append(replace(group, negatives=(*group.negatives, *new), negative_scores=scores))
    return result


def _wanted(groups: Sequence[Group], rows: Sequence[int], per_query: int) -> list[int]:
    wanted = [0] * (max(rows, default=-1) + 1)
    for row, group in zip(rows, groups, strict=True):
        wanted[row] = max(wanted[row], per_query - len(group.negatives))
    return wanted


class _Known:
    """Which passages must not be negatives of which query: its positives, its own text, negatives it already has.

    ``asked`` are the queries as :func:`normal` has them.
    """

    def __init__(self, groups: Sequence[Group], rows: Sequence[int], pool: Passages, asked: Sequence[str]) -> None:
        self.positives: list[list[int]] = [[] for _ in asked]
        own: list[list[int]] = [[] for _ in asked]
        texts = (text for group in groups for text in (*group.positives, *group.negatives))
        places = (pool.by_text[key] for _, key in _with_normals(texts))
        for row, group in zip(rows, groups, strict=True):
            self.positives[row] += islice(places, len(group.positives))
            self.positives[row] += [pool.by_id[name] for name in group.positive_ids if name in pool.by_id]
            own[row] += islice(places, len(group.negatives))
        self.positives = [sorted(set(right)) for right in self.positives]
        for row, key in enumerate(asked):
            if key in pool.by_text:
                own[row].append(pool.by_text[key])
        self._barred = [sorted({*right, *rest}) for right, rest in zip(self.positives, own, strict=True)]
        self._size = len(pool.texts)
        self.most = max(map(len, self._barred), default=0)

    def among(self, found: Integers, part: Integers) -> Flags:
        """Which of ``found`` (queries, depth), of the queries ``part``, are barred."""
        import numpy as np

        rows, numbers = _pairs([self._barred[row] for row in part.tolist()])
        asked = np.arange(len(part), dtype=np.int64)[:, None] * self._size + found
        return np.isin(asked, rows * self._size + numbers) & (found >= 0)

    def scores(self, strategy: Strategy, part: Integers) -> Floats:
        """The mean score of the positives of each of the queries ``part``, nan where there is none."""
        import numpy as np

        rows, numbers = _pairs([self.positives[row] for row in part.tolist()])
        counts = np.bincount(rows, minlength=len(part))
        sums = np.bincount(rows, strategy.scores(rows, numbers), minlength=len(part))
        means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).astype(np.float32)
        return means


def _pairs(lists: Sequence[Sequence[int]]) -> tuple[Integers, Integers]:
    """The numbers in ``lists`` one after another, after the list that each is in."""
    import numpy as np

    counts = np.fromiter(map(len, lists), np.int64, len(lists))
    rows = np.repeat(np.arange(len(lists), dtype=np.int64), counts)
    return rows, np.fromiter(chain.from_iterable(lists), np.int64, len(rows))


def _filtered(
    ranked: Ranked, known: _Known, part: Integers, strategy: Strategy, options: Negatives
) -> tuple[Flags, dict[str, Flags]]:
    """Which candidates may be negatives; and which are known, within the margin, or in the skipped ranks.

    Ranks are counted without known positives. A positive that scores nothing sets no margin.
    """
    import numpy as np

    found = ranked.passages
    barred = known.among(found, part)
    candidates = (found >= 0) & ~barred
    rank = np.cumsum(candidates, axis=1)
    skipped = candidates & (rank <= options.skip_top)
    within = candidates & ~skipped & (rank <= options.skip_top + options.candidates)
    close = np.zeros_like(candidates)
    if ranked.comparable:
        limit = known.scores(strategy, part)
        limit = np.where(limit > 0, limit * (1 - options.relative_margin), np.inf)
        close = within & (ranked.scores > limit[:, None])
    return within & ~close, {"known": barred, "margin": close, "skipped": skipped}


class _Choice:
    """Takes the first candidates of each query that may be negatives and do not repeat one of its positives."""

    def __init__(
        self, texts: Sequence[str], known: _Known, wanted: Sequence[int], strategy: Strategy, options: Negatives
    ) -> None:
        import numpy as np

        self._texts, self._known, self._wanted = texts, known, wanted
        self._strategy, self._options = strategy, options
        self._sketches = NearDuplicates()
        self._places = np.full(len(texts), -1, dtype=np.int64)  # of passages among the sketches
        #: Candidates that were passed over, by why.
        self.left_out: Counter[str] = Counter()

    def agreement(self, part: Integers, whole: Ranked, some: Ranked) -> float:
        """Of the negatives that the queries ``part`` get from ``whole`` the share that they get from ``some``, too."""
        counted = self.left_out.copy()
        pairs = list(zip(self.best(part, whole), self.best(part, some), strict=True))
        self.left_out = counted  # nothing was mined yet
        return sum(len({*one} & {*other}) for one, other in pairs) / (sum(len(one) for one, _ in pairs) or 1)

    def best(self, part: Integers, ranked: Ranked) -> list[list[int]]:
        """The chosen passages of each of the queries ``part``.

        All queries take as many as they lack, then those are compared at once, until none lacks any or has more.
        """
        allowed, reasons = _filtered(ranked, self._known, part, self._strategy, self._options)
        self.left_out.update({name: int(flags.sum()) for name, flags in reasons.items()})
        found, rows = ranked.passages, part.tolist()
        chosen: list[list[int]] = [[] for _ in rows]
        left = {
            place: iter(found[place][allowed[place]].tolist())
            for place, row in enumerate(rows)
            if self._wanted[row] > 0
        }
        while left:
            asked, numbers = [], []
            for place, candidates in list(left.items()):
                more = list(islice(candidates, self._wanted[rows[place]] - len(chosen[place])))
                if not more:
                    del left[place]
                asked += [place] * len(more)
                numbers += more
            repeats = self._repeat([rows[place] for place in asked], numbers)
            self.left_out["alike"] += sum(repeats)
            for place, number, repeated in zip(asked, numbers, repeats, strict=True):
                if not repeated:
                    chosen[place].append(number)
        return chosen

    def _repeat(self, rows: Sequence[int], numbers: Sequence[int]) -> Sequence[bool]:
        """Of each query in ``rows`` whether the passage beside it nearly repeats a positive of its own."""
        import numpy as np

        owners, right = _pairs([self._known.positives[row] for row in rows])
        candidates = np.asarray(numbers, dtype=np.int64)[owners]
        near = self._sketches.similarities(self._sketched(candidates), self._sketched(right)) >= NEAR_THRESHOLD
        repeats: list[bool] = (np.bincount(owners[near], minlength=len(rows)) > 0).tolist()
        return repeats

    def _sketched(self, numbers: Integers) -> Integers:
        """Where the passages ``numbers`` are among the sketches."""
        import numpy as np

        new = np.unique(numbers[self._places[numbers] < 0])
        self._places[new] = len(self._sketches) + np.arange(len(new))
        for _, key in _with_normals(self._texts[number] for number in new.tolist()):
            self._sketches.add_plain(key)
        return self._places[numbers]


# Negatives for a run: mined once for the same data, model and options, then kept in the user's cache.


#: Raised when the way of mining changes, so that nothing old is taken from the cache.
_VERSION: Final = 3


@dataclass(frozen=True)
class _Mined:
    chosen: list[list[int]]
    counts: Counts
    searched: Searched | None
    cached: bool


def with_negatives(
    run: Run,
    prepared: Prepared,
    options: Negatives,
    seed: int,
    encoder: Callable[[], Encoder],
    corpus: bool = True,
    cache: Path | None = None,
    spare: int = 1,
) -> Prepared:
    """``prepared`` with mined negatives in its training groups; writes ``run.data / "negatives.jsonl"``.

    ``encoder`` is called if the strategy needs the model. ``corpus`` says whether a given corpus is searched beside the
    training passages (not where it belongs to evaluation data of its own). ``cache`` is by default the user's.
    ``spare`` times as many are mined where some will be dropped; who drops them tells where too few are left.
    """
    if options.strategy == NONE:
        return prepared
    if prepared.shape == "scored":
        message = say("Scored pairs have no queries to mine negatives for: none were mined.")
        run.notice(warning("negatives-not-mined", message, fix=say("Set data.negatives.strategy: none.")))
        return prepared
    documents = [(key, item.full) for key, item in prepared.evaluation.corpus.items()]
    given = documents if corpus and prepared.corpus == "given" else []
    pool = passages(prepared.groups, given)
    strategy = catalogue()[options.strategy](Surroundings(seed, encoder))
    options = options.model_copy(update={"per_query": spare * options.per_query})
    found = _cached_or_mined(prepared.groups, pool, strategy, options, cache or _user_cache())
    groups = merge_negatives(prepared.groups, found.chosen, pool, options.per_query)
    write_mined(run, [len(group.negatives) for group in prepared.groups], groups)
    for problem in _told(found, options):
        if spare == 1 or problem.code != "negatives-short":
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
    searched = strategy.searched
    write_json(path, {"chosen": chosen, "counts": asdict(counts), "searched": asdict(searched) if searched else None})
    return _Mined(chosen, counts, searched, cached=False)


def _read(path: Path, groups: int) -> _Mined | None:
    record = read_json(path)
    names = {field.name for field in fields(Counts)}
    if not isinstance(record, dict) or set(record.get("counts", {})) != names or len(record["chosen"]) != groups:
        return None
    searched = record.get("searched")
    return _Mined(record["chosen"], Counts(**record["counts"]), Searched(**searched) if searched else None, cached=True)


def _key(groups: Sequence[Group], pool: Passages, strategy: Strategy, options: Negatives) -> str:
    digest = hashlib.sha256()
    head = [_VERSION, strategy.name, strategy.identity(), options.model_dump()]
    digest.update(json.dumps(head, sort_keys=True).encode())
    for group in groups:
        record = [group.query, group.positives, group.negatives, group.positive_ids]
        digest.update(json.dumps(record).encode())
    digest.update(json.dumps([pool.texts, sorted(pool.by_id.items())]).encode())
    return digest.hexdigest()[:32]  # 128 bits: no two of a cache will ever be the same


def _user_cache() -> Path:
    return paths.cache() / "negatives"


def write_mined(run: Run, own: Sequence[int], groups: Sequence[Group]) -> None:
    """What was mined for each of ``groups``, beside as many of the data's own as ``own`` says."""

    def records() -> Any:
        for count, group in zip(own, groups, strict=True):
            mined = list(group.negatives[count:])
            yield {"query": group.query, "query_id": group.query_id, "negatives": mined, "line": group.line}

    write_jsonl(run.data / "negatives.jsonl", records())


def _told(mined: _Mined, options: Negatives) -> list[Problem]:
    """What was mined and how, and a warning when many queries got too few."""
    counts = mined.counts
    message = say(
        "{strategy} found {mined} hard negatives for {queries} queries among {passages} passages. Left out: {known} "
        "known answers, {margin} within the margin of one, {alike} that nearly repeat one, {skipped} in the top ranks.",
        strategy=options.strategy,
        **{name: getattr(counts, name) for name in ("mined", "queries", "passages", "known", "margin")},
        alike=counts.alike,
        skipped=counts.skipped,
    )
    found = [note("negatives-mined", message)]
    if mined.searched:
        found.append(note("negatives-searched", _how(mined.searched)))
    if mined.cached:
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


def _how(searched: Searched) -> Message:
    """How the search was shortened, or that it could not be."""
    numbers = {
        "sample": searched.sample,
        "negatives": f"{searched.negatives:.1%}",
        "candidates": f"{searched.candidates:.1%}",
    }
    if searched.share < 1:
        return say(
            "Each query was compared with about {share} of the passages, those most likely to be near. On {sample} "
            "queries that were compared with all, this found {negatives} of their negatives and {candidates} of their "
            "candidates.",
            share=f"{searched.share:.1%}",
            **numbers,
        )
    return say(
        "Each query was compared with all passages: on {sample} queries the {share} most likely to be near held only "
        "{negatives} of the negatives and {candidates} of the candidates.",
        share=f"{SHARES[-1]:.1%}",
        **numbers,
    )
