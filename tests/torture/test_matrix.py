"""``make torture``: the child of every engine is killed in every stage, between file operations and at any moment.

After each kill the run is resumed. It must end with the measures and, bit for bit, the model of a run that nobody
killed, with the same files and nothing half written. ``TUNEWIZ_KILLS`` is the number of kills a stage (3 unless said).
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.torture.cases import LANGUAGE, RETRIEVAL, copied, finished, hashes, libraries, loads, measured, tree
from tests.torture.killing import Child
from tunewiz.backends.runs.create import create
from tunewiz.backends.runs.events import STAGES

pytestmark = [pytest.mark.torture, pytest.mark.timeout(4 * 3600)]

KILLS: Final = int(os.environ.get("TUNEWIZ_KILLS", "3"))
#: Measures of a run that was killed may differ by this much; on one machine they do not differ at all.
TOLERANCE: Final = 1e-3
TABLE: Final[list[str]] = []
#: Where the runs lie that these go through.
INSIDE: Final = {"pipeline": "embedding", "comparison": "variants/random"}


class Case(NamedTuple):
    """An engine's run that is not begun, what runs it, and the same run when nobody kills it."""

    name: str
    child: Child
    run: Path
    whole: Path
    seconds: float


@pytest.fixture(scope="module", params=[*RETRIEVAL, *LANGUAGE])
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_llm: Path
) -> Iterator[Case]:
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    made = RETRIEVAL.get(name) or LANGUAGE[name]
    run = create(made(folder, tiny_encoder if name in RETRIEVAL else tiny_llm), folder / "runs", "x").directory
    with Child(*libraries(name)) as child:
        begun = time.monotonic()
        whole = finished(child, copied(run, "whole"))
        yield Case(name, child, run, whole, time.monotonic() - begun)


def close(one: object, other: object) -> bool:
    """Whether two records of measures agree, numbers within the tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(close, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= TOLERANCE
    return one == other


def resumed(case: Case, run: Path) -> tuple[bool, bool, list[str]]:
    """After the run has gone on: whether its measures agree, its model is the same, and what is left over."""
    finished(case.child, run)
    loads(run)
    there, expected = set(tree(run)), set(tree(case.whole))
    same = close(measured(run), measured(case.whole)), hashes(run / "model") == hashes(case.whole / "model")
    shutil.rmtree(run.parent)
    return *same, sorted(there ^ expected)


def spread(count: int, most: int) -> list[int]:
    """At most ``most`` numbers of ``count`` operations, from the first to the last."""
    most = min(most, count)
    return sorted({round(place * (count - 1) / max(1, most - 1)) for place in range(most)})


def told(case: Case, where: str, operations: int, ends: list[tuple[bool, bool, list[str]]]) -> None:
    """A line of the table; then what must hold."""
    measures, bits = sum(end[0] for end in ends), sum(end[1] for end in ends)
    left = sorted({name for end in ends for name in end[2]})
    TABLE.append(
        f"| {case.name} | {where} | {operations or ''} | {len(ends)} | {measures} | {bits} | {', '.join(left) or '0'} |"
    )
    assert (measures, bits, left) == (len(ends), len(ends), [])


def killed_in(case: Case, stage: str) -> None:
    name = stage.replace("/", "-")
    watched = copied(case.run, f"{name}-watched")
    operations = case.child.run(watched, stage).operations
    shutil.rmtree(watched.parent)
    ends = []
    for number in spread(len(operations), KILLS):
        run = copied(case.run, f"{name}-{number}")
        assert case.child.run(run, stage, number).status == -9
        ends.append(resumed(case, run))
    told(case, stage, len(operations), ends)


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_before_any_file_operation(case: Case, stage: str) -> None:
    killed_in(case, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_within_a_run_inside_a_run(case: Case, stage: str) -> None:
    """The embedding model of a pipeline, the first variant of a comparison."""
    if case.name not in INSIDE:
        pytest.skip("a run with no other inside")
    killed_in(case, f"{INSIDE[case.name]}/{stage}")


def test_a_kill_at_any_moment(case: Case) -> None:
    draw = random.Random(7)
    ends = []
    for number in range(KILLS):
        run = copied(case.run, f"moment-{number}")
        # Twice: what goes on after a kill is killed, too.
        for _ in range(2):
            case.child.run(run, after=draw.uniform(0.1, case.seconds))
        ends.append(resumed(case, run))
    told(case, "any moment", 0, ends)
