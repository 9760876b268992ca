"""The launch is a step of its own only where there is something to choose; elsewhere its keys are asked with others."""

from __future__ import annotations

import pytest

from tunewiz.backends.machine.hardware import Gpu
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.yaml.library import load
from tunewiz.tui.forms.questions import Question
from tunewiz.tui.wizard.machine import Machine
from tunewiz.tui.wizard.step import State, owner, questions_of, steps_for
from tunewiz.tui.wizard.steps.launch import costs

pytestmark = pytest.mark.usefixtures("in_english")
DRAFT = Draft.of(load("embedding/starter"))


def cards(count: int, used: int = 0) -> tuple[Gpu, ...]:
    return tuple(Gpu(index=number, name="A", memory_total=80 << 30, memory_used=used) for number in range(count))


@pytest.mark.parametrize(
    ("machine", "asked"),
    [(None, False), (Machine(), False), (Machine(gpus=cards(1)), False), (Machine(gpus=cards(2)), True),
     (Machine(slurm=True), True)],
)  # fmt: skip
def test_the_step_is_there_where_there_is_a_choice(machine: Machine | None, asked: bool) -> None:
    names = [step.name for step in steps_for(DRAFT, machine)]
    assert ("launch" in names) == asked
    assert names[-1] == "review"
    place = owner(("launch", "processes"), machine)
    assert place.name == ("launch" if asked else "method")
    keys = {".".join(one.path) for one in questions_of(place, DRAFT, True, machine) if isinstance(one, Question)}
    assert {"launch.processes", "launch.device", "launch.strategy"} <= keys, "no key is lost"
    assert State(DRAFT, machine=machine).steps == steps_for(DRAFT, machine)


def test_few_fields_are_asked_and_each_choice_has_its_price() -> None:
    machine = Machine(gpus=(*cards(7), *cards(1, used=40 << 30)), slurm=True)
    simple = questions_of(owner(("launch",), machine), DRAFT, False, machine)
    assert [".".join(one.path) for one in simple if isinstance(one, Question)] == [
        "launch.processes", "launch.strategy", "launch.nodes",
    ]  # fmt: skip
    told = [one.text() for one in costs(machine, DRAFT)]
    assert told[0].startswith("7 of 8 GPUs are free.")
    assert "take longer" in told[1]
    assert "tunewiz run" in told[2]
    assert "--slurm" in told[2]
    assert costs(Machine(gpus=cards(1)), DRAFT) == []
