"""The chat template that goes out with a model, by which servers write a conversation as it was trained."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jinja2 import TemplateError

from tunewiz.backends.language_models.encoded_rows import prompt_ids
from tunewiz.backends.language_models.loaded_model import Loaded
from tunewiz.problems import Problem, note, say, warning

_Turns = Sequence[Mapping[str, str]]
#: A question alone, one with a system prompt, and one after an answer: what every template has to write.
_PROBES: Final[Sequence[tuple[str, _Turns]]] = (
    ("", [{"role": "user", "content": "How do I pay?"}]),
    ("Be brief.", [{"role": "user", "content": "怎么付款？"}]),
    ("", [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."},
          {"role": "user", "content": "Where?"}]),
)  # fmt: skip


def settle_template(loaded: Loaded, uses_tools: bool) -> Problem | None:
    """Let ``loaded.tokenizer`` write conversations as they were trained; what was done about it, if anything.

    The model's own template stays wherever it does so, with its defaults set where only those differ. LLaMA-Factory's
    takes its place only where no row calls tools, which it does not write.
    """
    tokenizer = loaded.tokenizer
    own = tokenizer.chat_template
    for template in _candidates(loaded, uses_tools):
        tokenizer.chat_template = template
        if _writes_alike(loaded):
            if template == own:
                return None
            message = say(
                "The chat template of the exported model was set to what was trained: the base model's own writes "
                "a question otherwise."
            )
            return note("chat-template-set", message)
    tokenizer.chat_template = own
    message = say("The exported model's own chat template writes a question otherwise than it was trained.")
    fix = say("`tunewiz try` writes it as trained; in a server give system prompt and switches as in the preset.")
    return warning("chat-template-differs", message, fix=fix)


def _candidates(loaded: Loaded, uses_tools: bool) -> Iterator[str]:
    own, template = loaded.tokenizer.chat_template, loaded.template
    if isinstance(own, str):
        yield own
        thinking = _thinking(template)
        system = _system(template.default_system)
        for defaults in (thinking, system, thinking + system):
            if defaults:
                yield defaults + own
    if not uses_tools:
        try:
            yield template._get_jinja_template(loaded.tokenizer)
        except ValueError:  # a slot that Jinja has no words for
            return


def _thinking(template: Any) -> str:
    """Whether answers begin with thoughts, where the one who asks does not say so."""
    wanted = getattr(template, "enable_thinking", None)
    if wanted is None:
        return ""
    value = "true" if wanted else "false"
    return f"{{%- if enable_thinking is not defined %}}{{%- set enable_thinking = {value} %}}{{%- endif %}}"


def _system(text: str) -> str:
    """The system prompt of conversations that have none."""
    if not text:
        return ""
    said = f"[{{'role': 'system', 'content': {json.dumps(text)}}}]"
    return f"{{%- if messages[0]['role'] != 'system' %}}{{%- set messages = {said} + messages %}}{{%- endif %}}"


def _writes_alike(loaded: Loaded) -> bool:
    for system, turns in _PROBES:
        spoken = [{"role": "system", "content": system}, *turns] if system else turns
        try:
            written = loaded.tokenizer.apply_chat_template(
                [dict(turn) for turn in spoken], add_generation_prompt=True, tokenize=True, return_dict=False
            )
        except (TemplateError, TypeError, ValueError):  # a template is a program of whoever made the model
            return False
        if list(written) != prompt_ids(loaded, [dict(turn) for turn in turns], system):
            return False
    return True
