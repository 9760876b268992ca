"""Bare documents: what is read of each kind of file, and how it is cut into passages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.data.documents.passages import FEWEST, MOST, held_out, passages_of, sentences
from tunewiz.data.documents.reading import Block, Document, read_documents
from tunewiz.data.inspection import inspect
from tunewiz.data.reading.source import Dataset
from tunewiz.data.text.lengths import estimate_tokens
from tunewiz.problems import BadData, Problem

PAGE = """<?xml version="1.0" encoding="utf-8"?><html><head><title>x</title><style>p {}</style></head><body>
<nav>Home | About</nav><main><h1>Rules</h1><h2>Loans &amp; fees</h2><p>Eight books<br>for four
weeks.</p><table><tr><td>late</td><td>20 cents</td></tr></table></main><footer>Imprint</footer></body></html>"""


def _pdf(path: Path, pages: list[list[str]]) -> None:
    """A PDF with a line of text for each of ``pages``, written by hand: the kept library only reads."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects += [f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()]
    objects += [b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for number, lines in enumerate(pages):
        drawn = " T* ".join(f"({line}) Tj" for line in lines)
        stream = f"BT /F1 12 Tf 14 TL 50 800 Td {drawn} ET".encode()
        fonts = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 600 850]"
        objects += [f"<< /Type /Page /Parent 2 0 R /Contents {5 + 2 * number} 0 R {fonts} >>".encode()]
        objects += [b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)]
    body, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    tail = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    path.write_bytes(body + tail.encode() + f"startxref\n{len(body)}\n%%EOF\n".encode())


def test_every_kind_of_document_is_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/guide.md").write_text(
        "---\ntitle: x\n---\nBefore.\n# Machine\n\n## Cleaning\nRinse [the tray](http://x). \n\n"
        "```\n# no heading\n```\n\nUnderlined\n---\nMore.\n",
        encoding="utf-8",
    )
    (tmp_path / "规定.txt").write_bytes(
        "第一章 年假\n员工每年有十天年假。\n\n第二章 报销\n十天内提交。\n".encode("gb18030")
    )
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    lines = [["Manual of the pump", f"The pump number {n} moves water and is made of", "steel.", f"page {n} of 4"]
             for n in range(1, 5)]  # fmt: skip
    _pdf(tmp_path / "pump.pdf", lines)
    _pdf(tmp_path / "scan.pdf", [[]])
    (tmp_path / "broken.docx").write_bytes(b"PK no zip")
    import docx

    word = docx.Document()
    word.add_heading("Bikes", 1)
    word.add_paragraph("A bike costs 12 euros.")
    word.add_table(rows=1, cols=2).cell(0, 0).text = "e-bike"
    word.save(str(tmp_path / "bikes.docx"))
    told: list[Problem] = []
    found = {one.name: one.blocks for one in read_documents(str(tmp_path), told.append)}
    assert {(problem.code, problem.where.file) for problem in told} == {
        ("unreadable-document", "broken.docx"), ("no-text", "scan.pdf"),
    }  # fmt: skip
    assert [(block.heading, block.text.strip()) for block in found["sub/guide.md"]] == [
        ("", "Before."),
        ("Machine > Cleaning", "Rinse the tray. \n\n```\n# no heading\n```"),
        ("Machine > Underlined", "More."),
    ]
    assert [block.heading for block in found["规定.txt"]] == ["第一章 年假", "第二章 报销"]
    assert "员工每年有十天年假。" in found["规定.txt"][0].text
    (page,) = found["page.html"]
    assert page.heading == "Rules > Loans & fees"
    assert page.text.split("\n") == ["Eight books", "for four weeks.", "", "late 20 cents"]
    assert found["bikes.docx"][0].heading == "Bikes"
    assert "12 euros" in found["bikes.docx"][0].text and "e-bike" in found["bikes.docx"][0].text
    pump = " ".join(block.text for block in found["pump.pdf"])
    assert "moves water and is made of steel." in pump  # lines broken by the page are one sentence
    assert "Manual of the pump" not in pump and "of 4" not in pump  # what stands on every page
    with pytest.raises(BadData):
        read_documents(str(tmp_path / "scan.pdf"), told.append)


def test_sentences_end_where_they_end() -> None:
    assert sentences("Dr. Lee came. She left. 她走了。“真的？”他问。") == [
        "Dr. Lee came.",
        "She left.",
        "她走了。",
        "“真的？”他问。",
    ]
    assert sentences("Version 2.5 is out! Use e.g. Foo. (Next) one.") == [
        "Version 2.5 is out!", "Use e.g. Foo.", "(Next) one.",
    ]  # fmt: skip


def test_passages_hold_whole_sentences_and_all_of_the_text() -> None:
    english = " ".join(f"Sentence number {n} tells of the {n}th part of the machine." for n in range(120))
    chinese = "".join(f"第{n}条规定了员工在第{n}种情况下的做法和限额。" for n in range(90))
    endless = "word" + "word " * 900
    document = Document(
        "a.md", (Block("H", english), Block("规定", chinese), Block("", endless), Block("s", "Too short."))
    )
    passages = passages_of([document, Document("b.md", (Block("again", english),))])
    assert {one.document for one in passages} == {"a.md"}  # what another file repeats is there once
    assert len({one.name for one in passages}) == len(passages)
    for one in passages:
        body = one.text.split("\n", 1)[-1]
        assert FEWEST <= estimate_tokens(body) <= MOST * 1.1
    told = [one.text.removeprefix("H\n") for one in passages if one.text.startswith("H\n")]
    assert len(told) > 3 and " ".join(told) == english
    assert all(one.text.endswith("。") for one in passages if one.text.startswith("规定"))
    assert "".join(one.text.removeprefix("规定\n") for one in passages if one.text.startswith("规定")) == chinese


def test_the_sides_are_the_same_every_time_and_keep_what_is_alike_together() -> None:
    words = "anchor basket compass hammer kettle ladder lantern violin".split()  # noqa: SIM905
    blocks = [
        Block("", " ".join(words[(n * m) % 8] + str((n + m) % 97) for m in range(1, 60)) + f" number {n}")
        for n in range(40)
    ]
    blocks += [Block("", blocks[0].text + " again")]
    passages = passages_of([Document("x.md", tuple(blocks))])
    aside = held_out(passages, 0.2, 1)
    assert aside == held_out(passages, 0.2, 1) != held_out(passages, 0.2, 2)
    assert 4 <= len(aside) <= 10
    for seed in range(12):
        chosen = held_out(passages, 0.5, seed)
        assert (passages[0].name in chosen) == (passages[-1].name in chosen)
    assert len(held_out(passages[:2], 0.2, 1)) == 1


def test_a_folder_of_documents_is_told_of_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "b.html").write_text("<p>x</p>", encoding="utf-8")
    found = inspect(Dataset(str(tmp_path)), "embedding").findings
    (told,) = [one.first[0] for one in found if one.code == "documents"]
    assert told.fix and "--questions" in told.fix.text("en")
    assert "documents" not in [one.code for one in inspect(Dataset("sample:faq-en"), "embedding").findings]
