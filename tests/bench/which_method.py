"""Prints what ready comparisons measured into the lesson "Which method for me?", in both languages.

``tunewiz run comparison/course`` (and ``comparison/methods``, ``comparison/negatives-embedding``) first, then
``python -m tests.bench.which_method RUN...``: the tables between the marks of the lesson are written anew from these
runs. The sentences around them are written by hand: read them again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tunewiz.backends.reports.blocks import Block, Paragraph, Table, markdown
from tunewiz.backends.reports.efforts import efforts
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.comparing import laid_beside
from tunewiz.backends.runs.find import find, runs_dir
from tunewiz.backends.runs.follow import read_state
from tunewiz.backends.runs.run import Run
from tunewiz.files import read_json
from tunewiz.language import LANGUAGES, Language, use
from tunewiz.presets.yaml.library import load

LESSONS: Final = Path(__file__).resolve().parents[2] / "tui" / "lessons"
_MARKED: Final = re.compile(r"(<!-- measured -->\n).*?(<!-- /measured -->)", re.DOTALL)
#: Of each comparison, in both languages; what has none here is told by its name alone.
_TOLD: Final = {
    "course": {
        "en": "A language model, full and LoRA, and an embedding model by contrast, on samples of the same topics",
        "zh": "语言模型的全参数与 LoRA 微调，向量模型的对比学习，用的是同样主题的样例数据",
    },
    "methods": {"en": "One language model, three methods, the same rows", "zh": "同一个语言模型，三种方法，同一份数据"},
    "negatives-embedding": {
        "en": "One embedding model, four kinds of negatives",
        "zh": "同一个向量模型，四种负例",
    },
}


def tables(runs: Sequence[Run], language: Language) -> str:
    """What was measured of ``runs``, as Markdown in ``language``."""
    use(language)
    try:
        return markdown([block for run in runs for block in _blocks(run, language)])
    finally:
        use("en")


def _blocks(run: Run, language: Language) -> Iterator[Block]:
    inner = laid_beside(run)
    preset = load(str(run.preset_file))
    told = _TOLD.get(preset.name, {}).get(language, preset.name)
    models = dict.fromkeys(MetricsFile.of(one.report).base_model for one in inner)
    begin, between, end = ("（", "；", "）：") if language == "zh" else (" (", "; ", "):")
    facts = (f"`tunewiz run comparison/{preset.name}`", ", ".join(models), _machine(inner[0]))
    yield Paragraph(f"{told}{begin}{between.join(facts)}{end}")
    rows = efforts(inner, [read_state(one) for one in inner])
    every = [_measures(inner, language), *([row.name, *(value or "–" for value in row.values)] for row in rows)]
    yield Table(["", *(one.name for one in inner)], every, frozenset(range(1, len(inner) + 1)))


def _measures(runs: Sequence[Run], language: Language) -> list[str]:
    """The deciding measure before and after."""
    cells = []
    for run in runs:
        numbers = MetricsFile.of(run.report)
        before, after = ((side or {}).get(numbers.primary) for side in (numbers.before, numbers.after))
        sides = " → ".join("–" if value is None else f"{value:.3f}" for value in (before, after))
        cells.append(f"{numbers.primary} {sides}")
    return [{"en": "before → after", "zh": "训练前 → 训练后"}[language], *cells]


def _machine(run: Run) -> str:
    record: Any = read_json(run.record_file) or {}
    machine = record.get("hardware", {})
    cards = [str(one.get("name")) for one in machine.get("gpus", []) if one.get("name")]
    return ", ".join(cards) or f"{machine.get('cores', '?')} × {machine.get('processor', 'CPU')}"


def main(names: Sequence[str]) -> None:
    """Write the lesson anew."""
    runs = [find(name, runs_dir(None)) for name in names]
    for language in LANGUAGES:
        file = LESSONS / f"which-method.{language}.md"
        text = file.read_text(encoding="utf-8")
        told = tables(runs, language)
        file.write_text(_MARKED.sub(lambda found, told=told: f"{found[1]}{told}{found[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
