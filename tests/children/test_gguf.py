"""Language models as GGUF files: read back by transformers, family by family, and what fewer bits cost."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import bpe
from tunewiz.backends.export import gguf_files, gguf_targets
from tunewiz.backends.export.gguf_words import NotWritten
from tunewiz.problems import BadPreset

pytest.importorskip("gguf")
SIZES = {"hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4, "num_key_value_heads": 2,
         "intermediate_size": 128, "max_position_embeddings": 512}  # fmt: skip
SLOWED = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}  # fmt: skip
#: Of each kind what its configuration says besides.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}),
    "llama-3": ("Llama", {"rope_parameters": SLOWED}),
    "mistral": ("Mistral", {"sliding_window": None}),
    "qwen2": ("Qwen2", {}),
    "qwen3": ("Qwen3", {"head_dim": 32}),
    "gemma3": ("Gemma3", {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 256}),
}


def fields(file: Path) -> dict[str, Any]:
    """The keys of a GGUF file with their values."""
    import gguf

    return {name: field.contents() for name, field in gguf.GGUFReader(str(file)).fields.items()}


def written(folder: Path, kind: str, **more: Any) -> Path:
    """The folder of a tiny model of the kind, its norms and biases not those that it begins with."""
    import torch
    import transformers

    name, told = FAMILIES[kind]
    words = bpe()
    config = getattr(transformers, f"{name}TextConfig" if name == "Gemma3" else f"{name}Config")(
        **{
            **SIZES,
            **told,
            **more,
            "vocab_size": len(words) + 8,
            "eos_token_id": words.eos_token_id,
            "bos_token_id": None,
        }
    )
    torch.manual_seed(3)
    model = getattr(transformers, f"{name}ForCausalLM")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def scores(model: Any) -> Any:
    import torch

    ids = bpe().encode("how do i check the gpu memory and 显存 too")
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0]


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_file_of_each_kind_gives_what_the_model_gives(kind: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model, exact = written(tmp_path / "model", kind), tmp_path / "exact.gguf"
    gguf_files.write_16_bits(model, exact, "Ünder a name")
    expected = scores(AutoModelForCausalLM.from_pretrained(model))
    told = fields(exact)
    assert told["general.name"] == "Ünder a name"
    assert told["tokenizer.ggml.pre"] == "gpt-2"
    assert told["tokenizer.ggml.tokens"][-1] == "[PAD407]" and told["tokenizer.ggml.token_type"][-1] == 5
    assert told["tokenizer.ggml.tokens"][told["tokenizer.ggml.eos_token_id"]] == "<|im_end|>"
    assert "<|im_start|>" in told["tokenizer.chat_template"]
    away, sizes = {}, {"16": exact.stat().st_size}
    for bits in ("Q8_0", "Q4_0"):
        file = tmp_path / f"{bits}.gguf"
        gguf_files.write_fewer_bits(exact, file, bits)  # type: ignore[arg-type]
        kept = fields(file)
        assert {key: value for key, value in told.items() if key.startswith(("tokenizer", told["general.architecture"]))
                } == {key: value for key, value in kept.items()
                      if key.startswith(("tokenizer", told["general.architecture"]))}  # fmt: skip
        away[bits], sizes[bits] = gguf_files.difference(exact, file), file.stat().st_size
    assert away["Q8_0"] < 0.01 < away["Q4_0"] < 0.12
    assert sizes["Q4_0"] < sizes["Q8_0"] < sizes["16"]
    for name, most in (("exact", 3e-3), ("Q8_0", 0.1)):
        found = scores(gguf_targets._read(model, tmp_path / f"{name}.gguf", "cpu"))
        assert float((found - expected).abs().max()) < most * float(expected.abs().max())


@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("gemma3", {"layer_types": ["full_attention"] * 6}, "windows"),
        ("gemma3", {"query_pre_attn_scalar": 64}, "windows"),
        ("gemma3", {"final_logit_softcapping": 30.0}, "capped"),
        ("qwen2", {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 2}, "window"),
        ("llama", {"hidden_act": "relu"}, "relu"),
        ("llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "dynamic"),
    ],
)
def test_what_is_not_known_is_not_guessed(kind: str, more: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(NotWritten) as caught:
        gguf_files.write_16_bits(written(tmp_path / "model", kind, **more), tmp_path / "exact.gguf", "x")
    assert said in caught.value.why.text("en")


def test_a_model_of_another_kind_is_refused_with_the_command(
    tmp_path: Path, tiny_llm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "model"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "never_heard_of"}', encoding="utf-8")
    monkeypatch.setenv("LLAMA_CPP", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadPreset) as caught:
        gguf_targets._write_exact(other, tmp_path / "x.gguf", "x")
    (problem,) = caught.value.problems
    assert problem.code == "no-converter"
    assert "never_heard_of" in problem.message.text("en") and "LLAMA_CPP" in str(problem.fix)


def test_llama_cpps_own_programs_are_taken_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "llama.cpp"
    (home / "build" / "bin").mkdir(parents=True)
    monkeypatch.setenv("LLAMA_CPP", str(home))
    converter, quantiser = home / "convert_hf_to_gguf.py", home / "build" / "bin" / "llama-quantize"
    converter.write_text("import sys; open(sys.argv[3], 'w').write(' '.join(sys.argv[1:]))\n", encoding="utf-8")
    quantiser.write_text('#!/bin/sh\ncp -- "$1" "$2"; printf %s " $3" >>"$2"\n', encoding="utf-8")
    quantiser.chmod(quantiser.stat().st_mode | stat.S_IXUSR)
    assert (gguf_targets.converter(), gguf_targets.quantiser()) == (converter, quantiser)
    (tmp_path / "config.json").write_text('{"model_type": "never_heard_of"}', encoding="utf-8")
    gguf_targets._write_exact(tmp_path, tmp_path / "a.gguf", "x")
    assert gguf_targets.GgufQ4()._write_fewer(tmp_path / "a.gguf", tmp_path / "b.gguf") == "Q4_K_M"
    assert (tmp_path / "b.gguf").read_text("utf-8").endswith("--outtype bf16 Q4_K_M")


def test_sentencepieces_pieces_get_their_scores_from_the_merges(tmp_path: Path) -> None:
    """A tokenizer like Gemma's: what joins first has the higher score, bytes and marks have their kinds."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers
    from transformers import PreTrainedTokenizerFast

    pieces = [
        "<unk>",
        "<bos>",
        "<eos>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "▁",
        "a",
        "b",
        "ab",
        "▁ab",
        "\n\n",
    ]
    merges = [("a", "b"), ("▁", "ab")]
    tokenizer = Tokenizer(models.BPE({piece: place for place, piece in enumerate(pieces)}, merges, unk_token="<unk>",
                                     byte_fallback=True, fuse_unk=True))  # fmt: skip
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.add_tokens([AddedToken("\n\n", normalized=False)])
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in ("<bos>", "<eos>")])
    made = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>")
    made.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 5]}), encoding="utf-8")
    import gguf

    from tunewiz.backends.export.gguf_words import write_words

    writer = gguf.GGUFWriter(str(tmp_path / "words.gguf"), "gemma3")
    write_words(writer, tmp_path, len(pieces) + 1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    told = fields(tmp_path / "words.gguf")
    assert told["tokenizer.ggml.model"] == "llama" and told["tokenizer.ggml.add_space_prefix"] is False
    score = dict(zip(pieces, told["tokenizer.ggml.scores"], strict=False))
    assert score["ab"] > score["▁ab"] > score["<eos>"]
    kinds = dict(zip(pieces, told["tokenizer.ggml.token_type"], strict=False))
    assert [kinds[piece] for piece in ("<unk>", "<bos>", "<0x41>", "a", "\n\n")] == [2, 3, 6, 1, 4]
    assert told["tokenizer.ggml.token_type"][-1] == 5 and told["tokenizer.ggml.eot_token_id"] == 5
