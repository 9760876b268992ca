"""Options that change rows reach training, measuring, ``check --rows``, chat and export alike."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.children.llm_setup import preset
from tunewiz.backends.engines.llama_factory import run_exp_arguments
from tunewiz.backends.language_models.chat_templates import settle_template
from tunewiz.backends.language_models.encoded_rows import IGNORED, encode_row, prompt_ids, read_rows, write
from tunewiz.backends.language_models.loaded_model import Loaded, Places, tokenizing
from tunewiz.data.chat.prepared import PreparedLlm
from tunewiz.data.rows.conversations import Conversation, Turn
from tunewiz.presets.tasks.llm import LlmPreset

pytestmark = pytest.mark.timeout(600)

THOUGHT = "<think>\nthe disk\n</think>\n\n"
TOOLS = '[{"name": "stop", "description": "stops the server", "parameters": {"type": "object", "properties": {}}}]'
ROWS = {
    "plain": Conversation((Turn("user", "train the gpu"), Turn("assistant", "use the server"))),
    "turns": Conversation((Turn("user", "run"), Turn("assistant", THOUGHT + "stop"), Turn("user", "how"),
                           Turn("assistant", THOUGHT + "resume"))),
    "tools": Conversation((Turn("user", "stop"), Turn("call", '{"name": "stop", "arguments": {}}'),
                           Turn("tool", "done"), Turn("assistant", "it is")), tools=TOOLS),
}  # fmt: skip
#: What a preset says, the row that shows it, and what stands in its text then but not without it.
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "default_system": ({"backend_options": {"default_system": "像 \"pirate\"\n{{ no }} 'x'"}}, "plain", "pirate"),
    "no system": ({"backend_options": {"default_system": ""}}, "plain", ""),
    "data.system": ({"data": {"system": "Be brief."}}, "plain", "Be brief."),
    "thinking": ({"backend_options": {"enable_thinking": True}}, "plain", ""),
    "no thinking": ({"backend_options": {"enable_thinking": False}}, "turns", ""),
    "preserve": ({"backend_options": {"preserve_thinking": True, "enable_thinking": True},
                  "training": {"trained_on": "last_answer"}}, "turns", ""),
    "tool_format": ({"backend_options": {"tool_format": "llama3"}}, "tools", "Cutting Knowledge"),
    "everything": ({"training": {"trained_on": "everything"}}, "turns", ""),
    "last_answer": ({"training": {"trained_on": "last_answer"}}, "turns", ""),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library writes options into templates that a process shares."""
    from llamafactory.data import template

    monkeypatch.setattr(template, "TEMPLATES", copy.deepcopy(template.TEMPLATES))


def _trained(wanted: LlmPreset, places: Places) -> list[tuple[list[int], list[int]]]:
    """Ids and labels of the rows as ``run_exp`` makes them."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    model_args, data_args, training_args, _, _ = get_train_args(run_exp_arguments(wanted, places, "fp32", "cpu"))
    module = load_tokenizer(model_args)
    template = get_template_and_fix_tokenizer(module["tokenizer"], data_args)
    found = get_dataset(template, model_args, data_args, training_args, stage="sft", **module)["train_dataset"]
    return [(row["input_ids"], row["labels"]) for row in found]


@pytest.mark.parametrize("case", CASES)
def test_every_reader_sees_the_same_tokens(case: str, tiny_llm: Path, tmp_path: Path) -> None:
    sections, name, said = CASES[case]
    wanted = preset(tiny_llm, **sections)
    row = replace(ROWS[name], system=wanted.data.system or "")
    places = Places(str(tiny_llm), str(write(PreparedLlm("sft", train=[row]), tmp_path)), str(tmp_path / "out"),
                    "qwen3", "sft", False)  # fmt: skip
    loaded = tokenizing(wanted, places)
    measured = encode_row(loaded, row)["answer"]
    assert [(list(measured.ids), list(measured.labels))] == _trained(wanted, places)
    shown = read_rows(wanted, places, [row], 1).rows[0]
    text = loaded.tokenizer.decode(measured.ids)
    assert "".join(piece.text for piece in shown.pieces) == text
    assert shown.learned == sum(label != IGNORED for label in measured.labels)
    assert said in text and (
        not said or said not in loaded.tokenizer.decode(encode_row(_plain(wanted), ROWS[name])["answer"].ids)
    )


def _plain(wanted: LlmPreset) -> Loaded:
    """What reads rows without any of the options."""
    from llamafactory.data import template

    for one in template.TEMPLATES.values():
        one.default_system = ""
    template.TEMPLATES["qwen3"] = copy.deepcopy(template.TEMPLATES["qwen3_nothink"])
    without = wanted.model_copy(update={"backend_options": {}, "data": preset(Path(wanted.model.id)).data})
    return tokenizing(without, Places(wanted.model.id, "", "", "qwen3", "sft", False))


@pytest.mark.parametrize("case", ["default_system", "data.system", "no system", "thinking", "no thinking"])
def test_a_chat_and_an_exported_template_ask_as_was_trained(case: str, tiny_llm: Path) -> None:
    wanted = preset(tiny_llm, **CASES[case][0])
    loaded = tokenizing(wanted, Places(str(tiny_llm), "", "", "qwen3", "sft", False))
    row = replace(ROWS["plain"], system=wanted.data.system or "")
    trained = encode_row(loaded, row)["answer"]
    question = [{"role": "user", "content": row.question}]
    asked = prompt_ids(loaded, question)
    assert list(trained.ids[: len(asked)]) == asked
    assert set(trained.labels[: len(asked)]) == {IGNORED}
    # The tiny model's own template knows no switch: one like Qwen's is written for it.
    loaded.tokenizer.chat_template += (
        "{% if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    )
    own = loaded.tokenizer.chat_template
    told = settle_template(loaded, uses_tools=True)
    assert (told is None) == (loaded.tokenizer.chat_template == own) == (case == "thinking")
    written = loaded.tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=False)
    assert list(written) == asked


def test_a_template_that_writes_otherwise_gives_way_or_is_told(tiny_llm: Path) -> None:
    loaded = tokenizing(preset(tiny_llm), Places(str(tiny_llm), "", "", "llama3", "sft", False))
    own = loaded.tokenizer.chat_template
    told = settle_template(loaded, uses_tools=True)
    assert told is not None and told.code == "chat-template-differs"
    assert loaded.tokenizer.chat_template == own
    told = settle_template(loaded, uses_tools=False)
    assert told is not None and told.code == "chat-template-set"
    question = [{"role": "user", "content": "why"}]
    written = loaded.tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=False)
    assert list(written) == prompt_ids(loaded, question)
