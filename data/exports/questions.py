"""Questions with their evidence as benchmarks publish them, as plain columns: question, answer, texts.

HotpotQA, 2WikiMultihopQA, ELI5, WebQA, Natural Questions, TriviaQA.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tunewiz.data.exports.texts import plain

Values = Mapping[str, Any]
_NO_ANSWER: Final = ("no_answer", "noanswer", "")


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def is_multi_hop(values: Values) -> bool:
    """Titles with sentences, and which of them support the answer."""
    facts, context = values.get("supporting_facts"), values.get("context")
    if isinstance(context, Mapping):
        return isinstance(facts, (list, Mapping)) and {"title", "sentences"} <= set(context)
    pairs = context if isinstance(context, list) else []
    return isinstance(facts, (list, Mapping)) and bool(pairs) and all(_is_paragraph(one) for one in pairs)


def _is_paragraph(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], (list, str))
    )


def multi_hop(values: Values) -> dict[str, Any]:
    """Each paragraph with its title, and whether the answer rests on it."""
    context, facts = values["context"], values["supporting_facts"]
    pairs = zip(context["title"], context["sentences"], strict=False) if isinstance(context, Mapping) else context
    titles = (
        facts.get("title", []) if isinstance(facts, Mapping) else [one[0] for one in facts if isinstance(one, list)]
    )
    paragraphs = [
        {"title": title, "text": "".join(_spaced(held)) if isinstance(held, list) else held,
         "is_supporting": title in titles}
        for title, held in pairs
    ]  # fmt: skip
    rest = {key: value for key, value in values.items() if key not in ("context", "supporting_facts")}
    return {**rest, "context": paragraphs}


def _spaced(sentences: Sequence[Any]) -> list[str]:
    """Sentences that may or may not begin with the blank that stands between them."""
    texts = [str(one) for one in sentences]
    return [text if not place or text[:1].isspace() or not text.isascii() else f" {text}"
            for place, text in enumerate(texts)]  # fmt: skip


def is_voted(values: Values) -> bool:
    """Answers and their scores in lists beside each other, below a question in a title."""
    answers = values.get("answers")
    return isinstance(answers, Mapping) and {"text", "score"} <= set(answers) and "title" in values


def voted(values: Values) -> dict[str, Any]:
    """The question is the title and what is said below it; each answer has its score."""
    answers = values["answers"]
    below = next((str(values[key]) for key in ("selftext", "body") if values.get(key)), "")
    listed = [{"text": text, "score": score} for text, score in zip(answers["text"], answers["score"], strict=False)]
    rest = {key: value for key, value in values.items() if key not in ("title", "selftext", "body", "answers")}
    # On one line: lines of a question are otherwise several ways to ask it.
    return {"question": " ".join(f"{values['title']} {below}".split()), "answers": listed, **rest}


def is_evidences(values: Values) -> bool:
    """Evidences under their ids, each with the answers found in it."""
    held = values.get("evidences")
    return isinstance(held, Mapping) and bool(held) and all(
        isinstance(one, Mapping) and {"answer", "evidence"} <= set(one) for one in held.values()
    )  # fmt: skip


def evidences(values: Values) -> dict[str, Any]:
    """Each evidence and whether it holds an answer; the answer is the one that most evidences hold."""
    counted: Counter[str] = Counter()
    listed = []
    for one in values["evidences"].values():
        answers = one["answer"] if isinstance(one["answer"], list) else [one["answer"]]
        found = [str(answer) for answer in answers if str(answer).strip() not in _NO_ANSWER]
        counted.update(found)
        listed.append({"text": one["evidence"], "has_answer": bool(found)})
    rest = {key: value for key, value in values.items() if key != "evidences"}
    best = counted.most_common(1)
    return {**rest, "evidences": listed, **({"answer": best[0][0]} if best else {})}


def is_page(values: Values) -> bool:
    """A page in tokens, with candidates that are ranges of them."""
    words = "document_text" in values or "document_tokens" in values
    return words and "question_text" in values and "long_answer_candidates" in values


def page(values: Values) -> dict[str, Any]:
    """Each paragraph of the page, whether it is the long answer; the answer is the short one, or yes or no."""
    tokens = _tokens(values)
    notes = [one for one in values.get("annotations") or () if isinstance(one, Mapping)]
    spans = [one["long_answer"] for one in notes if one.get("long_answer", {}).get("candidate_index", -1) >= 0]
    places = {span["candidate_index"] for span in spans}
    passages = [
        {"text": text, "is_selected": place in places}
        for place, span in enumerate(values["long_answer_candidates"])
        if (span.get("top_level", True) or place in places) and (text := _words(tokens, span))
    ]
    found: dict[str, Any] = {
        "id": values.get("example_id", ""),
        "question": values["question_text"],
        "passages": passages,
    }
    answer = next(filter(None, (_short(tokens, one) for one in notes)), "") or next(
        (one["text"] for one in passages if one["is_selected"]), ""
    )
    return {**found, "answer": answer}


def _tokens(values: Values) -> list[str]:
    if isinstance(values.get("document_text"), str):
        return str(values["document_text"]).split(" ")
    held = values.get("document_tokens") or []
    return [str(one.get("token", "")) if isinstance(one, Mapping) else str(one) for one in held]


def _words(tokens: Sequence[str], span: Values) -> str:
    return " ".join(plain(" ".join(tokens[span.get("start_token", 0) : span.get("end_token", 0)])).split())


def _short(tokens: Sequence[str], note: Values) -> str:
    said = str(note.get("yes_no_answer", "NONE"))
    if said.casefold() in ("yes", "no"):
        return said.casefold()
    return ", ".join(filter(None, (_words(tokens, span) for span in note.get("short_answers") or ())))


def is_trivia(values: Values) -> bool:
    """An answer with its other names, and pages that may hold it."""
    answer = _key(values, "answer")
    return isinstance(answer, Mapping) and _key(answer, "value") is not None and _key(answer, "aliases") is not None


def trivia(values: Values) -> dict[str, Any]:
    """The answer's usual name; each page that was found and whether one of its names stands in it."""
    answer = _key(values, "answer")
    names = [str(_key(answer, "value")), *_texts(_key(answer, "aliases"))]
    documents = [*_pages(_key(values, "entity_pages")), *_pages(_key(values, "search_results"))]
    listed = [
        {"title": title, "text": text, "has_answer": any(name.casefold() in text.casefold() for name in names if name)}
        for title, text in documents
    ]
    found = {"id": _key(values, "question_id") or "", "question": _key(values, "question"), "answer": names[0]}
    return {**found, "documents": listed} if listed else found


def _key(values: Any, name: str) -> Any:
    """What stands under a key, also where it is written ``EntityPages`` for ``entity_pages``."""
    wanted = name.replace("_", "")
    return next((held for key, held in values.items() if str(key).replace("_", "").casefold() == wanted), None)


def _pages(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):  # lists beside each other
        lists = {key: held for key, held in value.items() if isinstance(held, list)}
        length = max(map(len, lists.values()), default=0)
        value = [{key: held[place] for key, held in lists.items() if place < len(held)} for place in range(length)]
    found = []
    for one in value if isinstance(value, list) else ():
        text = next(
            (str(text) for key in ("wiki_context", "search_context", "description") if (text := _key(one, key))), ""
        )
        if text:
            found.append((str(_key(one, "title") or ""), text))
    return found
