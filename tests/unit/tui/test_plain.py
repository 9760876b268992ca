"""The plain wizard, answered from a pipe."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from tunewiz.language import use
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.drafts.kept import drafts, fresh
from tunewiz.presets.yaml.library import load
from tunewiz.problems import ExitCode
from tunewiz.tui.plain import Dialogue, Left, Plain, run_plain

pytestmark = pytest.mark.usefixtures("in_english")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "TUNEWIZ_RUNS", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_batch_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The steps are the same where Slurm is installed."""
    monkeypatch.setattr("tunewiz.tui.wizard.machine.batch_system", lambda: False)


@pytest.fixture
def answered(tmp_path: Path) -> tuple[list[Path], io.StringIO]:
    return [], io.StringIO()


class Replies(io.StringIO):
    """Answers a prompt by the word it begins with, in turn if there are several answers; everything else with Enter."""

    def __init__(self, out: io.StringIO, replies: dict[str, list[str]]) -> None:
        super().__init__()
        self._out = out
        self._replies = replies

    def readline(self, size: int = -1, /) -> str:
        prompt = self._out.getvalue().rpartition("\n")[2]
        waiting = next((given for begin, given in self._replies.items() if prompt.startswith(begin)), [])
        return (waiting.pop(0) if waiting else "") + "\n"


def run(text: str, started: list[Path], out: io.StringIO) -> int:
    def start(file: Path) -> int:
        started.append(file)
        return 0

    return run_plain(io.StringIO(text), out, start)


def test_only_the_data_need_be_named(answered: tuple[list[Path], io.StringIO], tmp_path: Path) -> None:
    started, out = answered
    file = tmp_path / "mine.yaml"
    replies = {"Training data": ["sample:faq-en"], "Save the preset": [str(file)], "Run it now": ["y"]}
    assert run_plain(Replies(out, replies), out, lambda path: started.append(path) or 0) == 0  # type: ignore[func-returns-value]
    assert started == [file]
    preset = load(file).model_dump()
    assert preset["data"]["train"] == "sample:faq-en"
    assert preset["loss"]["name"] == "multiple_negatives_ranking"
    assert preset["model"]["source"] == "starter"
    assert preset["training"]["max_length"] == 128
    assert drafts() == []
    assert "680 queries" in out.getvalue()


def test_a_wrong_answer_is_told_and_asked_again(answered: tuple[list[Path], io.StringIO], tmp_path: Path) -> None:
    out = answered[1]
    replies = {
        "Training data": ["no-such.csv", "sample:faq-en"],
        "Epochs": ["many", "2"],
        "Method": ["2"],
        "Save the preset": ["no/../../such\0", f"{tmp_path}/x.yaml"],
    }
    assert run_plain(Replies(out, replies), out) == 0
    told = out.getvalue()
    assert "There is no such file" in told
    assert '"many" does not fit: expected a number above 0' in told
    preset = load(tmp_path / "x.yaml").model_dump()
    assert preset["training"]["epochs"] == 2
    assert preset["method"]["type"] == "lora"


def test_questions_can_be_explained_gone_back_to_and_asked_in_full(answered: tuple[list[Path], io.StringIO]) -> None:
    started, out = answered
    code = run("\nsample:faq-en\n<\n?\n\n\n\n*\nlora\n8\n", started, out)
    told = out.getvalue()
    assert code == ExitCode.FAILED
    assert told.count("== 2.") == 2
    assert "A file (csv, tsv, json, jsonl, parquet, xlsx, also .gz)" in told
    assert "Rank (method.rank)" in told
    assert drafts()[0].draft.value(("method", "rank")) == 8
    assert started == []


def test_an_end_of_answers_keeps_the_draft(answered: tuple[list[Path], io.StringIO]) -> None:
    started, out = answered
    assert run("\nsample:faq-en\n", started, out) == ExitCode.FAILED
    assert "kept" in out.getvalue()
    assert drafts()[0].draft.value(("data", "train")) == "sample:faq-en"
    assert started == []


def test_nothing_answered_leaves_nothing(answered: tuple[list[Path], io.StringIO]) -> None:
    started, out = answered
    assert run("", started, out) == ExitCode.FAILED
    assert drafts() == []


def test_ctrl_c_leaves_in_order(answered: tuple[list[Path], io.StringIO]) -> None:
    class Interrupted(io.StringIO):
        def readline(self, size: int = -1, /) -> str:
            raise KeyboardInterrupt

    assert run_plain(Interrupted(), answered[1]) == ExitCode.STOPPED


def test_it_speaks_chinese(answered: tuple[list[Path], io.StringIO]) -> None:
    use("zh")
    try:
        run("\nsample:faq-zh\n", *answered)
    finally:
        use(None)
    assert "data.train" in answered[1].getvalue()
    assert drafts()[0].draft.value(("model", "id")) == "starter-multilingual"


def test_hostile_answers_come_back_harmless(answered: tuple[list[Path], io.StringIO]) -> None:
    run("\n\x1b[2J\u202e\nsample:faq-en\n", *answered)
    assert "\x1b" not in answered[1].getvalue()
    assert "\u202e" not in answered[1].getvalue()


def test_code_of_a_model_runs_only_after_a_yes(answered: tuple[list[Path], io.StringIO], tmp_path: Path) -> None:
    out = answered[1]
    replies = {
        "Training data": ["sample:faq-en"],
        "Model [": ["*"],
        "Trust remote code": ["yes", "yes"],
        "Run the Python code": ["", "y"],
        "Save the preset": [str(tmp_path / "x.yaml")],
    }
    run_plain(Replies(out, replies), out)
    told = out.getvalue()
    assert told.count("Run the Python code that comes with all-MiniLM-L6-v2? [y/N]") == 1
    assert told.count("It runs with your rights") == 1
    assert load(tmp_path / "x.yaml").model.trust_remote_code is False
    again = io.StringIO()
    replies = {
        "Training data": ["sample:faq-en"],
        "Model [": ["*"],
        "Trust remote code": ["yes"],
        "Run the Python code": ["y"],
        "Save the preset": [str(tmp_path / "y.yaml")],
    }
    run_plain(Replies(again, replies), again)
    assert load(tmp_path / "y.yaml").model.trust_remote_code is True


@pytest.mark.parametrize(("model", "asked"), [("", 0), ("other/model", 1)])
def test_another_model_is_asked_about_again(model: str, asked: int, tmp_path: Path) -> None:
    out = io.StringIO()
    draft = Draft(folder=str(tmp_path))
    model_said = ((("model", "id"), "all-MiniLM-L6-v2"), (("model", "source"), "auto"))
    for path, value in (*model_said, (("data", "train"), "sample:faq-en")):
        draft = draft.answer(path, value)
    replies = Replies(out, {"Model [": [model] if model else [], "Run the Python code": ["n"]})
    came = Plain(Dialogue(replies, out), fresh(draft.trust())).run()
    assert out.getvalue().count(f"Run the Python code that comes with {model}?") == asked
    assert came.value(("model", "trust_remote_code")) is not bool(asked)


def test_a_token_in_an_answer_is_neither_echoed_nor_kept(answered: tuple[list[Path], io.StringIO]) -> None:
    token = "hf_QwErTyUiOpAsDfGhJkLzXcVbNm01234567"
    started, out = answered
    run(f"\nsample:faq-en\n{token}\n", started, out)
    assert token not in out.getvalue()
    assert "(redacted)" in out.getvalue()
    assert token not in drafts()[0].file.read_text(encoding="utf-8")


def test_going_back_at_the_end_mends_a_step(answered: tuple[list[Path], io.StringIO]) -> None:
    started, out = answered
    plain = Plain(Dialogue(io.StringIO("4\n\n7\n<\n"), out), fresh(Draft(folder=str(Path.cwd()))))
    plain.state = replace(plain.state, draft=plain.state.draft.answer(("training", "epochs"), "many")).settled()
    with pytest.raises(Left):
        plain.mend()
    assert "Which step again? 1 " in out.getvalue()
    assert "7 Review [1]" in out.getvalue()  # the first step where something is missing or wrong
    assert "== 4. Method ==" in out.getvalue()
    assert started == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_lines_that_it_need_not_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    told, piped = Terminal(), io.StringIO()
    text = (
        "  Begin from a preset that works, or choose everything yourself.\n\nThen 先看看整个过程，再决定要不要走下去。"
    )
    for out in (told, piped):
        Dialogue(io.StringIO(), out).tell(text)
    assert piped.getvalue() == f"{text}\n"
    lines = told.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 40 and lines[0].startswith("  Begin") and lines[1].startswith("  ")
    assert "".join(told.getvalue().split()) == "".join(text.split())
