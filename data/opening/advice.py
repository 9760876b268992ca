"""Mappings that are advised for rows of language models: each was tried on the sample before it is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tunewiz.data.dialogues.compared import compared_pair, judges
from tunewiz.data.dialogues.judgments import verdict_of
from tunewiz.data.dialogues.markup import spoken
from tunewiz.data.dialogues.roles import part_of
from tunewiz.data.formats.conversations import ConversationFormat
from tunewiz.data.formats.format import Detection, Format, Mapped
from tunewiz.data.formats.turn_rows import turn_columns
from tunewiz.data.opening.left_over import spare_columns
from tunewiz.data.opening.matching import Match, match
from tunewiz.data.opening.unfolding import best_of, graded
from tunewiz.data.reading.cells import Table, number_in, parse_nested
from tunewiz.data.reading.columns import EXACT, USUAL, guesses, list_columns, normalise_name, numbered_columns
from tunewiz.data.reading.expressions import map_options, passages_text
from tunewiz.data.reading.meaning import (
    LONGEST_LABEL,
    asks,
    beside_text,
    carries,
    comes_again,
    is_choice,
    is_grade,
    meaningful,
    repeats,
)
from tunewiz.data.reading.source import Source
from tunewiz.data.reading.turns import first_turns, is_turns
from tunewiz.problems import BadData, Message, Problem, error, note, say, warning

Candidates = Mapping[str, Format]


class Unmapped(BadData):
    """No format fits. ``advised``: the mapping that was tried on the sample, role to column, if the cells tell it."""

    def __init__(self, *problems: Problem, advised: Mapping[str, str] | None = None) -> None:
        super().__init__(*problems)
        self.advised: Mapping[str, str] = advised or {}


_ANSWERS: Final = re.compile(
    r"answer|response|output|completion|reply|solution|\bsol_?\d|generation|attempt|trajector|candidate|choice|option|sample|draft|"
    "predict|rollout|distract|wrong|incorrect|reject|chosen|best|worst|回答|答案|回复|答复|输出|候选|选项|生成|错误|干扰|最佳|最差",
    re.IGNORECASE,
)


def _asks_again(column: str) -> bool:
    asked = any(guess.strength >= USUAL for guess in guesses("llm_prompt", [column]))
    return asked or bool(guesses("similar", [column]) or numbered_columns("similar", [column]))


#: Names of what tells why an answer is right: before the answer it would give it away.
_EXPLAINS: Final = re.compile(
    r"expla|rational|reason|\bsteps?\b|analys|justif|(?:^|_)exp$|thought|解析|解释|分析|理由|思路|依据", re.IGNORECASE
)
#: Where what stands beside the columns in use belongs, by the role that a format has for it.
_HOMES: Final = ("input", "text")
_FEW_ROWS: Final = 5  # of fewer rows an empty column says nothing of the rest
_FEW_VERDICTS: Final = 5  # more different words are no scale


def tried(known: Candidates, name: str, table: Table, mapping: Mapped) -> str:
    """``mapping`` as it is typed (``--map prompt=a --map completion=b``), if the sample can be read by it, else "".

    Where another format would take the same mapping, the format of ``name`` is to be named as well.
    """
    if name not in known or any("," in column for columns in mapping.values() for column in columns):
        return ""
    found = {item.name: match(item, table, mapping) for item in known.values() if _has_roles(item, mapping)}
    matches = [one for one in found.values() if one is not None]
    if found.get(name) is None:
        return ""
    if not _reads(found[name], table):
        return ""
    best = max(matches, key=lambda one: one.strength).format.name
    typed = map_options({role: ",".join(columns) for role, columns in mapping.items()})
    return typed if best == name else f"{typed} --format {name}"


def _reads(matched: Match | None, table: Table) -> bool:
    """Whether most rows of the sample are conversations by that mapping."""
    item = matched.format if matched is not None else None
    if matched is None or not isinstance(item, ConversationFormat) or type(item).rows is not Format.rows:
        return matched is not None
    detection = Detection(item, table.source, matched.mapping, matched.confidence)
    found = sum(1 for _ in item.conversations(detection, table.rows, lambda _problem: None))
    return 2 * found > len(table.rows) or not table.rows


def _has_roles(item: Format, mapping: Mapped) -> bool:
    return set(mapping) <= {role.name for role in item.roles} | set(item.synonyms())


def lost_columns(source: Source, table: Table, best: Match) -> list[Problem]:
    """What is not used: a warning of columns that carry meaning, with the mapping that keeps them; a note of others."""
    spare = spare_columns(table, best.mapping)
    # Turns beside preferences repeat what stands in them.
    again = [guess.column for guess in guesses("llm_turns", spare)] if "rejected" in best.mapping else []
    lost = [column for column in spare if column not in again and (carries(table, column) or is_grade(table, column))]
    again += [column for column in lost if column not in again and repeats(table, column, best.mapping)]
    lost = [column for column in lost if column not in again]
    plain = [column for column in spare if column not in lost]
    told: list[Problem] = []
    if lost:
        message = say("Not used, though it means something: {columns}.", columns=list_columns(lost))
        told.append(warning("columns-unused", message, source.at(), _to_keep(table, best, lost)))
    if plain:
        told.append(note("columns-unused", say("Not used: {columns}.", columns=list_columns(plain)), source.at()))
    return told


def _to_keep(table: Table, best: Match, lost: Sequence[str]) -> Message:
    roles = [role.name for role in best.format.roles]
    explained = [column for column in lost if table.kind(column) == "text" and _EXPLAINS.search(column)]
    if explained and "reasoning" in roles and "reasoning" not in best.mapping:
        thought = map_options({"reasoning": explained[0]})
        return say("To learn to think it before the answer: {mapping}; else take the column out.", mapping=thought)
    if all(_asks_again(column) for column in lost):
        return say("If they are ways to ask the same, write a row for each with its answer.")
    scene = [column for column in lost if table.kind(column) == "text"]
    sets = all(guesses("llm_scene", [column]) for column in scene)
    if scene == list(lost) and (sets or "input" not in roles) and "system" in roles and "system" not in best.mapping:
        told = map_options({"system": ",".join(scene)})
        if not any(_ANSWERS.search(column) for column in scene):
            return say("To put it before each conversation, as its system prompt: {mapping}.", mapping=told)
    if any(table.kind(column) == "number" or guesses("llm_desirable", [column]) for column in lost):
        roles = []  # what judges an answer is nothing that the model should read before it
    if any(_ANSWERS.search(column) or _EXPLAINS.search(column) for column in lost):
        roles = []  # nor is an answer itself
    for home in _HOMES:
        if home in roles:
            columns = (*best.mapping.get(home, ()), *lost)
            if tried({best.format.name: best.format}, best.format.name, table, {**best.mapping, home: columns}):
                changed = map_options({home: ",".join(columns)})
                return say("To put it into what the model reads: {mapping}.", mapping=changed)
    if all(table.kind(column) in ("number", "numbers") for column in lost):
        if "rejected" in best.mapping:
            return say("No pair weighs more than another: keep those whose difference is clear, and take the rest out.")
        return say("No row weighs more than another: keep those that are good enough, and take the rest out.")
    return say("Write into a column that is used what the model should see; take the others out.")


def refuse_text_beside(source: Source, table: Table, known: Candidates) -> None:
    """Raise :class:`BadData` where a text stands beside columns that training on it alone would drop."""
    text = next((one.column for one in guesses("llm_text", table.columns) if table.kind(one.column) == "text"), "")
    beside = beside_text(table, [text]) if text else []
    if not beside:
        return
    message = say(
        "{text} may be text to pre-train on, but then {columns} would be lost; raw text is never assumed.",
        text=text,
        columns=list_columns(beside),
    )
    raise BadData(error("text-beside", message, source.at(), _choices(table, known, text, beside)))


class Advice(NamedTuple):
    """What to do, and the mapping that this is if cells tell it beyond doubt: role to column."""

    message: Message | None
    mapping: Mapping[str, str]


def how_to_map(table: Table, known: Candidates) -> Advice:
    """A mapping for columns of which not all are known by name, that reads the sample and loses none, if any does."""
    texts = [column for column in meaningful(table, ()) if table.kind(column) == "text"]
    asking = [column for column in texts if asks(table, column)]
    message = _how_to_map(table, known)
    if message is None or len(texts) != 2 or len(asking) != 1:
        return Advice(message, {})
    prompt, completion = asking[0], next(column for column in texts if column != asking[0])
    mapping = {"prompt": prompt, "completion": completion}
    return Advice(message, mapping if map_options(mapping) in message.text("en") else {})


def _how_to_map(table: Table, known: Candidates) -> Message | None:
    columns = meaningful(table, ())
    texts = [column for column in columns if table.kind(column) == "text"]
    labels = [column for column in table.columns if is_grade(table, column)]
    if len(texts) == 1 and labels:
        return _numbered_labels(table, known, texts[0], labels)
    said = [column for column in texts if not comes_again(table, column)]
    words = [column for column in texts if column not in said and table.mean_length(column) <= LONGEST_LABEL]
    if len(said) == 1 and len(said) + len(words) == len(texts) and len(words) > 1:
        finest = sorted(words, key=lambda column: -len({str(value) for value in table.values(column)}))
        return _numbered_labels(table, known, said[0], finest)
    asked = any(guess.strength >= USUAL for guess in guesses("llm_prompt", texts))
    # Beside a question, a list of texts holds several answers to it.
    turns = next((column for column in columns if _are_turns(table, column, asked)), "")
    if turns and not _answered(table, turns):
        answers = [name for name in columns if name != turns and table.kind(name) == "text"]
        advice = [tried(known, "prompt_completion", table, {"prompt": (turns,), "completion": (name,)})
                  for name in answers[:1]]  # fmt: skip
    elif turns:
        advice = [tried(known, name, table, {role: (turns,)}) for name, role in _TURNS]
    else:
        advice = [tried(known, name, table, mapping) for name, mapping in _mappings(table, texts)]
        title = _title_of(table, texts)
        if title and len(columns) == 2:
            return _titles(table, known, title, next(column for column in texts if column != title))
    best = next(filter(None, advice), "")
    return say("Say which is which, for example: {mapping}", mapping=best) if best else None


def _answered(table: Table, column: str) -> bool:
    """Whether the assistant speaks in the turns of a column at all."""
    turns = first_turns(table, column)
    who = [turn.get("role", turn.get("from")) for turn in turns if isinstance(turn, dict)]
    return not who or any(name is not None and part_of(name) in ("assistant", "call") for name in who) or None in who


def _are_turns(table: Table, column: str, asked: bool) -> bool:
    """Whether a column holds turns; texts alone only where it is called so, and nothing is ``asked`` beside it."""
    found = first_turns(table, column)
    return bool(found) and not (isinstance(found[0], str) and (asked or not guesses("llm_turns", [column])))


def _numbered_labels(table: Table, known: Candidates, text: str, labels: Sequence[str]) -> Message | None:
    """The mapping of a text and the first of its numbers as the label, and what that leaves out."""
    mapping = tried(known, "classification", table, {"text": (text,), "label": (labels[0],)})
    if not mapping:
        return None
    if len(labels) == 1:
        return say("Say which is which, for example: {mapping}", mapping=mapping)
    rest = list_columns(labels[1:])
    return say("One label a row is learned: {mapping} leaves out {rest}; or write all into one column of words.",
               mapping=mapping, rest=rest)  # fmt: skip


def _mappings(table: Table, texts: Sequence[str]) -> Iterator[tuple[str, dict[str, tuple[str, ...]]]]:
    """Formats and mappings to try, likely ones first; what its name tells of a column is kept to."""
    more = {"choices": tuple(column for column in texts if is_choice(column, table.columns))}
    for role, names in (("reasoning", "llm_reasoning"), ("system", "llm_system")):
        more[role] = tuple(guess.column for guess in guesses(names, texts))[:1]
    more = {role: columns for role, columns in more.items() if columns}
    open_texts = [column for column in texts if not any(column in columns for columns in more.values())]
    if any(guess.strength == EXACT for guess in guesses("negative", open_texts)):
        return  # a wrong text for retrieval is no answer
    asked = [guess.column for guess in guesses("llm_prompt", open_texts) if guess.strength >= USUAL]
    asking = [column for column in open_texts if asks(table, column)]
    asked = asking if len(asking) == 1 and (not asked or asked == open_texts) else asked
    rest = [column for column in open_texts if column not in asked]
    answered = [guess.column for guess in guesses("llm_completion", rest) if guess.strength >= USUAL][:1] or rest[-1:]
    labels = [column for column in rest if comes_again(table, column)]
    if labels and not asked and not more and len(open_texts) > 1:
        yield "classification", {"text": tuple(c for c in open_texts if c != labels[0]), "label": (labels[0],)}
    if len(asked) == 1 and len(rest) == 2 and all(_ANSWERS.search(column) for column in rest):
        yield "preference", {"prompt": (asked[0],), "chosen": (rest[0],), "rejected": (rest[1],)} | more
    prompt = tuple(column for column in open_texts if column not in answered)
    # What is an answer by its name is never asked.
    if answered and prompt and not any(_ANSWERS.search(column) for column in prompt):
        yield "prompt_completion", {"prompt": prompt, "completion": tuple(answered)} | more
    if len(open_texts) == 1 and len(meaningful(table, ())) == 1:
        yield "text", {"text": tuple(open_texts)}


def _alternating(source: Source, table: Table, column: str) -> list[Problem]:
    """An error for lists of questions that would be read as question and answer in turn."""
    values = [value for value in map(parse_nested, table.values(column)) if isinstance(value, list)] if column else []
    answers = [text for value in values for text in value[1::2] if isinstance(text, str) and not spoken(text)[0]]
    asking = sum(text.rstrip().endswith(("?", "？")) for text in answers)
    if len(answers) < _FEW_ROWS or asking < 0.8 * len(answers):
        return []
    message = say("The texts in {column} would be read as question and answer in turn, but nearly all of them ask.",
                  column=column)  # fmt: skip
    fix = say('Write who says what: {{"messages": [{{"role": "user", "content": "…"}}, …]}}.')
    return [error("questions-only", message, source.at(), fix)]


def graded_answers(source: Source, table: Table, column: str) -> Problem:
    """An error for several answers in objects, of which scores may tell the better ones."""
    key, values = graded(table, column)
    fix = say("Write a row for each answer that is right; or the best into chosen, another into rejected.")
    if not key:
        message = say("{column} holds several answers a row, and nothing says which of them are right.", column=column)
        return error("answers-unjudged", message, source.at(), fix)
    best = best_of(table, column, key, values)
    if best:
        fix = say("To learn the best by {key}: {mapping}. Or write the best into chosen, another into rejected.",
                  key=key, mapping=map_options(_asked(table, column) | {"completion": best}))  # fmt: skip
    shown = list(dict.fromkeys(str(value) for value in values))
    message = say("The objects in {column} are graded by {key} ({values}): not all of them are right.",
                  column=column, key=key, values=tuple(shown[:6]))  # fmt: skip
    return error("marks-unclear", message, source.at(), fix)


def _asked(table: Table, beside: str) -> dict[str, str]:
    """The column of the question beside answers, as a prompt; empty where no name tells."""
    rest = [name for name in table.columns if name != beside and table.kind(name) == "text"]
    found = [guess.column for role in ("llm_asked", "llm_prompt", "title") for guess in guesses(role, rest)]
    return {"prompt": found[0]} if found else {}


#: Formats of turns, and the role that holds them.
_TURNS: Final = (("messages", "messages"), ("sharegpt", "conversations"))


def _title_of(table: Table, texts: Sequence[str]) -> str:
    """The one of two texts that is called a title and is shorter than the other, and no label; "" if none is."""
    named = [guess.column for guess in guesses("title", texts)]
    if len(texts) != 2 or len(named) != 1 or comes_again(table, named[0]):
        return ""
    return named[0] if named[0] == min(texts, key=table.mean_length) else ""


def _titles(table: Table, known: Candidates, title: str, text: str) -> Message:
    """What may be learned of texts and their titles."""
    forth = tried(known, "prompt_completion", table, {"prompt": (title,), "completion": (text,)})
    back = tried(known, "prompt_completion", table, {"prompt": (text,), "completion": (title,)})
    raw = tried(known, "text", table, {"text": tuple(column for column in table.columns if column in (title, text))})
    return say(
        "Say what to learn: to write a title for a text {back}; a text for a title {forth}; every word of both {raw}.",
        back=back, forth=forth, raw=raw,
    )  # fmt: skip


def _choices(table: Table, known: Candidates, text: str, beside: Sequence[str]) -> Message:
    if len(beside) == 1 and _title_of(table, (text, beside[0])):
        return _titles(table, known, beside[0], text)
    ask = len(beside) == 1 and asks(table, beside[0]) and not asks(table, text)
    prompt, completion = (beside[0], text) if ask else (text, beside[-1])
    said = not any(isinstance(parse_nested(value), (dict, list)) for value in table.values(completion))
    said = said or table.kind(completion) == "texts"
    given = {"prompt": (prompt,), "completion": (completion,)}
    answers = tried(known, "prompt_completion", table, given) if said else ""
    repeated = said and (comes_again(table, beside[-1]) or table.kind(beside[-1]) != "text")
    labels = tried(known, "classification", table, {"text": (text,), "label": (beside[-1],)}) if repeated else ""
    whole = tuple(column for column in table.columns if column in (text, *beside) and table.kind(column) == "text")
    raw = tried(known, "text", table, {"text": whole}) or f"{map_options({'text': text})} --format text"
    if answers and labels:
        return say(
            "Say what to learn: to answer {answers}; to label {labels}; every word of the text {raw}.",
            answers=answers,
            labels=labels,
            raw=raw,
        )
    if not answers and not labels:
        return say(
            "Write what is to be learned into a column of texts; or train on every word of the text: {raw}.", raw=raw
        )
    return say("Say what to learn: {mapping}; or every word of the text: {raw}.", mapping=answers or labels, raw=raw)


_MOST_VERDICTS: Final = 4


def refuse_compared(source: Source, table: Table) -> None:
    """Raise :class:`BadData` for two answers to one prompt beside a column that tells which is the better one."""
    pair = compared_pair(table)
    if pair is None:
        return
    named = judges(table, pair)
    few = [column for column in table.columns if 1 < len({str(v) for v in table.values(column)}) <= _MOST_VERDICTS]
    judge = next(iter((*named, *few)), "")
    if not judge:
        return
    message = say("{first} and {second} are two answers to one prompt, and {column} may tell which is the better one.",
                  first=pair[0], second=pair[1], column=judge)  # fmt: skip
    fix = say('Write {first} or {second} into {column}, where neither is better "tie"; or the better answer into a '
              "column chosen, the other into rejected.", first=pair[0], second=pair[1], column=judge)  # fmt: skip
    raise BadData(error("answers-compared", message, source.at(), fix))


def refuse_numbered_turns(source: Source, table: Table) -> None:
    """Raise :class:`BadData` where turns stand beside each other: user_1, assistant_1, user_2, assistant_2."""
    found = []
    for part in ("user", "assistant"):
        named = {column: _TURN.fullmatch(normalise_name(column)) for column in table.columns}
        found.append(
            [column for column, one in named.items() if one and part_of(one[1]) == part and table.values(column)]
        )
    if all(len(columns) > 1 for columns in found) and any(table.kind(columns[1]) == "text" for columns in found):
        columns = list_columns([column for pair in zip(*found, strict=False) for column in pair])
        message = say(
            "{columns} look like turns of one conversation, or like several questions with answers.", columns=columns
        )
        fix = say(
            'Write a conversation a row: {{"messages": [{{"role": "user", "content": "…"}}, …]}}; or a row for each '
            "question."
        )
        raise BadData(error("turns-in-columns", message, source.at(), fix))


_TURN: Final = re.compile(r"(\D+?)(?:turn|轮)?(\d{1,2})")


def refuse_single_turns(source: Source, table: Table) -> None:
    """Raise :class:`BadData` where each row is one turn of a conversation and nothing tells where one begins."""
    found = turn_columns(table)
    if found is None:
        return
    who, what = found["speaker"][0], found["content"][0]
    message = say("Each row is one turn: {who} tells who speaks, {text} what is said.", who=who, text=what)
    fix = say('Write a conversation a row: {{"messages": [{{"role": "user", "content": "…"}}, …]}}; or give the rows '
              "of each conversation a number of their own in a column conversation_id.")  # fmt: skip
    free = [column for column in table.columns if column not in (who, what)]
    ids = [guess.column for guess in guesses("llm_conversation", free) if guess.strength >= USUAL]
    if ids:
        fix = say("Sort the rows by {column}: those of one conversation have to stand together.", column=ids[0])
    raise BadData(error("turn-a-row", message, source.at(), fix))


def refuse_empty_answers(source: Source, table: Table, best: Match) -> None:
    """Raise :class:`BadData` where the column of answers is empty throughout."""
    answered = next((role for role in ("output", "completion") if role in best.mapping), "")
    asked = next((role for role in ("instruction", "prompt") if role in best.mapping), "")
    if not answered or not asked or len(table.rows) < _FEW_ROWS:
        return
    column, text = best.mapping[answered][0], best.mapping[asked][0]
    if table.values(column) or not table.values(text):
        return
    message = say("The column {column} of the answers is empty in all of the first {count} rows.", column=column,
               count=len(table.rows))  # fmt: skip
    fix = say("Fill it in; or, to pre-train on the texts alone: {mapping}.", mapping=map_options({"text": text}))
    raise BadData(error("empty-column", message, source.at(), fix))


def unread_judgments(source: Source, table: Table, best: Match) -> list[Problem]:
    """An error where answers are judged in words of no known scale: learning all means learning the bad ones."""
    if best.format.shape != "conversations" or not {"completion", "output", "conversations", "messages"} & set(
        best.mapping
    ):
        return []
    used = {column for columns in best.mapping.values() for column in columns}
    for guess in guesses("llm_desirable", [column for column in table.columns if column not in used]):
        values = [str(value) for value in table.values(guess.column)]
        words = list(dict.fromkeys(values))
        judged = [word for word in words if verdict_of(word) is not None and number_in(word) is None]
        if judged and len(words) <= _FEW_VERDICTS and len(words) < len(values):
            message = say("{column} judges the answers ({words}); all would be learned, also the bad ones.",
                       column=guess.column, words=tuple(words))  # fmt: skip
            fix = say("Write true or false for each answer (KTO), or keep the good ones and take the column out.")
            return [error("judgments-unread", message, source.at(), fix)]
    return []


def told_of_values(source: Source, table: Table, best: Match) -> list[Problem]:
    """Objects that are written as JSON, and thoughts that are put before the answers."""
    if best.format.shape != "conversations":
        return []
    told: list[Problem] = []
    for role in ("output", "completion", "instruction", "prompt", "input"):
        column = next(iter(best.mapping.get(role, ())), "")
        plain = {"role", "from", "answer_start", "messages"}  # turns, and SQuAD's answers
        asked = role in ("instruction", "prompt", "input")
        if asked and any(passages_text(value) is not None for value in table.values(column)):
            message = say("The passages in {column} are written one below the other.", column=column)
            told.append(note("passages-joined", message, source.at()))
            continue
        if any(isinstance(value, dict) and not plain & set(value) for value in table.values(column)):
            message = say("{column} holds objects; they are written as JSON.", column=column)
            told.append((warning if asked else note)("object-text", message, source.at()))
        lists = [value for value in table.values(column) if isinstance(value, list) and len(value) > 1]
        several = [value for value in lists if not is_turns(value[:1])]
        answers = next((best.mapping[name][0] for name in ("completion", "output") if name in best.mapping), "")
        parallel = bool(answers) and table.kind(answers) in ("texts", "object")
        if role in ("prompt", "instruction") and parallel and 2 * len(several) > len(table.values(column)):
            message = say("{column} holds several questions a row in a list, {answers} their answers.",
                          column=column, answers=answers)  # fmt: skip
            fix = say("Write a row for each question with its answer, or turns of one conversation as messages.")
            told.append(error("list-text", message, source.at(), fix))
        elif any(one.code == "list-text" and one.severity == "error" for one in told):
            continue
        elif role in ("completion", "output") and any(isinstance(item, dict) for value in lists for item in value):
            if any(not is_turns(value[:1]) for value in lists):
                told.append(graded_answers(source, table, column))
        elif any(not is_turns(value[:1]) for value in lists):
            message = say("{column} holds several texts in a list; they are written as JSON.", column=column)
            told.append(warning("list-text", message, source.at(), say("Write a row for each, or one text a cell.")))
    told += _alternating(source, table, next(iter(best.mapping.get("conversations", ())), ""))
    thoughts = next(iter(best.mapping.get("reasoning", ())), "")
    if thoughts:
        message = say("The thoughts in {column} are put before each answer, as <think>…</think>.", column=thoughts)
        fix = say("To train on the answers alone, take the column out.")
        told.append(warning("reasoning-used", message, source.at(), fix))
    return told
