"""What to say when no format fits: layouts that are known and meant for something else, and which columns to map."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from tunewiz.data.opening.advice import Advice, Unmapped, graded_answers
from tunewiz.data.opening.for_pairs import head_of, llm_pairs, with_marks, with_rejected
from tunewiz.data.opening.judged import judged_lists, unjudged_lists
from tunewiz.data.opening.labels import ask_worth, spare_labels, unclear_order
from tunewiz.data.opening.left_over import IN_A_LINE, is_named_so, is_text, mark_between
from tunewiz.data.opening.unfolding import exported, graded, pairs_inside, unclear_marks
from tunewiz.data.reading.cells import Table, is_empty, number_of
from tunewiz.data.reading.columns import EXACT, USUAL, guesses, list_columns, normalise_name
from tunewiz.data.reading.expressions import map_options
from tunewiz.data.reading.meaning import LONGEST_LABEL, asks, comes_again, is_verdict
from tunewiz.data.reading.scales import known_labels
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.turns import first_turns
from tunewiz.problems import BadData, Message, Problem, error, say, warning

#: Whether a mapping, role to column, makes rows that can be used of the sample.
Works = Callable[[Mapping[str, str]], bool]

#: Columns that together show data for language models, and the name of that layout.
_LLM_LAYOUTS = (
    (("messages",), "messages"),
    (("conversations",), "sharegpt"),
    (("conversation",), "sharegpt"),
    (("instruction", "output"), "alpaca"),
    (("instruction", "response"), "alpaca"),
    (("prompt", "chosen"), "preference"),
    (("prompt", "completion"), "prompt-completion"),
    (("prompt", "response"), "prompt-response"),
    (("query", "response", "history"), "query-response"),
    (("query", "response", "system"), "query-response"),
    (("query", "response", "images"), "query-response"),
    (("query", "response", "tools"), "query-response"),
    (("指令", "输出"), "alpaca"),
)


def llm_layout(columns: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The name of the language-model layout that the columns show, and the columns that show it; ("", ()) if none."""
    plain = {normalise_name(column): column for column in columns}
    for marks, name in _LLM_LAYOUTS:
        if all(mark in plain for mark in marks):
            return name, tuple(plain[mark] for mark in marks)
    return "", ()


def refuse_llm(source: Source, table: Table, layout: str, marks: Sequence[str], works: Works | None) -> BadData:
    """Rows for language models are not taken for retrieval pairs unless the user maps them."""
    message = say(
        "{columns}: this is the {layout} layout for language models, not pairs for retrieval.",
        columns=tuple(marks),
        layout=layout,
    )
    fix = say("To train on them as pairs, map them: --map query=COLUMN --map positive=COLUMN.")
    if len(marks) >= 2:
        tried = (found for found in llm_pairs(table, marks) if works is None or works(found))
        pair: Mapping[str, str] | None = next(tried, None)
    else:
        pair = {"turns": marks[0]} if works and works({"turns": marks[0]}) else None
    if pair:
        fix = say("To use them as pairs: {mapping}.", mapping=map_options(pair))
    return BadData(error("llm-layout", message, source.at(), fix), *mixed_rows(source, table))


def kinds_of_rows(table: Table) -> tuple[int, str]:
    """How many sets of fields the rows have, and each with how often it occurs; 0 and "" where they share a field."""
    kinds = Counter(tuple(row.values) for row in table.rows)
    if len(kinds) < 2 or set.intersection(*(set(keys) for keys in kinds)):
        return 0, ""
    return len(kinds), "; ".join(f"{'+'.join(keys)} ({count})" for keys, count in kinds.most_common(8))


def mixed_rows(source: Source, table: Table) -> list[Problem]:
    """A warning when the rows share no field at all, with each set of fields and how often it occurs."""
    count, shown = kinds_of_rows(table)
    if not count:
        return []
    message = say(
        "The rows have {count} different sets of fields and none in common: {kinds}.", count=count, kinds=shown
    )
    return [warning("mixed-rows", message, source.at(), say("Put each kind of row into a file of its own."))]


def refuse(source: Source, table: Table, works: Works | None, missing: Sequence[str] = ()) -> BadData:
    """No format fits: say which columns there are and how to map them, if ``works`` tells whether a mapping does."""
    part = _part_of_collection(source, table)
    if part is not None:
        return BadData(part)
    if not table.columns:
        message = say("The file holds no rows with named fields.")
        return BadData(
            error("no-columns", message, source.at(), say('Write rows as {{"query": "...", "positive": "..."}}.'))
        )
    texts = [column for column in table.columns if is_text(table, column)]
    nested = {"positive": tuple(name for name in table.columns if "[]." in name)}
    problem: Problem | None = None
    if not missing:
        asked = [guess.column for guess in guesses("query", texts)] or texts[:1]
        problem = judged_lists(source, table, asked) or unclear_marks(source, table, nested)
        problem = problem or _unclear_labels(source, table, texts) or unjudged_lists(source, table, asked)
    if problem is not None:
        return BadData(problem)
    turns = "" if missing or works is None else _turns_in(table, works)
    if turns:
        message = say("{column} holds conversations, which are rows for a language model.", column=turns)
        pairs = say("To use each question with its answer as a pair: {mapping}.", mapping=map_options({"turns": turns}))
        return BadData(error("llm-layout", message, source.at(), pairs))
    mapping = next(filter(works, _mappings(table, texts)), {}) if works else {}
    fix = _how_to_map_pairs(table, texts, mapping) if works else None
    several = "" if mapping else pairs_inside(table)
    if several:
        fix = say("{column} holds several questions with their answers a row: write a row for each.", column=several)
    sure = len(texts) == 2 and _is_evident(table, mapping)
    told = error("unmapped-columns", unclear(table, missing), source.at(), fix)
    return Unmapped(told, advised=mapping if sure and not missing else {})


def _turns_in(table: Table, works: Works) -> str:
    """The column of conversations that make pairs; "" where none does."""
    found = (column for column in table.columns if "[" not in column and first_turns(table, column))
    return next((column for column in found if works({"turns": column})), "")


def _unclear_labels(source: Source, table: Table, texts: Sequence[str]) -> Problem | None:
    """An error that asks what labels beside two texts are worth, where nothing says that."""
    if len(texts) != 2:
        return None
    first, second = texts
    asked = [column for column in spare_labels(table, {}) if not known_labels(table.values(column), {})]
    if asked:
        return ask_worth(source, table, asked[0], (first, second))
    steps = [column for column in table.columns if column not in texts and _are_steps(table, column)]
    if steps:
        return ask_worth(source, table, steps[0], (first, second))
    scores = [column for column in table.columns if column not in texts and _is_score(table, column)]
    mapping = {"sentence1": first, "sentence2": second, "score": scores[0]} if scores else {}
    return unclear_order(source, table, scores[0], first, map_options(mapping)) if scores else None


#: Names of steps of a scale, whatever the steps are called (L1, A+, 一档).
_STEPS: Final = re.compile(
    "level|grade|tier|relev|match|rating|feedback|verdict|judg|quality|满意|反馈|评价|质量|档|等级|级别|匹配|相关|评级|标注|判定"
)


def _are_steps(table: Table, column: str) -> bool:
    """Whether a column is called like steps of a scale and holds few words that come again."""
    name = normalise_name(column)
    words = table.kind(column) == "text" and not known_labels(table.values(column), {})
    return bool(_STEPS.search(name)) and words and table.varied(column) and comes_again(table, column)


def unclear(table: Table, missing: Sequence[str]) -> Message:
    """That roles (``missing``, or none in particular) could not be given to columns, and which columns there are."""
    columns = list_columns(table.columns)
    if missing:
        return say("No column was found for {roles}; the columns are {columns}.", roles=tuple(missing), columns=columns)
    return say("It is not clear which column is what; the columns are {columns}.", columns=columns)


def _is_evident(table: Table, mapping: Mapping[str, str]) -> bool:
    """Whether cells or names tell which of two texts asks."""
    pair = (mapping.get("query", ""), mapping.get("positive", ""))
    if not all(pair):
        return False
    return asks(table, pair[0]) != asks(table, pair[1]) or bool(guesses("title", [pair[0]]))


def _how_to_map_pairs(table: Table, texts: Sequence[str], mapping: Mapping[str, str]) -> Message:
    """The ``mapping`` that was tried on the sample; without one, which columns it may be made of."""
    if "negative" in mapping and not _is_told(table, mapping):
        return say(
            "Say what they are, for example: {mapping} (or positive and negative the other way round).",
            mapping=map_options(mapping),
        )
    if mapping:
        return say("Say what they are, for example: {mapping}.", mapping=map_options(mapping))
    if len(texts) < 2 and len(table.columns) < 2:
        return say("Retrieval needs at least a query and a text that answers it in each row.")
    if len(texts) > 1:
        return say(
            "Say which is which: --map query=COLUMN --map positive=COLUMN; texts stand in {columns}.",
            columns=list_columns(texts),
        )
    return say("Say which is which: --map query=COLUMN --map positive=COLUMN.")


def _is_told(table: Table, mapping: Mapping[str, str]) -> bool:
    """Whether names, or the order in files without any, say which text is right and which is wrong."""
    named = any(guesses(role, [mapping[role]]) for role in ("positive", "negative"))
    return named or all(column.startswith("column_") for column in mapping.values())


def _mappings(table: Table, texts: Sequence[str]) -> Iterator[dict[str, str]]:
    """Mappings that leave no text and no score out, likely ones first."""
    scores = [column for column in table.columns if column not in texts and _is_score(table, column)]
    wrong = [column for column in texts if guesses("llm_rejected", [head_of(column)])]
    if wrong:
        yield from with_rejected(table, texts, wrong)
        return
    yield from with_marks(table, texts)
    roles = ("query", "positive", "negative", "title", "similar")
    named = {role: next((guess.column for guess in guesses(role, texts)), "") for role in roles}
    if len(texts) == 2 and not any(_are_labels(table, column) for column in texts):
        first, second = _asking_first(table, texts, named)
        if scores:
            yield {"sentence1": first, "sentence2": second, "score": scores[0]}
        yield {"query": first, "positive": second}
    if len(texts) == 3 and not scores:
        yield from _mappings_of_three(table, texts, named)
    if scores and len(texts) == 3 and named["title"]:
        query, text = _ordered(table, [column for column in texts if column != named["title"]], named["query"])
        yield {"sentence1": query, "sentence2": f"{named['title']} + {text}", "score": scores[0]}


def _asking_first(table: Table, texts: Sequence[str], named: Mapping[str, str]) -> tuple[str, str]:
    """Two texts, of which the one that is called a query goes first, or looks like one, or is the title of the other.

    A title no shorter than the other text is what is found by it, as those of products are.
    """
    first, second = texts
    asking = [column for column in texts if asks(table, column)]
    if len(asking) == 1 and (named["query"] not in texts or all(guesses("query", [column]) for column in texts)):
        asked = asking[0]
    elif named["query"] in texts:
        asked = named["query"]
    elif named["title"] in texts:
        asked = min(texts, key=table.mean_length)
    else:
        asked = second if table.mean_length(first) > 2 * table.mean_length(second) else first
    return asked, second if asked == first else first


def _are_labels(table: Table, column: str) -> bool:
    """Whether the values are short and come again, as labels do and answers do not."""
    return comes_again(table, column) and table.mean_length(column) <= LONGEST_LABEL


def _mappings_of_three(table: Table, texts: Sequence[str], named: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A query with its title and document, with other ways to ask and an answer, or with a right and a wrong text."""
    wrong = named["negative"]
    if wrong and not named["similar"]:
        query, text = _ordered(table, [column for column in texts if column != wrong], named["query"])
        yield {"query": query, "positive": text, "negative": wrong}
        return
    several = named["similar"] or next((column for column in texts if mark_between(table, column, IN_A_LINE)), "")
    for odd in filter(None, (several, named["title"])):
        query, text = _ordered(table, [column for column in texts if column != odd], named["query"])
        if odd == named["title"] != several and _ANSWERS.search(normalise_name(text)):  # the subject of what is asked
            yield {"query": f"{odd} + {query}", "positive": text}
            continue
        rest = {"similar": odd} if odd == several else {}
        yield {"query": query, "positive": text if rest else f"{odd} + {text}"} | rest
    lists = [column for column in texts if table.kind(column) == "texts"]
    query = named["query"] or min(
        (column for column in texts if column not in lists), key=table.mean_length, default=""
    )
    others = [column for column in texts if column != query]
    if others and (named["negative"] == others[0] or (not named["negative"] and named["positive"] == others[-1])):
        others.reverse()
    lengths = sorted(table.mean_length(column) for column in others)
    alike = lists or lengths[1] <= 2 * lengths[0] or named["negative"] or named["positive"]
    in_order = all(column.startswith("column_") for column in texts)
    if in_order and alike:
        yield dict(zip(("query", "positive", "negative"), texts, strict=True))
    elif query and alike and len(others) == 2:
        yield {"query": query, "positive": others[0], "negative": others[1]}


_ANSWERS: Final = re.compile("answer|reply|replies|response|resolution|solution|回答|答案|回复|答复|解决|处理结果")


def _ordered(table: Table, pair: Sequence[str], query: str) -> tuple[str, str]:
    """The query and the document of two texts: by name, else the shorter one asks."""
    first, second = sorted(pair, key=lambda column: (column != query, table.mean_length(column)))
    return first, second


def _is_score(table: Table, column: str) -> bool:
    """Whether a column holds numbers of a scale, or labels of a known one, not ids, places, years and counts."""
    if (
        is_named_so(column)
        or _PLACES & {normalise_name(column)}
        or not table.varied(column)
        or table.score_share(column) < 0.9
    ):
        return False
    values = [number_of(value) for value in table.values(column)]
    numbers = [number for number in values if number is not None]
    if len(numbers) < len(values):
        return bool(known_labels(table.values(column), {}))
    fractions = any(number != int(number) for number in numbers)
    if not fractions and len(set(numbers)) == len(numbers) >= _ROWS_TO_COUNT:
        return False  # the rows are counted
    return min(numbers) >= -1 and max(numbers) <= 100 and (fractions or len(set(numbers)) <= 10)


#: So many whole numbers that are all different are no grades.
_ROWS_TO_COUNT: Final = 5
#: Where a document stood in a list of results and how often it was shown: that says nothing of how right it is.
_PLACES: Final = frozenset(
    (
        *(
            "position",
            "pos",
            "rank",
            "ranking",
            "place",
            "index",
            "page",
            "impressions",
            "impression",
            "views",
            "shown",
        ),
        *(
            "exposure",
            "slot",
            "dwelltime",
            "duration",
            "位置",
            "展示位置",
            "排名",
            "名次",
            "序号",
            "页码",
            "展示次数",
            "曝光",
        ),
        *("曝光量", "曝光次数", "浏览量", "停留时间", "停留时长"),
    )
)


#: What TREC calls its documents and what is asked of them.
_TREC: Final = ("doc", "topic", "top")


def _part_of_collection(source: Source, table: Table) -> Problem | None:
    """Corpus, queries or judgments on their own."""
    fix = say("Give the folder with corpus, queries and qrels, or all three files.")
    judged = [bool(guesses(role, table.columns)) for role in ("query_id", "document_id")]
    # Query, iteration, document and grade, and a column more; a training table with two ids has texts beside them.
    texts = sum(is_text(table, column) for column in table.columns)
    if all(judged) and len(table.columns) <= 5 and texts < 2:
        message = say("This looks like the judgments (qrels) of a test collection, on their own.")
        return error("part-of-collection", message, source.at(), fix)
    plain = {normalise_name(column) for column in table.columns}
    if source.container == "xml" and source.rows_under.rpartition("/")[2].casefold() in _TREC:
        message = say("This looks like the corpus or the queries of a test collection, on their own.")
        return error("part-of-collection", message, source.at(), fix)
    if plain in (
        {"id", "text"},
        {"id", "title", "text"},
        {"id", "title", "text", "metadata"},
        {"id", "text", "metadata"},
    ):
        message = say("This looks like the corpus or the queries of a test collection, on their own.")
        return error("part-of-collection", message, source.at(), fix)
    return None


_PICTURES: Final = frozenset(("image", "images", "video", "videos", "audio", "audios", "图片", "图像", "视频", "音频"))
#: A picture in a text: MS-Swift's ``<img>address</img>`` (HTML's img has no end) and the placeholder of many.
_PICTURE_TAG: Final = re.compile(r"<img>[^<]*</img>|<image>|<video>|<audio>")


def refuse_verdicts(source: Source, table: Table) -> None:
    """Raise :class:`BadData` where annotators accepted some rows and rejected others: not all of them are right."""
    for column in table.columns:
        if is_verdict(table, column) and len({str(value).strip().casefold() for value in table.values(column)}) > 1:
            message = say("{column} says of each row whether annotators accepted it: not all of them are right.",
                          column=column)  # fmt: skip
            fix = say("Take out the rows that were rejected or skipped, and the column with them.")
            raise BadData(error("rows-judged", message, source.at(), fix))


def refuse_collection(source: Source) -> BadData:
    """A folder with corpus, queries and qrels holds no conversations."""
    message = say("This is a test collection for retrieval (corpus, queries, qrels), not rows for a language model.")
    return BadData(error("retrieval-layout", message, source.at(), say("Set the task to embedding or reranker.")))


def refuse_retrieval(source: Source, table: Table) -> None:
    """Raise :class:`BadData` for queries with positives or negatives, and for two texts with a score."""
    asked = [column for column in table.columns if not guesses("llm_turns", [column])]  # turns may be preferred ones
    query = _first(guesses("query", asked), USUAL)
    right = _first(guesses("positive", table.columns), EXACT) or _first(guesses("negative", table.columns), EXACT)
    if query and right and query != right:
        plain = table.kind(query) == "text" and table.kind(right) == "text" and not guesses("negative", [right])
        raise _retrieval(source, (query, right), {"prompt": query, "completion": right} if plain else {})
    pair = [_first(guesses(role, table.columns), USUAL) for role in ("sentence1", "sentence2")]
    score = _first(guesses("score", table.columns), USUAL)
    if all(pair) and score and pair[0] != pair[1]:
        told_apart = judged_lists(source, table)
        if told_apart is not None:
            raise BadData(told_apart)
        raise _retrieval(source, (*pair, score), {"text": ",".join(pair), "label": score})


def _retrieval(source: Source, columns: Sequence[str], mapping: Mapping[str, str]) -> BadData:
    """A layout for retrieval; ``mapping`` takes it for rows of a language model all the same."""
    fix = say("Set the task to embedding or reranker.")
    if mapping:
        fix = say("Set the task to embedding or reranker; or map them: {mapping}.", mapping=map_options(mapping))
    message = say("{columns}: this is a layout for retrieval, not rows for a language model.", columns=tuple(columns))
    return BadData(error("retrieval-layout", message, source.at(), fix))


def _first(found: Sequence[Any], strength: int) -> str:
    return next((str(guess.column) for guess in found if guess.strength >= strength), "")


def refuse_pictures(source: Source, table: Table) -> None:
    """Raise :class:`BadData` for rows with pictures, sound or films beside the text."""
    fix = say("Take those rows out, or train a model of pictures with other software.")
    column = next((name for name in table.columns if normalise_name(name) in _PICTURES and table.values(name)), "")
    if column:
        line = next(row.line for row in table.rows if not is_empty(row.values.get(column)))
        message = say("The column {column} holds pictures, sound or films; only text can be trained on.", column=column)
        raise BadData(error("pictures", message, source.at(line), fix))
    for row in table.rows:
        for text in _texts(list(row.values.values())):
            found = _PICTURE_TAG.search(text) if "<" in text else None
            if found and (found[0].startswith("<img>") or text.startswith(found[0])):
                message = say('There is a picture in the text: "{tag}"; only text can be trained on.', tag=found[0])
                raise BadData(error("pictures", message, source.at(row.line), fix))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))


def refuse_llm_columns(
    source: Source, table: Table, missing: Sequence[str] = (), advice: Advice | None = None
) -> BadData:
    """No format for language models fits: say which columns there are and how to map them, as ``advice`` was tried."""
    if not table.columns:
        message = say("The file holds no rows with named fields.")
        fix = say('Write rows as {{"instruction": "...", "output": "..."}}.')
        return BadData(error("no-columns", message, source.at(), fix))
    inside = {} if missing else exported(table)
    if inside:
        fix = say("Say which is which: {mapping}", mapping=map_options(inside))
        return Unmapped(error("unmapped-columns", unclear(table, missing), source.at(), fix), advised=inside)
    told_apart = (judged_lists(source, table) or _graded(source, table)) if not missing else None
    told_apart = told_apart or (unjudged_lists(source, table) if not missing else None)
    if told_apart is not None:
        return BadData(told_apart)
    odd = _odd_labels(table)
    if odd and not missing:
        message = say("{column} has too many different values for labels, or too long ones.", column=odd)
        mapping = map_options({"prompt": "COLUMN", "completion": odd})
        fix = say("To train on answers, map them: {mapping}.", mapping=mapping)
        return BadData(error("unmapped-columns", message, source.at(), fix))
    fix = (advice and advice.message) or say(
        "Say which is which: --map instruction=COLUMN --map output=COLUMN, or --map text=COLUMN."
    )
    if not (advice and advice.message) and not any(table.kind(column) == "text" for column in table.columns):
        fix = say('Write rows as {{"prompt": "…", "completion": "…"}} or {{"messages": [{{"role": "user", "content": '
                  '"…"}}, …]}}.')  # fmt: skip
    told = error("unmapped-columns", unclear(table, missing), source.at(), fix)
    return Unmapped(told, advised=advice.mapping if advice and not missing else {})


def _graded(source: Source, table: Table) -> Problem | None:
    """An error for answers in objects of which scores tell the better ones."""
    for column in table.columns:
        key, _ = graded(table, column)
        rest = [name for name in table.columns if name != column]
        if key and (guesses("llm_asked", rest) or guesses("title", rest)):
            return graded_answers(source, table, column)
    return None


def _odd_labels(table: Table) -> str:
    """A column that is called a label and holds none."""
    if not guesses("llm_classified", table.columns):
        return ""
    return next((guess.column for guess in guesses("llm_label", table.columns) if guess.strength > 2), "")
