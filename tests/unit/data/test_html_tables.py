"""Tables of HTML pages, which offices also save under the name of a workbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.data.inspection import inspect
from tunewiz.data.opening.opened import open_dataset, read_examples
from tunewiz.data.reading.source import Dataset
from tunewiz.data.rows.examples import Group
from tunewiz.problems import BadData, Problem

PAIRS = [(f"第{n}个问题怎么办？", f"到{n}号窗口办理。") for n in range(12)]
ROWS = "".join(f"<tr><td>{q}</td><td>{a}</td></tr>\n" for q, a in PAIRS)
HEAD = "<tr><th>问题</th><th>答复</th></tr>"


def pairs(path: Path, text: str, encoding: str = "utf-8") -> list[tuple[str, ...]]:
    path.write_bytes(text.encode(encoding))
    told: list[Problem] = []
    found = list(read_examples(open_dataset(Dataset(str(path)), told.append), told.append))
    assert [problem for problem in told if problem.severity == "error"] == []
    return [(one.query, *one.positives) for one in found if isinstance(one, Group)]


@pytest.mark.parametrize("name", ["page.html", "校园问答.xls", "page.htm"])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
@pytest.mark.parametrize(
    "start", ["<!DOCTYPE html><html><body>", "<html xmlns:x='urn:x'>\n<head><meta charset=gbk>", ""]
)
def test_a_page_with_a_table_is_read_whatever_it_is_called(
    tmp_path: Path, name: str, encoding: str, start: str
) -> None:
    assert pairs(tmp_path / name, f"{start}<table>{HEAD}{ROWS}</table>", encoding) == PAIRS


def test_titles_spans_breaks_and_other_tables_are_as_they_look(tmp_path: Path) -> None:
    rows = "".join(
        f"<tr>{'<td rowspan=3>教务</td>' if n % 3 == 0 else ''}<td>{q}<td>{a}<br>谢谢&nbsp;！</tr>"
        for n, (q, a) in enumerate(PAIRS)
    )
    text = (
        "<html><style>td{color:red}</style><table><tr><td>登录</td></tr></table>"
        f"<table><tr><td colspan=3>常见问题</td></tr><tr><td>类别<td>问题<td>答复</tr>{rows}</table></html>"
    )
    assert pairs(tmp_path / "page.html", text) == [(q, f"{a}\n谢谢 ！") for q, a in PAIRS]
    found = inspect(Dataset(str(tmp_path / "page.html")), "embedding")
    assert found.source is not None
    assert found.source.columns == ("类别", "问题", "答复")
    assert "title-rows" in {finding.code for finding in found.findings}


@pytest.mark.parametrize(
    "text", ["<html><p>Nothing here.</p></html>", "<html><table><tr><td>One</table>", "<!DOCTYPE html>"]
)
def test_a_page_without_a_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadData) as refused:
        open_dataset(Dataset(str(path)), lambda _problem: None)
    assert refused.value.problems[0].code == "unsupported-file"


def test_a_table_that_is_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    assert pairs(tmp_path / "page.html", f"<html><table>{HEAD}{ROWS}<tr><td>最后")[: len(PAIRS)] == PAIRS
    wide = f"<table>{HEAD}{ROWS}<tr><td rowspan=99999999 colspan=99999999>x</td></tr></table>"
    assert pairs(tmp_path / "wide.html", wide)[: len(PAIRS)] == PAIRS


def test_markdown_that_begins_with_a_tag_is_no_page(tmp_path: Path) -> None:
    rows = "".join(f"| {q} | {a} |\n" for q, a in PAIRS)
    text = f'<div align="center">\n\n# 常见问题\n\n</div>\n\n| 问题 | 答复 |\n|---|---|\n{rows}'
    (tmp_path / "faq.md").write_text(text, encoding="utf-8")
    found = inspect(Dataset(str(tmp_path / "faq.md")), "embedding")
    assert "unsupported-file" not in {finding.code for finding in found.findings}


@pytest.mark.parametrize(
    "start", ["<!-- exported -->\n", "<meta charset=utf-8>", "<?xml version='1.0'?>\n<html>", "\ufeff<html>"]
)
def test_a_file_that_is_called_a_page_may_begin_with_any_tag(tmp_path: Path, start: str) -> None:
    assert pairs(tmp_path / "page.html", f"{start}<table>{HEAD}{ROWS}</table>") == PAIRS
