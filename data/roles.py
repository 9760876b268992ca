"""The parts texts play, in words."""

from __future__ import annotations

from typing import Final

from data.language import N_

ROLES: Final = {
    "query": N_("query"),
    "positive": N_("positive"),
    "negative": N_("negative"),
    "first": N_("first text"),
    "second": N_("second text"),
    "document": N_("document"),
    "conversation": N_("conversation"),
    "system": N_("system prompt"),
    "question": N_("question"),
    "answer": N_("answer"),
    "chosen": N_("chosen answer"),
    "rejected": N_("rejected answer"),
    "judgment": N_("good"),
    "text": N_("text"),
    "label": N_("label"),
}
