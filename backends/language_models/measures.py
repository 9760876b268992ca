"""Measures of a language model on held-out rows, the same before and after: losses, labels, written answers."""

from __future__ import annotations

import math
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from tunewiz.backends.evaluate.records import Measured
from tunewiz.backends.language_models.encoded_rows import IGNORED, Tokens, encode_row, row_prompt
from tunewiz.backends.language_models.learned_places import is_narrow, learned_places
from tunewiz.backends.language_models.loaded_model import Loaded
from tunewiz.data.chat.labels import fill_prompt
from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.data.text.language import is_chinese
from tunewiz.presets.sections.evaluation import LlmEvaluation

# How near written answers come to the expected ones: BLEU-4 and ROUGE-L, Chinese cut into words first.
#
# ``bleu4`` is sacrebleu's sentence BLEU with up to four-grams, exponential smoothing and its own tokenizer for Chinese;
# ``rouge_l`` the F-measure of the longest common subsequence of words (Lin, 2004), jieba's for Chinese. Both are from 0
# to 1. They compare wording, not truth.


CLOSENESS: Final = ("bleu4", "rouge_l")


def closeness(written: str, expected: str) -> dict[str, float]:
    """``bleu4`` and ``rouge_l`` of one answer, 0 to 1; both 0 for an empty one."""
    chinese = is_chinese(expected)
    found, wanted = _words(written, chinese), _words(expected, chinese)
    if not found or not wanted:
        return dict.fromkeys(CLOSENESS, 0.0)
    return {"bleu4": _bleu(written, expected, chinese), "rouge_l": _rouge(found, wanted)}


def _bleu(written: str, expected: str, chinese: bool) -> float:
    from sacrebleu.metrics.bleu import BLEU

    bleu = BLEU(tokenize="zh" if chinese else "13a", effective_order=True)
    return float(bleu.sentence_score(written, [expected]).score) / 100


def _rouge(found: Sequence[str], wanted: Sequence[str]) -> float:
    from rouge_chinese import Rouge

    scores = Rouge(metrics=["rouge-l"]).get_scores(" ".join(found), " ".join(wanted))
    return float(scores[0]["rouge-l"]["f"])


def _words(text: str, chinese: bool) -> list[str]:
    if not chinese:
        return text.lower().split()
    import jieba

    jieba.setLogLevel("WARNING")
    return [word for word in jieba.cut(text) if word.strip()]


# Classification by answers: which label a written answer names, and how often that is right.


INVALID: Final = ""
#: What may stand around a label.
EDGES: Final = re.compile(r"^[\s\"'`“”‘’*.。:：,，]+|[\s\"'`“”‘’*.。:：,，]+$")


def named_label(answer: str, labels: Sequence[str]) -> str:
    """The label that ``answer`` is, whatever its case, quotes and closing marks; :data:`INVALID` for any other text."""
    lines = answer.strip().splitlines()
    text = _plain(lines[0]) if lines else ""
    return next((label for label in labels if _plain(label) == text), INVALID)


def _plain(text: str) -> str:
    return EDGES.sub("", text).casefold()


def label_scores(expected: Sequence[str], found: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """``accuracy``, ``macro_f1`` (over labels that occur), the share of ``invalid`` answers, and ``confusion``.

    ``confusion[label][answer]`` counts; an invalid answer stands there as "".
    """
    pairs = Counter(zip(expected, found, strict=True))
    occurring = [label for label in labels if label in set(expected) | set(found)]
    each = []
    for label in occurring:
        right = pairs[label, label]
        wanted = sum(count for (gold, _), count in pairs.items() if gold == label)
        given = sum(count for (_, answer), count in pairs.items() if answer == label)
        each.append(2 * right / (wanted + given) if wanted + given else 0.0)
    confusion: dict[str, dict[str, int]] = {}
    for (gold, answer), count in sorted(pairs.items()):
        confusion.setdefault(gold, {})[answer] = count
    total = max(1, len(expected))
    return {
        "accuracy": sum(pairs[label, label] for label in set(expected)) / total,
        "macro_f1": sum(each) / max(1, len(each)),
        "invalid": sum(answer == INVALID for answer in found) / total,
        "confusion": confusion,
    }


# Answers a model writes: greedy, so that the same model gives the same answer.


def greedy_answers(
    loaded: Loaded,
    prompts: Sequence[Sequence[int]],
    most: int,
    batch_size: int,
    progress: Callable[[int, int], None],
) -> list[str]:
    """The answer to each prompt (token ids), at most ``most`` tokens, without what ends it."""
    import torch

    found = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    tokenizer, device = loaded.tokenizer, loaded.inner.device
    padding = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        longest = max(len(prompts[place]) for place in batch)
        rows = [[padding] * (longest - len(prompts[place])) + list(prompts[place]) for place in batch]
        mask = [[0] * (longest - len(prompts[place])) + [1] * len(prompts[place]) for place in batch]
        # Not inference_mode: what a layer keeps from it could not serve a training that goes on afterwards.
        with torch.no_grad():
            written = loaded.model.generate(
                input_ids=torch.tensor(rows, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=most,
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=loaded.stops,
                pad_token_id=padding,
            )
        texts = tokenizer.batch_decode(written[:, longest:], skip_special_tokens=True)
        for place, text in zip(batch, texts, strict=True):
            found[place] = text.strip()
        progress(min(start + batch_size, len(order)), len(order))
    return found


# The loss of each row: the mean negative log-likelihood of the tokens that training counts, in nats.


#: Scores of the vocabulary held at once, in numbers of 4 bytes (1 GiB).
_SCORES: Final = 1 << 28


def row_losses(
    loaded: Loaded, rows: Sequence[Tokens], batch_size: int, progress: Callable[[int, int], None]
) -> list[float]:
    """One loss a row, in the order of ``rows``; not a number for a row without counted tokens.

    Batches are made of rows of similar length and cut where their scores would take too much memory, which changes
    speed and never the result.
    """
    import torch

    found = [float("nan")] * len(rows)
    model = loaded.inner
    done = 0
    with torch.inference_mode():
        for batch in _batches(rows, batch_size, int(model.config.get_text_config().vocab_size)):
            for place, loss in zip(batch, _batch_losses(loaded, [rows[place] for place in batch]), strict=True):
                found[place] = loss
            done += len(batch)
            progress(done, len(rows))
    return found


def _batches(rows: Sequence[Tokens], most: int, vocabulary: int) -> Iterator[list[int]]:
    counted = [place for place in range(len(rows)) if rows[place].counted]
    batch: list[int] = []
    for place in sorted(counted, key=lambda place: len(rows[place].ids)):
        longest = len(rows[place].ids)
        if batch and (len(batch) == most or (len(batch) + 1) * longest * vocabulary > _SCORES):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _batch_losses(loaded: Loaded, rows: Sequence[Tokens]) -> list[float]:
    import torch
    from torch.nn.functional import cross_entropy

    ids, mask, labels = _tensors(loaded, rows)
    # Only scores at places whose next token counts are computed, where the model can leave the others out.
    wanted = learned_places(labels)
    # With virtual tokens before the text, places differ from those of the text.
    shifted = getattr(getattr(loaded.model, "active_peft_config", None), "is_prompt_learning", False)
    narrow = not shifted and is_narrow(loaded.inner)
    options: dict[str, Any] = {"logits_to_keep": wanted} if narrow else {}
    scores = loaded.model(input_ids=ids, attention_mask=mask, use_cache=False, **options).logits
    scores = (scores if narrow else scores[:, -ids.shape[1] :][:, wanted]).float()
    next_ones = labels[:, wanted + 1]
    each = cross_entropy(scores.transpose(1, 2), next_ones, ignore_index=IGNORED, reduction="none")
    counts = (next_ones != IGNORED).sum(dim=1)
    return [float(value) for value in (each.sum(dim=1, dtype=torch.float64) / counts).tolist()]


def _tensors(loaded: Loaded, rows: Sequence[Tokens]) -> tuple[Any, Any, Any]:
    """Ids, mask and labels, padded on the right."""
    import torch

    longest, padding = max(len(row.ids) for row in rows), loaded.tokenizer.pad_token_id or 0
    ids = torch.tensor([[*row.ids, *[padding] * (longest - len(row.ids))] for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    labels = torch.tensor([[*row.labels, *[IGNORED] * (longest - len(row.labels))] for row in rows])
    device = loaded.inner.device
    return ids.to(device), mask.to(device), labels.to(device)


Progress = Callable[[int, int], None]


@dataclass
class HeldOutMeasures:
    """``metrics`` by name, ``per_query`` by row and name, and what was written. Rows are named by their place."""

    metrics: dict[str, float] = field(default_factory=dict)
    per_query: dict[str, dict[str, float]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, rows: Mapping[str, float], name: str) -> None:
        """A measure of each row, and its mean."""
        for row, value in rows.items():
            self.per_query.setdefault(row, {})[name] = value
        if rows:
            self.metrics[name] = fmean(rows.values())

    def save(self, file: Path) -> None:
        """Write it as JSON (:class:`~tunewiz.backends.evaluate.records.Measured`)."""
        count = len(self.per_query)
        record = Measured(
            metrics=self.metrics, seconds=self.seconds, queries=count, **self.details, per_query=self.per_query
        )
        record.write(file)


def drawn(rows: Sequence[Conversation], count: int, seed: int) -> list[int]:
    """At most ``count`` places of ``rows``, in order; the same for the same seed."""
    return sorted(random.Random(seed).sample(range(len(rows)), min(count, len(rows))))


def measure(
    loaded: Loaded, prepared: PreparedLlm, options: LlmEvaluation, seed: int, progress: Progress
) -> HeldOutMeasures:
    """Every measure that the rows allow."""
    begun, found = time.monotonic(), HeldOutMeasures()
    places = drawn(prepared.evaluation, options.rows, seed)
    rows = {str(place): prepared.evaluation[place] for place in places}
    if prepared.stage == "preference":
        _pairs(loaded, rows, options, found, progress)
    elif prepared.stage == "kto":
        _judged(loaded, rows, options, found, progress)
    else:
        found.add(_losses(loaded, rows, options, progress), "loss")
        if "loss" in found.metrics:
            # e to the 710th is beyond a double; a loss above a few dozen says no more than "broken" anyway.
            found.metrics["perplexity"] = math.exp(min(700.0, found.metrics["loss"]))
    if prepared.labels:
        _labels(loaded, rows, prepared, options, found, progress)
    elif prepared.stage != "pretrain" and options.answers:
        some = [str(places[place]) for place in drawn([rows[str(place)] for place in places], options.answers, seed)]
        _written(loaded, {name: rows[name] for name in some}, options, found, progress)
    found.seconds = time.monotonic() - begun
    return found


def _losses(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, progress: Progress, side: str = "answer"
) -> dict[str, float]:
    """The loss of each row with tokens that count."""
    tokens = [encode_row(loaded, row)[side] for row in rows.values()]
    losses = row_losses(loaded, tokens, options.batch_size, progress)
    return {name: loss for name, loss in zip(rows, losses, strict=True) if math.isfinite(loss)}


def _pairs(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, found: HeldOutMeasures, progress: Progress
) -> None:
    """Whether the chosen answer is the likelier one by the mean of its tokens, and by how much (nats a token)."""
    chosen = _losses(loaded, rows, options, progress, "chosen")
    rejected = _losses(loaded, rows, options, progress, "rejected")
    both = [name for name in chosen if name in rejected]
    found.add({name: float(rejected[name] > chosen[name]) for name in both}, "preference_accuracy")
    found.add({name: rejected[name] - chosen[name] for name in both}, "preference_margin")
    found.add(chosen, "chosen_loss")


def _judged(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, found: HeldOutMeasures, progress: Progress
) -> None:
    """How much likelier liked answers are than disliked ones: each row's log-likelihood a token, with its sign."""
    losses = _losses(loaded, rows, options, progress)
    signs = {name: 1.0 if rows[name].desirable else -1.0 for name in losses}
    found.add({name: -signs[name] * losses[name] for name in losses}, "kto_margin")
    liked = {name: loss for name, loss in losses.items() if signs[name] > 0}
    if liked:
        found.metrics["liked_loss"] = fmean(liked.values())


def _labels(
    loaded: Loaded,
    rows: Mapping[str, Conversation],
    prepared: PreparedLlm,
    options: LlmEvaluation,
    found: HeldOutMeasures,
    progress: Progress,
) -> None:
    """Greedy answers, no longer than the longest label and a little, compared with the labels.

    Beside them what the commonest label of the training rows would reach if it were the answer to everything.
    """
    labels = prepared.labels
    longest = max(len(loaded.tokenizer.encode(label, add_special_tokens=False)) for label in labels)
    prompts = [row_prompt(loaded, row) for row in rows.values()]
    # Four tokens beyond the longest label: quotes or a line end around it, the full stop, and the end of the turn.
    written = greedy_answers(loaded, prompts, longest + 4, options.batch_size, progress)
    given = [named_label(answer, labels) for answer in written]
    gold = [row.label for row in rows.values()]
    told_of = label_scores(gold, given, labels)
    found.add({name: float(one == other) for name, one, other in zip(rows, gold, given, strict=True)}, "accuracy")
    found.metrics |= {name: told_of[name] for name in ("macro_f1", "invalid")}
    found.details |= {"confusion": told_of["confusion"], "labels": list(labels)}
    most = Counter(row.label for row in prepared.train).most_common(1)
    if most:
        label = most[0][0]
        found.details["majority"] = {label: sum(one == label for one in gold) / max(1, len(gold))}
    texts = {name: replace(row, turns=_bare(row.turns, prepared)) for name, row in rows.items()}
    found.details["answers"] = shown(texts, written)


def _bare(turns: Sequence[Turn], prepared: PreparedLlm) -> tuple[Turn, ...]:
    """``turns`` whose first is the text that is classified, without the prompt around it, which is every row's."""
    head, _, tail = fill_prompt(prepared.prompt, _MARK, prepared.labels).partition(_MARK)
    first = turns[0].text if turns else ""
    if not (first.startswith(head) and first.endswith(tail) and len(first) >= len(head) + len(tail)):
        return tuple(turns)
    return (replace(turns[0], text=first[len(head) : len(first) - len(tail)]), *turns[1:])


#: What no text holds.
_MARK: Final = "\0"


def _written(
    loaded: Loaded, rows: Mapping[str, Conversation], options: LlmEvaluation, found: HeldOutMeasures, progress: Progress
) -> None:
    """Answers beside the expected ones."""
    prompts = [row_prompt(loaded, row) for row in rows.values()]
    written = greedy_answers(loaded, prompts, options.max_new_tokens, options.batch_size, progress)
    near = {name: closeness(answer, _expected(row)) for (name, row), answer in zip(rows.items(), written, strict=True)}
    for measure in CLOSENESS:
        found.add({name: values[measure] for name, values in near.items()}, measure)
    found.details["answers"] = shown(rows, written)


def _expected(row: Conversation) -> str:
    return row.chosen or row.answer or (row.turns[-1].text if row.turns else row.text)


def shown(rows: Mapping[str, Conversation], written: Sequence[str]) -> dict[str, dict[str, str]]:
    """What was asked, what was expected and what was written, by the name of the row."""
    told = {}
    for (name, row), answer in zip(rows.items(), written, strict=True):
        asked = row.turns[-2:-1] if row.stage == "sft" else row.turns[-1:]
        told[name] = {"prompt": asked[0].text if asked else "", "expected": _expected(row), "answer": answer}
    return told
