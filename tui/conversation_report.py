"""What is told of rows for a language model: kind of training, turns, labels, a conversation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tunewiz.data.inspection import Inspection
from tunewiz.data.rows.conversations import Conversation
from tunewiz.language import N_, translate
from tunewiz.printable import printable

_STAGES: Final = {
    "sft": N_("supervised fine-tuning"),
    "pretrain": N_("continued pre-training"),
    "preference": N_("preference tuning (DPO and the like)"),
    "kto": N_("KTO"),
}
_SPEAKERS: Final = {
    "system": N_("system"),
    "tools": N_("tools"),
    "user": N_("user"),
    "assistant": N_("assistant"),
    "call": N_("tool call"),
    "tool": N_("tool"),
    "chosen": N_("chosen answer"),
    "rejected": N_("rejected answer"),
    "good": N_("good answer"),
    "bad": N_("bad answer"),
}
_LABELS: Final = 8
_TURNS: Final = 8
_CHARACTERS: Final = 280


def facts(inspection: Inspection) -> Iterator[tuple[str, str]]:
    """Lines of the table of facts: a label (untranslated) and what to say."""
    counts = inspection.counts
    stages = {name.partition(":")[2]: number for name, number in counts.items() if name.startswith("stage:")}
    if stages:
        yield N_("Training"), ", ".join(translate(_STAGES[name]) for name in stages)
    if counts.get("turns:most", 0) > 1:
        told = translate("median {median}, at most {most} answers a conversation")
        yield N_("Turns"), told.format(median=counts["turns:median"], most=counts["turns:most"])
    if counts.get("system"):
        yield N_("System"), translate("{rows} rows with a system prompt").format(rows=f"{counts['system']:,}")
    if counts.get("tools"):
        yield N_("Tools"), translate("{rows} rows with tools").format(rows=f"{counts['tools']:,}")
    labels = {name.partition(":")[2]: number for name, number in counts.items() if name.startswith("label:")}
    if labels:
        yield N_("Labels"), _labels(labels)


def _labels(labels: dict[str, int]) -> str:
    """How many there are, and the commonest with their rows."""
    ordered = sorted(labels.items(), key=lambda item: -item[1])
    shown = ", ".join(f"{printable(name, 40)} {number:,}" for name, number in ordered[:_LABELS])
    rest = " …" if len(ordered) > _LABELS else ""
    return f"{len(labels)}: {shown}{rest}"


def conversation(inspection: Inspection) -> RenderableType | None:
    """The first conversation, turn by turn; of several turns rather than one, where there is such a one."""
    if not inspection.conversations:
        return None
    row = max(inspection.conversations, key=lambda one: min(len(one.turns), 4))
    parts = list(_parts(row))
    lines: list[RenderableType] = []
    for speaker, text in parts[:_TURNS]:
        lines.append(Text(translate(_SPEAKERS[speaker]), style="bold"))
        lines.append(Padding(Text(printable(text, _CHARACTERS)), (0, 0, 0, 2), expand=False))
    if len(parts) > _TURNS:
        lines.append(Text(translate("{count} more turns").format(count=len(parts) - _TURNS), style="dim"))
    return Group(*lines) if lines else None


def _parts(row: Conversation) -> Iterator[tuple[str, str]]:
    if row.system:
        yield "system", row.system
    if row.tools:
        yield "tools", row.tools
    for turn in row.turns:
        yield turn.speaker, turn.text
    if row.chosen:
        yield "chosen", row.chosen
        yield "rejected", row.rejected
    if row.desirable is not None:
        yield "good" if row.desirable else "bad", row.answer
