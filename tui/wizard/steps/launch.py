"""The launch: which GPUs and machines train together. Asked only where there is something to choose."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.widget import Widget

from tunewiz.language import N_
from tunewiz.presets.drafts.draft import Draft
from tunewiz.problems import Message, say
from tunewiz.tui.widgets.labels import Words
from tunewiz.tui.wizard.step import State, Step, View

if TYPE_CHECKING:
    from tunewiz.tui.wizard.machine import Machine


class LaunchStep(Step):
    """How many processes, on how many machines, and what they divide."""

    name = "launch"
    order = 65
    title = N_("Launch")
    intro = N_("There is more than one way to compute here; what stands there is right unless you share the machine.")
    keys = ("launch",)
    simple = ("launch.processes", "launch.strategy", "launch.nodes")
    lessons = ("memory", "batch-job")

    def has_a_choice(self, machine: Machine | None) -> bool:
        """With several GPUs, or a batch system."""
        return machine is not None and (len(machine.gpus) > 1 or machine.slurm)

    def view(self, advanced: bool) -> View:
        """The form, and what there is to choose from."""
        return LaunchView(self, advanced)


class LaunchView(View):
    """Says what this machine has and what each choice costs."""

    def above(self) -> Iterable[Widget]:
        """Filled in once the machine is known."""
        yield Words("", classes="view--intro", id="costs")

    async def show(self, state: State) -> None:
        """Show ``state``."""
        told = costs(state.machine, state.draft)
        self.query_one("#costs", Words).tell(lambda: "\n".join(one.text() for one in told))
        await super().show(state)


def costs(machine: Machine | None, draft: Draft) -> list[Message]:
    """What there is to choose from on ``machine``, a sentence each with what it costs."""
    if machine is None:
        return []
    told = []
    if len(machine.gpus) > 1:
        told = [
            say(
                "{free} of {count} GPUs are free. 1 process leaves the others to other people; auto takes all: faster, "
                "each with a part of the batch.",
                count=len(machine.gpus),
                free=len(machine.idle),
            ),
            say("ddp is fastest; zero2, zero3 and fsdp divide a language model that does not fit, and take longer."),
        ]
    if machine.slurm:
        name = str(draft.value(("name",)) or "PRESET")
        command = f"tunewiz run {shlex.quote(name)} --slurm gpus=1 time=4:00:00"
        told.append(
            say("Slurm is here: {command} hands the saved preset over; the job waits for its turn.", command=command)
        )
    return told
