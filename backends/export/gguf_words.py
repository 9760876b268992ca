"""The words of a language model for a GGUF file: pieces, merges, marks and chat template, from ``tokenizer.json``.

Two ways of cutting texts are known to llama.cpp by what lies in the file: pieces of bytes, joined by merges after a
rule has cut the text into words (``gpt2``; the rule goes by a name), and SentencePiece's pieces with a score each
(``llama``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tunewiz.files import read_json
from tunewiz.problems import Message, say


class NotWritten(Exception):
    """A model that is not written here; the message says what is not known about it."""

    def __init__(self, why: Message) -> None:
        super().__init__(why.template)
        self.why = why


#: Kinds of pieces (gguf.TokenType).
_NORMAL, _UNKNOWN, _CONTROL, _OWN, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
#: What Qwen and Llama 3 cut words by; between the two stand how many digits go together.
_BEGINNING: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_END: Final = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
#: Names of llama.cpp's rules by the expression that the tokenizer cuts words with.
_RULES: Final = {
    _BEGINNING + r"\p{N}" + _END: "qwen2",
    _BEGINNING + r"\p{N}{1,3}" + _END: "llama-bpe",
}
_SPACE: Final = "▁"


def write_words(writer: Any, model: Path, rows: int) -> None:
    """Write the words of the model in the folder ``model``, which has ``rows`` vectors for them.

    Raises :class:`NotWritten` for a tokenizer of another kind.
    """
    told = _read(model)
    inner = told["model"]
    if inner.get("type") != "BPE":
        raise NotWritten(say("its tokenizer is of the kind {kind}", kind=str(inner.get("type"))))
    merges = [" ".join(pair) if isinstance(pair, list) else str(pair) for pair in inner["merges"]]
    pieces, kinds = _pieces(told, rows)
    rule = _rule(told.get("pre_tokenizer"))
    if rule:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(rule)
        writer.add_token_list(pieces)
        writer.add_token_types(kinds)
        writer.add_token_merges(merges)
    elif inner.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(pieces)
        writer.add_token_scores(_scores(pieces, merges))
        writer.add_token_types([_of_sentences(piece, kind, inner) for piece, kind in zip(pieces, kinds, strict=True)])
        writer.add_add_space_prefix(_puts_space_first(told))
    else:
        raise NotWritten(say("its tokenizer cuts words by a rule of its own"))
    _write_marks(writer, model, {piece: place for place, piece in enumerate(pieces)})
    template = template_in(model)
    if template:
        writer.add_chat_template(template)


def _read(model: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NotWritten(say("it has no {name}", name="tokenizer.json")) from None
    return found


def _pieces(told: Mapping[str, Any], rows: int) -> tuple[list[str], list[int]]:
    """Each piece by its number with its kind; numbers that no piece has are told as unused."""
    by_number = {number: (piece, _NORMAL) for piece, number in told["model"]["vocab"].items()}
    for one in told.get("added_tokens") or ():
        by_number[one["id"]] = (one["content"], _CONTROL if one.get("special") else _OWN)
    if max(by_number, default=-1) >= rows:
        raise NotWritten(say("it has more words than vectors for them"))
    found = [by_number.get(number, (f"[PAD{number}]", _UNUSED)) for number in range(rows)]
    return [piece for piece, _ in found], [kind for _, kind in found]


def _rule(cutting: Any) -> str:
    """The name of the rule that cuts texts into words before bytes are joined; "" where none is known."""
    parts = list(_parts(cutting))
    bytes_ = next((part for part in parts if part.get("type") == "ByteLevel"), None)
    if bytes_ is None or bytes_.get("add_prefix_space"):
        return ""
    before = [part for part in parts if part is not bytes_]
    if not before:
        return "gpt-2" if bytes_.get("use_regex", True) else ""
    if len(before) > 1:
        return ""
    (first,) = before
    if first.get("type") == "Digits":
        return "smollm" if first.get("individual_digits") and bytes_.get("use_regex", True) else ""
    if first.get("type") != "Split" or bytes_.get("use_regex", True) or first.get("invert"):
        return ""
    return _RULES.get((first.get("pattern") or {}).get("Regex", ""), "")


def _parts(one: Any) -> Iterator[Mapping[str, Any]]:
    """The parts of a pre-tokenizer, a normalizer: those of a sequence, or it alone."""
    if isinstance(one, dict):
        inner = next((one[key] for key in ("pretokenizers", "normalizers") if key in one), None)
        yield from inner if inner is not None else [one]


def _scores(pieces: list[str], merges: list[str]) -> list[float]:
    """What llama.cpp joins by, the piece with the highest score first: the order of the merges."""
    rank: dict[str, int] = {}
    for place, pair in enumerate(merges):
        rank.setdefault(pair.replace(" ", ""), place)
    return [-float(rank[piece]) if piece in rank else 0.0 if len(piece) == 1 else -1e6 for piece in pieces]


def _of_sentences(piece: str, kind: int, inner: Mapping[str, Any]) -> int:
    if piece == inner.get("unk_token"):
        return _UNKNOWN
    is_byte = len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">")
    return _BYTE if is_byte and kind == _NORMAL else kind


def _puts_space_first(told: Mapping[str, Any]) -> bool:
    """Whether a space is put before a text."""
    parts = [*_parts(told.get("normalizer")), *_parts(told.get("pre_tokenizer"))]
    return any(
        (part.get("type") == "Prepend" and part.get("prepend") == _SPACE)
        or (part.get("type") == "Metaspace" and part.get("prepend_scheme", "always") != "never")
        for part in parts
    )


def _write_marks(writer: Any, model: Path, numbers: Mapping[str, int]) -> None:
    """What begins and ends a text, and whether the tokenizer puts it there itself."""
    from tokenizers import Tokenizer

    told: Any = read_json(model / "tokenizer_config.json") or {}
    found: dict[str, int] = {}
    for name, write in (
        ("bos", writer.add_bos_token_id),
        ("eos", writer.add_eos_token_id),
        ("unk", writer.add_unk_token_id),
        ("pad", writer.add_pad_token_id),
    ):
        mark = told.get(f"{name}_token")
        mark = str(mark.get("content") if isinstance(mark, dict) else mark)
        if mark in numbers:
            found[name] = numbers[mark]
            write(numbers[mark])
    ids = Tokenizer.from_file(str(model / "tokenizer.json")).encode("a").ids
    writer.add_add_bos_token(bool(ids) and ids[0] == found.get("bos"))
    writer.add_add_eos_token(bool(ids) and ids[-1] == found.get("eos"))
    ends: Any = (read_json(model / "generation_config.json") or {}).get("eos_token_id")
    others = [end for end in (ends if isinstance(ends, list) else [ends]) if isinstance(end, int)]
    more = [end for end in others if end != found.get("eos")]
    if more:
        writer.add_eot_token_id(more[0])


def template_in(model: Path) -> str:
    """The chat template that lies in a folder of a model; "" where there is none."""
    file = model / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    told: Any = read_json(model / "tokenizer_config.json")
    found = told.get("chat_template") if isinstance(told, dict) else None
    return found if isinstance(found, str) else ""
