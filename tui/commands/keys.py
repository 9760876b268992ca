"""``keys``: every key of a preset, what it takes and what is usual. ``lesson``: short lessons, read in the terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from tunewiz.language import N_, translate
from tunewiz.language import translate as _
from tunewiz.presets import tasks
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.yaml import fields
from tunewiz.presets.yaml.validation import suggestion
from tunewiz.problems import BadPreset, ExitCode, error, say
from tunewiz.tui.commands.options import AsJson, finish
from tunewiz.tui.forms.questions import Question, choices


@dataclass(frozen=True)
class Known:
    """A key as it is asked for, its default, and with which choices of other keys it is there ("": always)."""

    question: Question
    default: Any
    needs: str


def keys(
    words: Annotated[list[str] | None, typer.Argument(metavar="KEY|WORDS", help=_("A key, or part of one."))] = None,
    task: Annotated[str, typer.Option("--task", help=_("Only those of this task."))] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help=_("All there is to say of each, as Markdown."))] = False,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz keys``."""
    finish(lambda: run_keys(words or (), task, markdown, as_json))


def run_keys(words: Sequence[str], task: str, markdown: bool, as_json: bool) -> int:
    """Tell of the keys that have all of ``words`` in their name or title; of a few of them everything."""
    known = list(tasks.catalogue())
    if task and task not in known:
        fix = suggestion(task, known) or say("Choose one of: {names}.", names=tuple(known))
        raise BadPreset(error("unknown-task", say("There is no task {name}.", name=task), fix=fix))
    found = [one for one in reference([task] if task else known) if _asked(one[0], words)]
    if not found:
        message = say("No key has {words} in its name.", words=" ".join(words))
        every = [one.question.path for one, _tasks in reference(known)]
        near = [*(".".join(path) for path in every), *(path[-1] for path in every)]
        raise BadPreset(error("no-such-key", message, fix=suggestion(" ".join(words), near)))
    if as_json:
        print(json.dumps([_plain(*one) for one in found], ensure_ascii=False))
    elif markdown:
        print("\n".join(line for one in found for line in _markdown(*one)))
    elif words:
        print("\n\n".join("\n".join(_told(*one)) for one in found))
    else:
        _listed(found)
    return int(ExitCode.OK)


def reference(names: Sequence[str]) -> list[tuple[Known, list[str]]]:
    """Every key of the tasks ``names`` with the tasks that have it so, in the order in which they are written."""
    found: dict[tuple[str, ...], tuple[Known, list[str]]] = {}
    for task in names:
        for one in _keys_of(Draft(answers={"task": task})):
            alike = (one.question.key, one.needs, repr(one.default), *one.question.help())
            found.setdefault(alike, (one, []))[1].append(task)
    return list(found.values())


def _keys_of(draft: Draft) -> Iterator[Known]:
    """The keys of ``draft``; below a key that picks among sections those of each choice."""
    chosen_by: dict[tuple[str, ...], list[str]] = {}
    found: dict[tuple[str, ...], tuple[Question, Any]] = {}
    for path in draft.paths():
        info = draft.field(path)
        if info is None:
            continue
        if not fields.section_of(info.annotation, draft.value(path)):
            found.setdefault(path, (Question(path, info, choices(info)), draft.default(path)))
            continue
        for choice in choices(info):
            chosen = draft.answer((*path, fields.chooser(info)), choice.value)
            for below in chosen.paths(path):
                field = chosen.field(below)
                if field is None or below[-1] == fields.chooser(info):
                    continue
                found.setdefault(below, (Question(below, field, choices(field)), chosen.default(below)))
                chosen_by.setdefault(below, []).append(choice.value)
    for path, (question, default) in found.items():
        needs = f"{path[0]}: {', '.join(chosen_by[path])}" if path in chosen_by else ""
        yield Known(question, default, needs)


def _asked(one: Known, words: Sequence[str]) -> bool:
    question = one.question
    if list(words) == [question.key]:
        return True
    text = f"{question.key} {question.title}".lower()
    return all(word.lower() in text for word in words)


def _told(one: Known, names: Sequence[str]) -> Iterator[str]:
    question = one.question
    yield f"{question.key}  {question.title}  ({_where(names)})"
    for line in question.help():
        yield f"  {line}"
    for label, words in _beside(one):
        yield f"  {label} {words}"


def _markdown(one: Known, names: Sequence[str]) -> Iterator[str]:
    question = one.question
    yield f"### `{question.key}`\n"
    yield f"**{question.title}** · {_where(names)}\n"
    yield from (f"- {line.strip()}" for line in question.help() if line.strip())
    yield from (f"- {label} `{words}`" for label, words in _beside(one))
    yield ""


def _beside(one: Known) -> Iterator[tuple[str, str]]:
    yield translate(N_("Default:")), _default(one)
    if one.needs:
        yield translate(N_("With:")), one.needs


def _plain(one: Known, names: Sequence[str]) -> Mapping[str, Any]:
    question = one.question
    return {"key": question.key, "title": question.title, "tasks": list(names), "description": question.description,
            "takes": question.rule, "choices": [choice.value for choice in question.choices],
            "default": one.default, "with": one.needs}  # fmt: skip


def _default(one: Known) -> str:
    if one.question.info.is_required():
        return translate(N_("required"))
    return one.question.write(one.default) or translate(N_("nothing"))


def _listed(found: Sequence[tuple[Known, list[str]]]) -> None:
    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    for title in (N_("key"), N_("default"), N_("what it is"), N_("tasks")):
        table.add_column(translate(title), no_wrap=title == "key", overflow="fold")
    for one, names in found:
        table.add_row(*map(Text, (one.question.key, _default(one)[:24], one.question.title, _where(names))))
    console.print(table)
    console.print(Text(translate(N_("All of one: tunewiz keys KEY"))))


def _where(names: Sequence[str]) -> str:
    """The tasks that have a key, in the room of a column."""
    others = [task for task in tasks.catalogue() if task not in names]
    if len(others) > 1:
        return ", ".join(names)
    return say("all but {task}", task=others[0]).text() if others else translate(N_("all"))


# ``tunewiz lesson``.


def lesson(
    name: Annotated[str, typer.Argument(metavar="LESSON", help=_("The lesson, or part of its name."))] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help=_("As Markdown."))] = False,
    as_json: AsJson = False,
) -> None:
    """What is typed after ``tunewiz lesson``."""
    finish(lambda: run_lesson(name, markdown, as_json))


def run_lesson(name: str, markdown: bool, as_json: bool) -> int:
    """Print the lesson ``name``, in the current language; without one, or where several are meant, their names."""
    from tunewiz.tui.screens import lesson as lessons

    known = lessons.topics()
    found = [name] if name in known else [topic for topic in known if name.lower() in topic]
    if not found:
        message = say("There is no lesson {name}.", name=name)
        raise BadPreset(error("no-such-lesson", message, fix=suggestion(name, known)))
    every = [lessons.lesson(topic) for topic in found]
    if as_json:
        told = [{"lesson": one.topic, "title": one.title, "text": one.text} for one in every]
        print(json.dumps(told, ensure_ascii=False))
    elif len(every) > 1:
        width = max(len(one.topic) for one in every)
        print("\n".join(f"{one.topic:<{width}}  {one.title}" for one in every))
    elif markdown:
        print(f"# {every[0].title}\n\n{every[0].text}")
    else:
        Console().print(Markdown(f"# {every[0].title}\n\n{_COMMENT.sub('', every[0].text)}"))
    return int(ExitCode.OK)


#: What a lesson says to programs: where its numbers are printed anew.
_COMMENT = re.compile(r"<!--.*?-->\n?")
