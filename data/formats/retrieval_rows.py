"""Rows for retrieval: pairs, triplets, n-tuples, queries with lists of positives and negatives, and scored pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from tunewiz.data.formats.choices import counted, right_places, texts_offered
from tunewiz.data.formats.format import Detection, Mapped, RetrievalFormat, Role, Shape
from tunewiz.data.formats.several import LISTED, PARALLEL, cut_at, one_by_one
from tunewiz.data.reading.cells import Cells, Table, is_empty, parse_nested, score_of
from tunewiz.data.reading.columns import guesses, normalise_name
from tunewiz.data.reading.expressions import value_at
from tunewiz.data.reading.scales import label_word, word_worth
from tunewiz.data.reading.source import Row
from tunewiz.data.rows.examples import Group, ScoredPair, plain_group
from tunewiz.language import N_
from tunewiz.problems import Report, Where, error, say, warning


class GroupFormat(RetrievalFormat):
    """Formats whose records are a query with its positives and negatives."""

    shape: ClassVar[Shape] = "groups"

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """A :class:`Group` for each row that has a query and a positive."""
        if detection.marks.get(detection.column("query")) == PARALLEL:
            yield from one_by_one(detection, rows)
            return
        asked_in = (*detection.mapping.get("query", ()), *detection.mapping.get("similar", ()))
        several = "similar" in detection.mapping or any(column in detection.marks for column in asked_in)
        asked, answered = _two_columns(detection)
        for row in rows:
            query, positive = row.values.get(asked), row.values.get(answered)
            # Two texts that are seen at a glance to be neither blank nor lists: nearly every row.
            if type(query) is type(positive) is str and query[:1].isalnum() and positive[:1].isalnum():
                yield plain_group(query, positive, row.line)
                continue
            cells = Cells(detection.source, row, report)
            group = self._group(detection, cells)
            if group is None:
                continue
            if not several:
                yield group
                continue
            for place, query in enumerate(_ways_to_ask(detection, cells)):
                yield replace(group, query=query, query_id="" if place else group.query_id)

    def _group(self, detection: Detection, cells: Cells) -> Group | None:
        mapping = detection.mapping
        query_column = mapping["query"][0]
        listed = detection.marks.get(query_column) == LISTED
        query = "" if listed else cells.text(query_column)
        if query is None:
            return None
        if not query and (listed or "similar" in mapping):
            query = next(iter(_ways_to_ask(detection, cells)), "")
        if not query:
            self._empty(cells, "empty-query", query_column)
            return None
        positives = _texts_of(detection, cells, "positive")
        if not positives:
            self._empty(cells, "empty-positive", detection.column("positive"))
            return None
        group = Group(query, tuple(positives), line=cells.row.line)
        more = _MORE & mapping.keys()
        return replace(group, **_beside(detection, cells, len(positives))) if more else group

    @staticmethod
    def _empty(cells: Cells, code: str, column: str) -> None:
        message = say("The column {column} is empty; the row is left out.", column=column)
        cells.report(warning(code, message, _at(cells)))


def _two_columns(detection: Detection) -> tuple[str, str]:
    """The columns of query and positive, where rows have nothing else."""
    columns = [names[0] for names in detection.mapping.values() if len(names) == 1]
    only = detection.mapping.keys() == {"query", "positive"} and len(columns) == 2 and not detection.marks
    return (detection.column("query"), detection.column("positive")) if only else ("", "")


#: Roles beside the query and its positives.
_MORE: Final = frozenset(
    ("negative", "positive_scores", "negative_scores", "query_id", "document_id", "instruction")
)  # fmt: skip


def _beside(detection: Detection, cells: Cells, positives: int) -> dict[str, Any]:
    """What a row has beside its query and its ``positives``, by field of :class:`Group`."""
    negatives = _texts_of(detection, cells, "negative")
    if detection.mapping.get("negative") and not negatives:
        message = say("The column {column} is empty; the row has no negative.", column=detection.column("negative"))
        cells.report(warning("empty-negative", message, _at(cells)))
    return {
        "negatives": tuple(negatives),
        "positive_scores": _scores(detection, cells, "positive_scores", positives),
        "negative_scores": _scores(detection, cells, "negative_scores", len(negatives)),
        "query_id": _optional(detection, cells, "query_id"),
        "positive_ids": _ids(detection, cells, positives),
        "instruction": _optional(detection, cells, "instruction"),
    }


def _ways_to_ask(detection: Detection, cells: Cells) -> list[str]:
    """The query, or the queries that its cell holds, and those of columns with other ways to ask the same."""
    column = detection.column("query")
    texts = [(column, text) for text in cells.texts((column,))]
    texts += [(name, text) for name in detection.mapping.get("similar", ()) for text in cells.texts((name,))]
    parts = [part for name, text in texts for part in _parts(text, detection.marks.get(name, ""))]
    return list(dict.fromkeys(filter(None, parts)))


def _texts_of(detection: Detection, cells: Cells, role: str) -> list[str]:
    """The texts of a role, those that stand in one cell with a mark between them each by itself."""
    columns = detection.mapping.get(role, ())
    if not any(column in detection.marks for column in columns):
        return cells.texts(columns)
    found = [
        part
        for column in columns
        for text in cells.texts((column,))
        for part in _parts(text, detection.marks.get(column, ""))
    ]
    return [part for part in found if part]


def _parts(text: str, mark: str) -> list[str]:
    return [part.strip() for part in cut_at(text, mark)] if mark else [text]


def _at(cells: Cells) -> Where:
    return cells.source.at(cells.row.line)


def _optional(detection: Detection, cells: Cells, role: str) -> str:
    column = detection.column(role)
    return (cells.text(column) or "") if column else ""


def _ids(detection: Detection, cells: Cells, count: int) -> tuple[str, ...]:
    found = cells.texts(detection.mapping.get("document_id", ()))
    return tuple(found) if len(found) == count else ()


def _scores(detection: Detection, cells: Cells, role: str, count: int) -> tuple[float, ...]:
    column = detection.column(role)
    return cells.scores(column, count) if column else ()


# Pairs: a query and a text that answers it.


class Pairs(GroupFormat):
    """One query and one positive a row."""

    name: ClassVar[str] = "pairs"
    title: ClassVar[str] = N_("Pairs")
    description: ClassVar[str] = N_("A query and a text that answers it in each row; other rows serve as negatives.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive"),
        Role("similar", required=False, many=True),
        Role("query_id", required=False),
        Role("document_id", required=False),
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Several questions to one text may stand in a list."""
        return super().fits(role, column, table) or (role.name == "query" and table.kind(column) == "texts")


# Triplets: a query, a text that answers it and one that does not.


class Triplets(GroupFormat):
    """One query, one positive and one negative a row."""

    name: ClassVar[str] = "triplets"
    title: ClassVar[str] = N_("Triplets")
    description: ClassVar[str] = N_("A query, a text that answers it and a text that does not, in each row.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive"),
        Role("negative"),
        Role("query_id", required=False),
        Role("document_id", required=False),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Exactly one negative column."""
        return len(mapping["negative"]) == 1


# N-tuples: a query, a text that answers it and several that do not.


class Ntuples(GroupFormat):
    """One query, one positive and several negatives a row, in columns of their own or as a list."""

    name: ClassVar[str] = "ntuples"
    title: ClassVar[str] = N_("N-tuples")
    description: ClassVar[str] = N_(
        "A query, a text that answers it and several that do not (negative_1, negative_2 …)."
    )
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive"),
        Role("negative", many=True),
        Role("negative_scores", required=False),
        Role("query_id", required=False),
        Role("document_id", required=False),
        Role("instruction", required=False),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Several negative columns, or one of lists."""
        return len(mapping["negative"]) > 1 or table.kind(mapping["negative"][0]) == "texts"


# FlagEmbedding's layout: ``{"query": str, "pos": [str], "neg": [str]}`` with optional scores and prompt.


class QueryPosNeg(GroupFormat):
    """One query with lists of positives and negatives a row."""

    name: ClassVar[str] = "query_pos_neg"
    title: ClassVar[str] = N_("Query with lists")
    description: ClassVar[str] = N_(
        "A query with lists of texts that answer it (pos) and that do not (neg), as FlagEmbedding."
    )
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive", many=True),
        Role("negative", required=False, many=True),
        Role("positive_scores", required=False),
        Role("negative_scores", required=False),
        Role("instruction", required=False),
        Role("query_id", required=False),
        Role("document_id", required=False, many=True),
    )

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """Positives in lists, or in several columns."""
        return len(mapping["positive"]) > 1 or table.kind(mapping["positive"][0]) == "texts"


# GritLM's and Instructor's layout: an instruction and a text in place of each text.


class Instructed(GroupFormat):
    """A query with lists of positives and negatives a row, each a pair of an instruction and a text."""

    name: ClassVar[str] = "instructed"
    cuts: ClassVar[bool] = False
    title: ClassVar[str] = N_("Texts with instructions")
    description: ClassVar[str] = N_("A query, pos and neg, each text of which is a pair: an instruction and the text.")
    roles: ClassVar[tuple[Role, ...]] = (
        Role("query"),
        Role("positive", many=True),
        Role("negative", required=False, many=True),
    )

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Pairs throughout, whose instructions are empty or come again."""
        pairs = [_instructed(value_at(row.values, column), role.name != "query") for row in table.rows]
        if role.name == "query" and any(found is not None and len(found) > 1 for found in pairs):
            return False
        filled = [pair for found in pairs for pair in found or ()]
        told = {instruction for instruction, _ in filled if instruction}
        return bool(filled) and None not in pairs and (len(pairs) < 2 or 2 * len(told) <= len(filled))

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """As :meth:`fits`, also where the user maps them."""
        return all(self.fits(role, mapping[role.name][0], table) for role in self.roles[:2])

    def settled(self, mapping: Mapped, table: Table) -> Mapped:
        """Negatives, however deep their lists."""
        beside = [guess.column for guess in guesses("negative", table.columns)]
        wrong = tuple(column for column in beside if table.values(column) and self.fits(self.roles[2], column, table))
        return {**mapping, "negative": wrong} if wrong else mapping

    def _group(self, detection: Detection, cells: Cells) -> Group | None:
        query = _instructed(value_at(cells.row.values, detection.column("query")))
        if not query or not query[0][1]:
            self._empty(cells, "empty-query", detection.column("query"))
            return None
        documents = {
            role: [pair for name in detection.mapping.get(role, ())
                   for pair in _instructed(value_at(cells.row.values, name), True) or () if pair[1]]
            for role in ("positive", "negative")
        }  # fmt: skip
        if not documents["positive"]:
            self._empty(cells, "empty-positive", detection.column("positive"))
            return None
        if any(instruction for pairs in documents.values() for instruction, _ in pairs):
            message = say("Instructions of documents are not used; only a query has one.")
            cells.report(warning("document-instruction", message, _at(cells)))
        texts = {role: tuple(text for _, text in pairs) for role, pairs in documents.items()}
        return Group(query[0][1], texts["positive"], texts["negative"], instruction=query[0][0], line=cells.row.line)


def _instructed(value: Any, plain: bool = False) -> list[tuple[str, str]] | None:
    """The pairs of instruction and text that a cell holds, one or a list of them; None where it holds something else.

    With ``plain``, a list that is no pair may be of texts without instructions.
    """
    found = parse_nested(value)
    if plain and isinstance(found, list) and len(found) != 2 and all(isinstance(item, str) for item in found):
        return [("", item) for item in found]
    if is_empty(found):
        return []
    if not isinstance(found, list):
        return None
    pairs = found if all(isinstance(item, list) for item in found) else [found]
    if not all(1 <= len(pair) <= 2 and all(isinstance(part, str) for part in pair) for pair in pairs):
        return None
    if any(len(pair) < 2 for pair in pairs) and pairs[0] is found:
        return None
    return [("" if len(pair) < 2 else pair[0].strip(), pair[-1]) for pair in pairs]


# Multiple choice: a question, and which of several texts is the right one.


class MultipleChoice(GroupFormat):
    """One question a row with its choices; the right one is the positive, the others are the negatives."""

    name: ClassVar[str] = "multiple_choice"
    title: ClassVar[str] = N_("Multiple choice")
    description: ClassVar[str] = N_(
        "A question with its choices and which of them is right in each row; the others serve as negatives."
    )
    roles: ClassVar[tuple[Role, ...]] = (Role("query"), Role("choices", many=True), Role("right"))

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Choices stand in lists, objects, or columns of their own."""
        return role.name != "query" or super().fits(role, column, table)

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """The column of right ones names one of the choices."""
        return not table.rows or bool(counted(table, mapping["choices"], mapping["right"][0]))

    def _group(self, detection: Detection, cells: Cells) -> Group | None:
        query = cells.text(detection.column("query"))
        if not query:
            self._empty(cells, "empty-query", detection.column("query"))
            return None
        texts = texts_offered(cells.row.values, detection.mapping["choices"])
        offered, first = detection.mapping["choices"], detection.first or 0
        right = right_places(cells.row.values, offered, detection.column("right"), first)
        if not right:
            message = say("The column {column} names none of the choices; the row is left out.",
                          column=detection.column("right"))  # fmt: skip
            cells.report(warning("no-choice", message, _at(cells)))
            return None
        wrong = [text for place, text in enumerate(texts) if text and place not in right]
        return Group(query, tuple(texts[place] for place in right), tuple(wrong), line=cells.row.line)


# Texts that mean the same, in one list.


class Alike(RetrievalFormat):
    """A list of texts a row that all mean the same, as ``{"set": [...]}``: the first is the query of the others."""

    name: ClassVar[str] = "alike"
    title: ClassVar[str] = N_("Texts that mean the same")
    description: ClassVar[str] = N_(
        "A list of texts in each row that all mean the same; the first asks for the others."
    )
    shape: ClassVar[Shape] = "groups"
    roles: ClassVar[tuple[Role, ...]] = (Role("alike", many=True),)

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """Lists of texts alone."""
        return table.kind(column) == "texts"

    def accepts(self, mapping: Mapped, table: Table) -> bool:
        """No other texts beside them."""
        used = mapping["alike"]
        return not any(table.kind(column) in ("text", "texts") for column in table.columns if column not in used)

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """A :class:`Group` for each row of two texts or more."""
        for row in rows:
            cells = Cells(detection.source, row, report)
            texts = list(dict.fromkeys(cells.texts(detection.mapping["alike"])))
            if len(texts) > 1:
                yield Group(texts[0], tuple(texts[1:]), line=row.line)
            else:
                message = say("The row has no two different texts; it is left out.")
                report(warning("empty-positive", message, _at(cells)))


# Scored pairs: two texts and how similar or relevant they are.


class Scored(RetrievalFormat):
    """Two texts and a number a row: 0/1, grades, or any scale of floats."""

    name: ClassVar[str] = "scored"
    title: ClassVar[str] = N_("Scored pairs")
    description: ClassVar[str] = N_("Two texts and a label or score in each row: 0/1, grades such as 0–3, or decimals.")
    shape: ClassVar[Shape] = "scored"
    roles: ClassVar[tuple[Role, ...]] = (Role("sentence1"), Role("sentence2"), Role("score"))

    def synonyms(self) -> Mapping[str, str]:
        """A query and a document can be mapped by those names."""
        return {"query": "sentence1", "positive": "sentence2", "document": "sentence2", "label": "score"}

    def fits(self, role: Role, column: str, table: Table) -> bool:
        """A score column must hold scores in at least half of the rows that have any."""
        if role.name == "score":
            if table.rows and not table.varied(column) and "click" in normalise_name(column).replace("点击", "click"):
                return False  # where only clicks were written down, each row is a right answer
            # Half: a column of grades in which many are "n/a" is still one; what cannot be read is told row by row.
            return table.score_share(column) >= 0.5 or not table.rows
        return super().fits(role, column, table)

    def examples(self, detection: Detection, rows: Iterable[Row], report: Report) -> Iterator[Group | ScoredPair]:
        """A :class:`ScoredPair` for each row with two texts and a score."""
        for row in rows:
            pair = self._pair(detection, Cells(detection.source, row, report))
            if pair is not None:
                yield pair

    def _pair(self, detection: Detection, cells: Cells) -> ScoredPair | None:
        texts = []
        for role, code in (("sentence1", "empty-query"), ("sentence2", "empty-positive")):
            text = cells.text(detection.column(role))
            if text is None:
                return None
            if not text:
                message = say("The column {column} is empty; the row is left out.", column=detection.column(role))
                cells.report(warning(code, message, cells.source.at(cells.row.line)))
                return None
            texts.append(text)
        score = self._score(detection, cells)
        return None if score is None else ScoredPair(texts[0], texts[1], score, cells.row.line)

    @staticmethod
    def _score(detection: Detection, cells: Cells) -> float | None:
        column = detection.column("score")
        value = value_at(cells.row.values, column)
        where = cells.source.at(cells.row.line)
        if is_empty(value):
            message = say("The column {column} is empty; the row is left out.", column=column)
            cells.report(warning("missing-score", message, where))
            return None
        worth = detection.labels.get(label_word(value)) if detection.labels else None
        score = score_of(value) if worth is None else worth
        if score is None:
            message = say(
                "{value} in the column {column} is no score; the row is left out.", value=value, column=column
            )
            cells.report(error("bad-score", message, where, say("Write a number.")))
            return None
        highest = detection.scale[1] if detection.scale else 1.0
        if worth is None and highest > 1 and word_worth(value) is not None:
            message = say(
                "{value} says yes or no where scores go up to {highest}; left out.", value=value, highest=highest
            )
            cells.report(warning("label-word", message, where, say("Write the number of the scale that is meant.")))
            return None
        return score
