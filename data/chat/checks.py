"""What is wrong with conversations beyond the order of their turns, and how many and how long they are, in one pass."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tunewiz.data.chat.cleaning import Placeholders
from tunewiz.data.chat.columns import RowColumns
from tunewiz.data.chat.labels import LabelChecks, ask_for_label, default_prompt, fill_prompt, order_labels
from tunewiz.data.checks.check import Setting
from tunewiz.data.checks.placed import END, Placed
from tunewiz.data.checks.text_checks import Characters
from tunewiz.data.dialogues.markup import chat_mark, split_dialogue, template_mark, without_control
from tunewiz.data.formats.format import Detection
from tunewiz.data.opening import opened
from tunewiz.data.reading.source import Row
from tunewiz.data.rows.conversations import Conversation, exchange_of, texts_of_conversation
from tunewiz.data.text.cleaning import strip_markup
from tunewiz.data.text.lengths import EVERYTHING, Advice, Kept, LengthSample, TokenCount, estimate_tokens
from tunewiz.problems import Findings, Problem, Where, error, note, say, warning

#: KTO learns from the difference of good and bad, and one in twenty of the other kind is hardly any: its authors advise
#: 1 : 1 to 4 : 3, weights included (Ethayarajh et al., 2024).
_ONE_SIDED: Final = 0.95
_BATCH: Final = 128  # rows looked at at once: enough that what a batch costs is little a row
_PART: Final = 20_000  # rows kept apart from the others, so that a long stream costs as much a row as a short one
_FEW_ANSWERS: Final = 0.05  # different answers a row, below which rows look like a classification
_SHORT_ANSWER: Final = 60  # characters; a label is a word or two, rarely a path of categories
_MANY_ROWS: Final = 50  # among fewer, two or three answers that repeat are no pattern


class ConversationChecks:
    """Looks at conversations as they stream by, a batch at a time; memory: some hundreds of bytes a row, no texts.

    Findings go to ``placed``. ``turns`` counts conversations by their number of answers, ``labels`` rows by label.
    """

    def __init__(
        self, file: str, placed: Placed, repeats: bool = True, placeholders: bool = True, sketching: bool = True
    ) -> None:
        self.turns: Counter[int] = Counter()
        self.labels = LabelChecks(file)
        self._file = file
        self._placed = placed
        self._characters = Characters(Setting(file))
        self._placeholders = Placeholders({}, file) if placeholders else None
        self.rows = RowColumns(sketching) if repeats else None
        self._sketching = sketching
        self._part = RowColumns(sketching)
        self._judged: Counter[bool] = Counter()
        self._answers: Counter[str] | None = Counter()
        self._batch: list[Conversation] = []

    def look(self, row: Conversation) -> None:
        """Take one more row."""
        self._batch.append(row)
        self._placed.row += 1
        if len(self._batch) >= _BATCH:
            self.finish_batch()

    def finish_batch(self) -> None:
        """Look at the rows that wait."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        first = self._placed.row - len(batch)
        parts = [texts_of_conversation(row) for row in batch]
        joined = "\n".join([text for own in parts for _, text in own])
        if not self._characters.passes(joined):
            for number, (row, own) in enumerate(zip(batch, parts, strict=True), first):
                self._found(self._characters.judge(own, Where(file=self._file, line=row.line)), number, 1)
        marked = "<" in joined or "[" in joined
        for number, row in enumerate(batch, first):
            self._look(row, number, marked)
        if self._placeholders is not None and "{{" in joined:
            for row in batch:
                self._placeholders.fill(row)
        if self.rows is not None:
            self._part.add(batch)
            if len(self._part) >= _PART:
                self.finish_part()

    def finish_part(self) -> None:
        """Put the rows since the last part to the others."""
        self.finish_batch()
        if self.rows is not None:
            self.rows.behind(self._part)
            self._part = RowColumns(self._sketching)

    def _look(self, row: Conversation, number: int, marked: bool) -> None:
        exchange = exchange_of(row)
        if exchange and not marked:
            self._look_at_exchange(row, exchange, number)
            return
        turns = row.turns
        self.turns[sum([turn.speaker in ("assistant", "call") for turn in turns])] += 1
        self.labels.look(row, number)
        self._count(row)
        said = turns[-1].text.strip() if turns else ""
        if turns and row.stage == "sft" and not row.label and said == row.question.strip():
            self._repeats_question(row, number)
        if marked or row.text:
            where = Where(file=self._file, line=row.line)
            self._found(_chat_marks(row, where), number, 5)
            texts = [without_control(text) for _, text in texts_of_conversation(row) if "</" in text]
            if any("</" in text and strip_markup(text) != text for text in texts):
                message = say("There is HTML in the text; it stays, as the model may be meant to write it.")
                self._placed.take(note("html", message, where), number, 6)

    def _look_at_exchange(self, row: Conversation, exchange: tuple[str, str], number: int) -> None:
        """What :meth:`_look` finds of a row that is a question and its answer, without signs of a template."""
        asked, said = exchange
        self.turns[1] += 1
        if self._answers is not None:
            self._count_answers({said.strip(): 1})
        if said[:1] == asked[:1] and said.strip() == asked.strip():
            self._repeats_question(row, number)

    def _repeats_question(self, row: Conversation, number: int) -> None:
        message = say("The answer repeats the question: there is nothing to learn.")
        where = Where(file=self._file, line=row.line)
        self._placed.take(warning("answer-equals-question", message, where, say("Take the row out.")), number, 4)

    def _found(self, problems: Iterable[Problem], number: int, step: int) -> None:
        for problem in problems:
            self._placed.take(problem, number, step)

    def _count(self, row: Conversation) -> None:
        if row.desirable is not None:
            self._judged[row.desirable] += 1
        if self._answers is not None and not row.label and row.stage == "sft" and row.turns:
            self._count_answers({row.turns[-1].text.strip(): 1})

    def _count_answers(self, answers: Mapping[str, int]) -> None:
        if self._answers is not None:
            self._answers.update(answers)
            # More different answers than a thousand are no labels, whatever the number of rows: counting them ends.
            if len(self._answers) > 1000 or any(len(answer) > _SHORT_ANSWER for answer in answers):
                self._answers = None

    def handed(self) -> ConversationChecks:
        """The same for another process, which needs no copy of what is known here."""
        self.finish_part()
        if self.rows is not None:
            self.rows.handed()
        self._part = RowColumns()
        self._placed = Placed()
        return self

    def behind(self, other: ConversationChecks) -> None:
        """Take what ``other`` saw of the rows that follow those of this one, but for the findings."""
        before = sum(self.turns.values())
        self.turns.update(other.turns)
        self.labels.behind(other.labels, before)
        self._judged.update(other._judged)
        if other._answers is None:
            self._answers = None
        else:
            self._count_answers(other._answers)
        if self._placeholders is not None and other._placeholders is not None:
            self._placeholders.behind(other._placeholders)
        if self.rows is not None and other.rows is not None:
            self.rows.behind(other.rows)

    def end(self) -> None:
        """Compare rows with each other, and look at the whole of them."""
        self.finish_part()
        placed = self._placed
        contradicting, contradiction = self.labels.contradictions()
        placed.many(contradicting, 2, contradiction)
        for rows, make in self.rows.repeated(self._file) if self.rows is not None else ():
            placed.many(rows, 3, make)
        for step, problems in enumerate(self._whole(), 1):
            for problem in problems:
                placed.take(problem, END, step)

    def _whole(self) -> Iterator[Iterable[Problem]]:
        yield self.rows.similar(self._file) if self.rows is not None else ()
        yield self._placeholders.problems() if self._placeholders is not None else ()
        yield self.labels.end()
        yield self._ends()

    def _ends(self) -> Iterator[Problem]:
        where, total = Where(file=self._file), sum(self._judged.values())
        if total and max(self._judged.values()) >= _ONE_SIDED * total:
            percent = round(100 * max(self._judged.values()) / total, 1)
            message = say("{percent} % of the judgments are the same.", percent=percent)
            yield warning("one-sided-judgments", message, where, say("KTO needs good and bad answers."))
        answers = self._answers or Counter()
        rows = sum(answers.values())
        if rows >= _MANY_ROWS and 2 <= len(answers) <= _FEW_ANSWERS * rows:
            message = say("There are only {count} different short answers: it looks like a classification.",
                       count=len(answers))  # fmt: skip
            fix = say("To measure accuracy and F1, map it: --map text=COLUMN --map label=COLUMN.")
            yield note("looks-like-labels", message, where, fix)


def _chat_marks(row: Conversation, where: Where) -> Iterator[Problem]:
    """Signs of a chat template inside texts, which the model would learn to write or to take for its own."""
    mark = chat_mark(row.text) if row.text else ""
    if mark:
        message = say("There is a chat written out in the text ({mark}), which is trained on as it stands.", mark=mark)
        fix = None
        if split_dialogue(row.text) is not None:
            fix = say("To train on its turns as a conversation: --format dialogue.")
        yield warning("chat-in-text", message, where, fix)
    inside = next((found for text in row.answers if (found := template_mark(text))), "")
    if inside:
        message = say("{mark} stands in an answer: a sign that only the chat template should write.", mark=inside)
        yield warning("control-tokens", message, where, say("Take such signs out; the template writes its own."))


PREVIEWED: Final = 5  # rows shown: what fits on a small terminal beside the findings
_LONGEST: Final = 20  # rows that may be told to be too long; more of them are a matter of the maximum length
_FAR: Final = 2  # times the maximum length that fits nearly all


@dataclass(frozen=True)
class Look:
    """What was seen.

    ``counts``: ``rows`` read, ``examples`` usable, ``stage:<stage>``, ``turns:median`` and ``turns:most`` (answers a
    conversation), ``system`` and ``tools`` (rows that have them), ``label:<label>``. ``preview`` maps roles to texts.
    """

    counts: Mapping[str, int]
    preview: tuple[Mapping[str, str], ...]
    conversations: tuple[Conversation, ...]
    advice: Advice | None


class ConversationLook:
    """Memory: some hundreds of bytes a row, and the first few rows."""

    def __init__(self, detection: Detection, count: TokenCount | None, kept: Kept = EVERYTHING) -> None:
        self.rows = 0
        self.sample = LengthSample(count, limits=kept.limits)
        self.placed = Placed()
        self._detection = detection
        self._counts: Counter[str] = Counter()
        self._first: list[Conversation] = []
        self._longest: list[tuple[int, int, int]] = []  # characters, the line below 0, and tokens; shortest first
        self._waiting: list[Conversation] = []
        self._checks = ConversationChecks(detection.source.name, self.placed, sketching=kept.sketching)

    @property
    def kept(self) -> Kept:
        """What there is to keep of the rows that follow."""
        return Kept(self._checks.rows is None or not self._checks.rows.full, self.sample.limits)

    def read(self, rows: Iterator[Row]) -> None:
        """Look at ``rows``."""
        for row in opened.conversations_of(self._detection, self.placed, rows):
            self._checks.look(row)
            self._waiting.append(row)
            if len(self._waiting) >= _BATCH:
                self._measure_waiting()
            if exchange_of(row):
                self._counts["stage:sft"] += 1
            else:
                self._counts[f"stage:{row.stage}"] += 1
                self._counts.update(name for name in ("system", "tools") if getattr(row, name))
            if len(self._first) < PREVIEWED:
                self._first.append(row)
        self._measure_waiting()
        self._checks.finish_part()

    def seen(self) -> Any:
        """What was seen, to be handed to another process."""
        checks = self._checks.handed()
        return self.rows, self.placed, self.sample.measured(), checks, self._counts, self._first, self._longest

    def behind(self, seen: Any) -> None:
        """Take what was seen of the rows that follow."""
        rows, placed, sample, checks, counts, first, longest = seen
        self.rows += rows
        self.placed.behind(placed)
        self.sample.take(sample)
        self._checks.behind(checks)
        self._counts.update(counts)
        self._first += first[: PREVIEWED - len(self._first)]
        self._longest = heapq.nlargest(_LONGEST, [*self._longest, *longest])
        heapq.heapify(self._longest)

    def end(self, findings: Findings) -> Look:
        """What all rows tell; findings go to the ``findings``."""
        checks = self._checks
        checks.end()
        self.placed.flush(findings)
        usable = sum(checks.turns.values())
        labels = order_labels(checks.labels.counts)
        prompt = default_prompt(row.question for row in self._first) if labels else ""
        extra = estimate_tokens(fill_prompt(prompt, "", labels)) if prompt else 0
        advice = self.sample.advice(extra)
        self._tell_whole(advice, extra, findings)
        if not usable and not findings.errors:
            message = say("No row can be used.") if self.rows else say("There are no rows.")
            fix = None
            if self.rows and findings.count("no-answer") == self.rows:
                message = say("No row has an answer: there is nothing to learn.")
                fix = say(
                    "Questions alone serve reinforcement learning (GRPO), which no preset trains. Write the answers, "
                    "or map the column that holds them."
                )
            findings(error("no-usable-rows", message, self._detection.source.at(), fix))
        first = tuple(ask_for_label(row, prompt, labels) for row in self._first)
        return Look(self._counted(checks, usable), tuple(map(preview, self._first)), first, advice)

    def _counted(self, checks: ConversationChecks, usable: int) -> dict[str, int]:
        counts = {"rows": self.rows, "examples": usable} | dict(self._counts)
        if any(checks.turns):
            counts |= {"turns:median": _median(checks.turns), "turns:most": max(checks.turns)}
        return counts | {f"label:{name}": checks.labels.counts[name] for name in order_labels(checks.labels.counts)}

    def _measure_waiting(self) -> None:
        """Lengths by role, and of the whole that a model reads at once."""
        rows, self._waiting = self._waiting, []
        parts = [texts_of_conversation(row) for row in rows]
        pairs = zip(parts, rows, strict=True)
        if not all(len(own) == 2 and own[1][0] == "answer" and not row.label for own, row in pairs):
            for row, own in zip(rows, parts, strict=True):
                self._measure(row, own)
            return
        lines = [row.line for row in rows]
        wholes = ["\n".join([text for _, text in own]) for own in parts]
        for number, role in enumerate(("question", "answer")):
            self.sample.add_all(role, [own[number][1] for own in parts], lines)
        self.sample.add_all("conversation", wholes, lines)
        for whole, line in zip(wholes, lines, strict=True):
            self._keep_longest(whole, line)

    def _measure(self, row: Conversation, parts: list[tuple[str, str]]) -> None:
        names = {"question": "text", "answer": "label"} if row.label else {}
        for role, text in parts if row.turns else ():
            self.sample.add(names.get(role, role), text, row.line)
        longer = max((row.chosen, row.rejected), key=len)
        whole = "\n".join([text for _, text in parts if text not in (row.chosen, row.rejected) or text == longer])
        self.sample.add("conversation" if row.turns else "text", whole, row.line)
        self._keep_longest(whole, row.line)

    def _keep_longest(self, whole: str, line: int) -> None:
        if len(self._longest) < _LONGEST or len(whole) > self._longest[0][0]:
            heapq.heappush(self._longest, (len(whole), -line, estimate_tokens(whole)))
            if len(self._longest) > _LONGEST:
                heapq.heappop(self._longest)

    def _tell_whole(self, advice: Advice | None, prompt: int, findings: Findings) -> None:
        """Rows of different kinds, what a prompt of ``prompt`` tokens takes, and lines far longer than ``advice``."""
        stages = [name.partition(":")[2] for name in self._counts if name.startswith("stage:")]
        where = self._detection.source.at()
        if len(stages) > 1:
            message = say("The rows are for different kinds of training: {kinds}.", kinds=tuple(stages))
            fix = say("Put each kind into a file of its own, or say which to train: stage in the preset.")
            findings(error("mixed-stages", message, where, fix))
        if prompt:
            message = say("The prompt that lists the labels adds about {tokens} tokens to each text.", tokens=prompt)
            findings(note("label-prompt", message, where, say("Another one can be set: data.prompt in the preset.")))
        for characters, line, tokens in sorted(self._longest, reverse=True) if advice else ():
            if advice and tokens > _FAR * advice.max_length:
                message = say(
                    "The row has {characters} characters, about {tokens} tokens; {limit} fit nearly all others.",
                    characters=characters,
                    tokens=tokens,
                    limit=advice.max_length,
                )
                fix = say("What is beyond the maximum length is cut off: shorten it, or take it out.")
                findings(note("very-long", message, self._detection.source.at(-line), fix))


def preview(row: Conversation) -> dict[str, str]:
    """The first question and answer (or what stands for them), role to text."""
    if row.text:
        return {"text": row.text}
    if row.label:
        return {"text": row.question, "label": row.label}
    if row.chosen:
        return {"question": row.question, "chosen": row.chosen, "rejected": row.rejected}
    if row.desirable is not None:
        return {"question": row.question, "answer": row.answer, "judgment": "+" if row.desirable else "-"}
    answer = next(iter(row.answers), "")
    return {"question": row.question, "answer": answer}


def _median(turns: Counter[int]) -> int:
    half, seen = sum(turns.values()) / 2, 0
    for count in sorted(turns):
        seen += turns[count]
        if seen >= half:
            return count
    return 0
