"""The README of an exported embedding model or reranker.

What it is, what it was made from, what it brings, how to use it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tunewiz.backends.export.serving import Serving, answers_of, instructions, servers, told_of
from tunewiz.backends.reports.blocks import Block, Bullets, Code, Heading, Paragraph, markdown, verdict
from tunewiz.backends.reports.facts import Facts
from tunewiz.backends.reports.retrieval_report import made_from, numbers
from tunewiz.language import N_, translate
from tunewiz.presets.yaml.tree import write_scalar
from tunewiz.printable import printable
from tunewiz.problems import Message, say

_KINDS: Final = {
    "embedding": N_("An embedding model for retrieval: {base}, fine-tuned on {data} with Tunewiz."),
    "reranker": N_("A reranker for search results: {base}, fine-tuned on {data} with Tunewiz."),
}
#: Licences by the names that Hugging Face gives them.
_LICENCES: Final = {"mit": "mit", "apache-2.0": "apache-2.0", "apache 2.0": "apache-2.0"}


def model_card(facts: Facts, prompts: tuple[str, str], adapter: bool = False, served: Path | None = None) -> str:
    """The card as Markdown with YAML front matter, in the current language.

    ``prompts`` are those of queries and passages; ``adapter``: the card is for the LoRA adapter, not for the model.
    ``served``: the folder of the whole model, for how servers take it.
    """
    return "\n".join(_front(facts, adapter)) + "\n\n" + markdown(list(_body(facts, prompts, adapter, served)))


def _front(facts: Facts, adapter: bool) -> Iterator[str]:
    yield "---"
    yield f"library_name: {'peft' if adapter else 'sentence-transformers'}"
    ranks = facts.preset.task == "reranker"
    yield f"pipeline_tag: {'text-ranking' if ranks else 'sentence-similarity'}"
    tags = "cross-encoder, reranker, text-ranking" if ranks else "sentence-similarity, feature-extraction"
    yield f"tags: [sentence-transformers, {tags}, tunewiz]"
    if "/" in facts.base_model:
        yield f"base_model: {write_scalar(facts.base_model)}"
    if facts.licence:
        licence = _LICENCES.get(facts.licence.lower())
        yield f"license: {licence or 'other'}"
        if licence is None:
            yield f"license_name: {write_scalar(facts.licence)}"
    yield "---"


def _body(facts: Facts, prompts: tuple[str, str], adapter: bool, served: Path | None) -> Iterator[Block]:
    yield Heading(facts.preset.name, 1)
    if facts.preset.description:
        yield Paragraph(printable(facts.preset.description, 2000))  # a card, not a book
    template = _KINDS["reranker" if facts.preset.task == "reranker" else "embedding"]
    yield Paragraph(Message(template, {"base": facts.base_model, "data": facts.data_name}).text())
    yield verdict(facts.verdict)
    yield from numbers(facts)
    yield Heading(translate(N_("How to use it")))
    yield from reranker_usage(facts, adapter) if facts.preset.task == "reranker" else _usage(facts, prompts, adapter)
    if served is not None:
        found = servers(answers_of(facts.preset), served, ".", facts.preset.name)
        yield from serving_section(found, instructions(prompts))
    yield Heading(translate(N_("How it was made")))
    yield Bullets([line.text() for line in made_from(facts, prompts)])
    yield Heading(translate(N_("Licence")))
    yield Paragraph(_licence(facts).text())


def _usage(facts: Facts, prompts: tuple[str, str], adapter: bool) -> Iterator[Block]:
    here = translate(N_("the path of this folder"))
    loading: tuple[str, ...] = (
        "from sentence_transformers import SentenceTransformer",
        "",
        f'model = SentenceTransformer(".")  # {here}',
    )
    if adapter:
        named = json.dumps({"query": prompts[0], "document": prompts[1]}, ensure_ascii=False)
        loading = (
            "from peft import PeftModel",
            "from sentence_transformers import SentenceTransformer",
            "",
            f"model = SentenceTransformer({python_text(facts.base_model)}, prompts={named})",
            f"model.max_seq_length = {facts.preset.training.max_length}",
            f'PeftModel.from_pretrained(model[0].auto_model, ".").merge_and_unload()  # {here}',
        )
    asked, answered = (
        translate(N_("What does this model do?")),
        translate(N_("It turns texts into vectors for search.")),
    )
    lines = (
        *loading,
        f'queries = model.encode_query(["{asked}"])',
        f'documents = model.encode_document(["{answered}"])',
        "print(model.similarity(queries, documents))",
    )
    yield Code("\n".join(lines))
    if any(prompts):
        message = say(
            "encode_query and encode_document put the right text first; with other software put {query} before each "
            "query and {passage} before each document.",
            query=repr(prompts[0]),
            passage=repr(prompts[1]),
        )
        yield Paragraph(message.text())


def reranker_usage(facts: Facts, adapter: bool) -> Iterator[Block]:
    """A program that puts documents in order."""
    here = translate(N_("the path of this folder"))
    loading: tuple[str, ...] = ("from sentence_transformers import CrossEncoder", "")
    if adapter:
        loading = (
            "from peft import PeftModel",
            *loading,
            f"model = CrossEncoder({python_text(facts.base_model)}, num_labels=1, "
            f"max_length={facts.preset.training.max_length})",
            f'PeftModel.from_pretrained(model[0].auto_model, ".").merge_and_unload()  # {here}',
        )
    else:
        loading = (*loading, f'model = CrossEncoder(".")  # {here}')
    right, wrong = translate(N_("It puts search results in order.")), translate(N_("The weather is fine."))
    asked = translate(N_("What does this model do?"))
    lines = (
        *loading,
        f'query = "{asked}"',
        f'documents = ["{right}", "{wrong}"]',
        "for found in model.rank(query, documents, return_documents=True):",
        '    print(found["score"], found["text"])',
    )
    yield Code("\n".join(lines))


def serving_section(found: Sequence[Serving], more: Message | None = None) -> Iterator[Block]:
    """The commands of servers, run in the folder of the model."""
    yield Heading(translate(N_("How to serve it")))
    yield Paragraph(say("In this folder, with the server that you have installed:").text())
    yield Code("\n".join(told_of(found)), "sh")
    if more:
        yield Paragraph(more.text())


def python_text(text: str) -> str:
    """``text`` as Python writes it in double quotes, whatever it holds."""
    return json.dumps(text, ensure_ascii=False)


def _licence(facts: Facts) -> Message:
    base = facts.base_model
    if not facts.licence:
        return say("The licence of {base} holds for this model too; look it up where you got it.", base=base)
    return say("{base} is under {licence}, which holds for this model too.", base=base, licence=facts.licence)
