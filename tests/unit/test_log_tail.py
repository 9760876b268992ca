"""The end of a log, safe to show."""

from pathlib import Path

from backends.runs.log_tail import FIRST_READ, LogTail


def test_lines_come_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    tail = LogTail(file)
    assert tail.update() == ()
    file.write_bytes(b"one\ntw")
    assert tail.update() == ("one", "tw")
    assert tail.update() is tail.update()
    with file.open("ab") as stream:
        stream.write(b"o\nthree\n")
    assert tail.update() == ("one", "two", "three")


def test_a_progress_bar_shows_as_it_ended(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b" 0%|  |\r 50%|# |\r100%|##|\r\nnext\r\n 10%|\r 20%|")
    assert LogTail(file).update() == ("100%|##|", "next", " 20%|")


def test_escapes_and_other_control_characters_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1bc\x00\xff\xe2\x80\xae\n" + b"y" * 5000 + b"\n")
    lines = LogTail(file).update()
    assert lines[0] == "red x\\x1bc\\x00\ufffd\\u202e"
    assert len(lines[1]) == 1001


def test_only_the_end_of_a_large_log_is_read(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"".join(b"line %07d\n" % number for number in range(2 * FIRST_READ // 13)))
    lines = LogTail(file, kept=100).update()
    assert len(lines) == 100
    assert lines[-1] == f"line {2 * FIRST_READ // 13 - 1:07d}"


def test_a_log_that_begins_afresh_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "output.log"
    file.write_bytes(b"old\n" * 10)
    tail = LogTail(file)
    tail.update()
    file.write_bytes(b"new\n")
    assert tail.update()[-1] == "new"
