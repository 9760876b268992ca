"""A cross-encoder as teacher: its scores of each query's passages sort out mined ones that are right, or are learned.

Mined passages that score as high as a right one are mostly right answers that nobody has marked (RocketQA; Qu et al.,
2021); what the others score tells a bi-encoder more than right and wrong do. Scores are kept in the user's cache by
the teacher's weights and the texts, so that another run with the same teacher reads each pair once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from tunewiz import paths
from tunewiz.backends import sources
from tunewiz.backends.models.run_models import ranking, tuned_folder
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.backends.sources.source import loss_model, size_of
from tunewiz.data.retrieval.prepared import Prepared
from tunewiz.data.rows.examples import Group
from tunewiz.presets.preset import RetrievalPreset
from tunewiz.presets.sections.data import Teacher
from tunewiz.presets.yaml.library import load
from tunewiz.problems import BadPreset, Problem, TunewizError, Where, error, note, say, warning

if TYPE_CHECKING:
    from tunewiz.backends.evaluate.measuring import MeasureOptions

Pair = tuple[str, str]  # a query and a passage
KEY: Final = "data.teacher.model"
SPARE: Final = 2  # times as many passages are mined where some of them will be dropped
_CHUNK: Final = 2048  # pairs between two times that scores are put by
_FIRST: Final = 64  # pairs from which the time of all is foretold
_LONG: Final = 60.0  # seconds from which it is told
_MOST_KEPT: Final = 1 << 22  # pairs of a teacher in the cache: 80 MB


# Who teaches.


@dataclass(frozen=True)
class Found:
    """The teacher's folder, and where a run tuned it the preset, and whether it came out ``worse`` than no reranker."""

    name: str
    folder: Path
    preset: RetrievalPreset | None = None
    worse: bool = False


def run_of(name: str, places: Sequence[Path]) -> Run | None:
    """The run that ``name`` means: its directory, or its name in one of ``places``; ``None`` where it means none."""
    folder = Path(name).expanduser()
    if (folder / "preset.yaml").is_file():
        return Run(folder.absolute())
    if "/" in name:
        return None
    for place in places:
        try:
            return find(name, place)
        except TunewizError:
            continue
    return None


def find_teacher(name: str, places: Sequence[Path] = ()) -> Found:
    """The reranker that ``name`` means; ``places`` are folders of runs, besides the usual one.

    A hub's model is downloaded if need be. Raises :class:`BadPreset` (``teacher-no-reranker``, ``teacher-no-head``,
    ``nothing-tuned``) and ``ModelUnavailable``.
    """
    run = run_of(name, [*places, runs_dir()])
    if run is not None:
        part = ranking(run, load(str(run.preset_file)))
        if part is None:
            message = say("The run {name} tuned no reranker, and only one can teach.", name=run.name)
            raise BadPreset(error("teacher-no-reranker", message, Where(KEY), _fix()))
        worse = read_state(run).verdict == "REGRESSION"
        return Found(run.name, _with_head(tuned_folder(part[0]), run.name), part[1], worse)
    return Found(name, _with_head(sources.fetch(sources.resolve(loss_model(name))), name))


def _with_head(folder: Path, name: str) -> Path:
    from tunewiz.backends.models.loading import has_head

    if has_head(folder):
        return folder
    message = say("{name} gives no scores: it is no reranker, and a head drawn at random teaches nothing.", name=name)
    raise BadPreset(error("teacher-no-head", message, Where(KEY), _fix()))


def _fix() -> Any:
    return say("Name a run of the task reranker or pipeline, or a reranker such as BAAI/bge-reranker-base.")


def named_problems(wanted: Teacher) -> Iterator[Problem]:
    """What keeps the teacher from being loaded, and what it takes, without a download."""
    if wanted.model is None:
        return
    try:
        run = run_of(wanted.model, [runs_dir()])
        located = None if run is not None else sources.resolve(loss_model(wanted.model))
        if located is not None and not located.cached:
            return
        found = find_teacher(wanted.model)
    except TunewizError as fault:
        yield from (replace(problem, where=Where(KEY)) for problem in fault.problems)
        return
    message = say(
        "The teacher {name} ({size} GB) scores each query with its passages before training, is given back then, and "
        "its scores are kept.",
        name=found.name,
        size=round(size_of(found.folder) / 1e9, 2),
    )
    yield note("teacher", message, Where(KEY))
    if found.worse:
        yield _worse(found)


def _worse(found: Found) -> Problem:
    """That its own report advises against it."""
    message = say("The teacher {name} measured worse than the search without it: it may drop what is wrong and teach "
                  "what is wrong.", name=found.name)  # fmt: skip
    return warning("teacher-worse", message, Where(KEY), say("Take a better reranker; `tunewiz report` tells of one."))


# What its scores do.


@dataclass(frozen=True)
class Counts:
    """``dropped`` mined passages scored too high; so did ``doubtful`` wrong ones of the data's own, which stay."""

    pairs: int
    known: int
    dropped: int
    doubtful: int
    short: int
    seconds: float


def with_teacher(
    run: Run, prepared: Prepared, own: Sequence[int], preset: RetrievalPreset, options: MeasureOptions
) -> Prepared:
    """``prepared`` with mined passages that the teacher takes for right left out, or with its scores, or both.

    ``own`` says how many wrong passages of each group are the data's own: they come first and always stay. Raises what
    :func:`find_teacher` and loading raise.
    """
    wanted = preset.data.teacher
    if wanted.model is None:
        return prepared
    if prepared.shape == "scored":
        message = say("Scored pairs have no wrong passages that the teacher could look through: it was not asked.")
        run.notice(warning("teacher-not-asked", message, fix=say("Set data.teacher.model: null.")))
        return prepared
    found = find_teacher(wanted.model, [run.directory.parent, run.directory.parent.parent])
    if found.worse:
        run.notice(_worse(found))
    pairs = list(dict.fromkeys(pairs_of(prepared.groups)))
    begun = time.monotonic()
    scores, known = _scored(run, found, pairs, options)
    groups, dropped, doubtful, short = [], 0, 0, 0
    for group, count in zip(prepared.groups, own, strict=True):
        most = max(count, preset.data.negatives.per_query)
        kept, gone = looked_through(group, count, scores, wanted) if wanted.filters else (list(group.negatives), 0)
        doubtful += sum(_too_high(group, text, scores, wanted) for text in group.negatives[:count])
        dropped += gone
        short += bool(gone) and len(kept) < most
        groups.append(_taught(group, kept[:most], scores, wanted))
    counts = Counts(len(pairs), known, dropped, doubtful, short, time.monotonic() - begun)
    for problem in told(found, counts, wanted, preset.data.negatives.per_query):
        run.notice(problem)
    mined = sum(max(0, len(group.negatives) - count) for group, count in zip(groups, own, strict=True))
    numbers = {"teacher_pairs": counts.pairs, "teacher_dropped": dropped, "negatives_mined": mined}
    return replace(prepared, groups=groups, counts={**prepared.counts, **numbers})


def pairs_of(groups: Sequence[Group]) -> Iterator[Pair]:
    """Each query with each of its passages."""
    for group in groups:
        for text in (*group.positives, *group.negatives):
            yield group.query, text


def looked_through(group: Group, own: int, scores: Mapping[Pair, float], wanted: Teacher) -> tuple[list[str], int]:
    """The wrong passages that stay, in their order, and how many mined ones were dropped."""
    kept = [text for place, text in enumerate(group.negatives)
            if place < own or not _too_high(group, text, scores, wanted)]  # fmt: skip
    return kept, len(group.negatives) - len(kept)


def _too_high(group: Group, text: str, scores: Mapping[Pair, float], wanted: Teacher) -> bool:
    """Whether ``text`` scores above the mean of the right passages less the margin."""
    right = fmean(scores[group.query, positive] for positive in group.positives)
    return scores[group.query, text] > right - wanted.margin


def _taught(group: Group, kept: Sequence[str], scores: Mapping[Pair, float], wanted: Teacher) -> Group:
    if not wanted.teaches:
        whole = len(kept) == len(group.negatives)
        return replace(group, negatives=tuple(kept), negative_scores=group.negative_scores if whole else ())
    return replace(
        group,
        negatives=tuple(kept),
        positive_scores=tuple(scores[group.query, text] for text in group.positives),
        negative_scores=tuple(scores[group.query, text] for text in kept),
    )


def told(found: Found, counts: Counts, wanted: Teacher, per_query: int) -> Iterator[Problem]:
    """What the teacher did, what it took, and what should be looked at."""
    yield note(
        "teacher-scored",
        say(
            "The teacher {name} ({size} GB) scored {pairs} pairs of query and passage in {seconds} s; {known} of them "
            "were known.",
            name=found.name,
            size=round(size_of(found.folder) / 1e9, 2),
            pairs=counts.pairs,
            seconds=round(counts.seconds, 1),
            known=counts.known,
        ),
    )
    if wanted.filters:
        message = say(
            "{dropped} mined passages were dropped: the teacher scores them above the right one less {margin}.",
            dropped=counts.dropped,
            margin=wanted.margin,
        )
        yield note("teacher-filtered", message)
    if counts.doubtful:
        message = say("The teacher takes {count} wrong passages of the data itself for right; they stay wrong.",
                      count=counts.doubtful)  # fmt: skip
        yield note(
            "teacher-doubts", message, fix=say("Look at a few of them: the labels may be wrong, or the teacher.")
        )
    if counts.short:
        message = say("{count} queries have fewer than {wanted} negatives after the teacher looked through them.",
                      count=counts.short, wanted=per_query)  # fmt: skip
        fix = say("Raise data.negatives.candidates, or lower data.teacher.margin.")
        yield warning("teacher-short", message, Where("data.teacher.margin"), fix)


# Scores, kept by what they hang on.


def _scored(run: Run, found: Found, pairs: Sequence[Pair], options: MeasureOptions) -> tuple[dict[Pair, float], int]:
    """The teacher's score of each pair, and how many were known; the model is loaded for those that were not."""
    from tunewiz.backends.models.encoding import fingerprint

    length = found.preset.training.max_length if found.preset is not None else 0
    mark = hashlib.sha256(f"{fingerprint(found.folder)} {length}".encode()).hexdigest()[:32]
    kept = Kept(paths.cache() / "teacher" / f"{mark}.npz")
    missing = [pair for pair in pairs if kept.get(pair) is None]
    if missing:
        _ask(run, found, missing, kept, options)
    return {pair: float(kept.get(pair) or 0.0) for pair in pairs}, len(pairs) - len(missing)


def _ask(run: Run, found: Found, missing: Sequence[Pair], kept: Kept, options: MeasureOptions) -> None:
    from tunewiz.backends.models.batching import EncodeOptions
    from tunewiz.backends.models.loading import load_reranker
    from tunewiz.backends.models.reranking import ready_to_score

    model = load_reranker(found.folder, found.preset, options.device)
    done, begun = 0, time.monotonic()

    def progress(part: int, _of: int) -> None:
        options.progress(done + part, len(missing))

    with ready_to_score(model, EncodeOptions(most=options.batch_size), progress, options.check_stop) as scorer:
        while done < len(missing):
            # The first of them tell how long all will take: in an order that long texts do not lead.
            chunk = missing[done : done + (_CHUNK if done else _FIRST)]
            kept.add(chunk, scorer.scores(chunk).tolist())
            done += len(chunk)
            if done == _FIRST < len(missing):
                _foretell(run, len(missing), (time.monotonic() - begun) / done)


def _foretell(run: Run, pairs: int, each: float) -> None:
    if pairs * each > _LONG:
        message = say("The teacher has {pairs} pairs to read, which will take about {minutes} minutes here.",
                      pairs=pairs, minutes=round(pairs * each / 60, 1))  # fmt: skip
        fix = say("Fewer: lower data.negatives.per_query, or data.limit.")
        run.notice(note("teacher-time", message, fix=fix))


class Kept:
    """Scores by the hash of query and passage, in one file that holds whatever it last held whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scores: dict[bytes, float] = _read(path)

    def get(self, pair: Pair) -> float | None:
        """The score, if it is known."""
        return self._scores.get(_key(pair))

    def add(self, pairs: Sequence[Pair], scores: Sequence[float]) -> None:
        """Take scores, and put all by unless they are too many; a cache that cannot be written to costs only time."""
        self._scores.update(zip(map(_key, pairs), scores, strict=True))
        if len(self._scores) > _MOST_KEPT:
            return
        import numpy as np

        table = np.frombuffer(b"".join(self._scores), np.uint8).reshape(-1, 16)
        temporary = self._path.with_name(f".{self._path.stem}.part.npz")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(temporary, keys=table, scores=np.array(list(self._scores.values()), np.float32))
            temporary.replace(self._path)
        except OSError:
            temporary.unlink(missing_ok=True)


def _read(path: Path) -> dict[bytes, float]:
    from zipfile import BadZipFile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as kept:
            keys = [row.tobytes() for row in kept["keys"]]
            return dict(zip(keys, map(float, kept["scores"]), strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}  # nothing there, or half written: asked anew


def _key(pair: Pair) -> bytes:
    told = f"{len(pair[0])} {pair[0]}{pair[1]}"
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()
