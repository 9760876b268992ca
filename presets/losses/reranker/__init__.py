"""Losses of rerankers, one file each, found by file name: how a cross-encoder learns to put right documents first."""

from __future__ import annotations

from typing import Annotated

from pydantic import SerializeAsAny, WrapValidator

from presets.losses import chosen
from presets.losses.reranker.base import RerankerLoss

#: A field that holds any of them: ``loss: list_net`` or ``loss: {name: list_net}``.
AnyRerankerLoss = Annotated[SerializeAsAny[RerankerLoss], WrapValidator(chosen(RerankerLoss))]
