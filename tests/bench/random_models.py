"""Models of the shapes that the families know, with random weights.

python -m tests.bench.random_models ID FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.conftest import bpe, word_pieces
from tunewiz.presets.families import KnownModel, lookup


def main(name: str, folder: Path) -> None:
    """Write the model called ``name`` into ``folder``; made on the GPU where there is one, for speed."""
    import torch

    known = lookup(name)
    if known is None:
        raise SystemExit(f"unknown model: {name}")
    torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")
    if known.size.decoder and "llm" in known.family.tasks:
        _decoder(known, folder, "CausalLM")
    elif known.size.decoder:
        _decoder(known, folder, "")
        _as_sentence_transformer(folder)
    else:
        _encoder(known, folder)


def _decoder(known: KnownModel, folder: Path, head: str) -> None:
    """Qwen3's architecture where queries are normalised, else Llama's; in bf16, as they are published."""
    import torch
    import transformers

    kind = "Qwen3" if known.family.normalised_queries else "Llama"
    size, tokenizer = known.size, bpe()
    config = getattr(transformers, f"{kind}Config")(
        **_shape(known),
        num_key_value_heads=size.key_value_heads or size.heads,
        head_dim=size.head or size.hidden // size.heads,
        tie_word_embeddings=size.tied,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    torch.set_default_dtype(torch.bfloat16)
    getattr(transformers, f"{kind}{'For' + head if head else 'Model'}")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _encoder(known: KnownModel, folder: Path) -> None:
    """BERT's architecture, with a score for pairs where the family ranks."""
    import transformers

    tokenizer = word_pieces()
    ranks = "reranker" in known.family.tasks
    config = transformers.BertConfig(**_shape(known), num_labels=1 if ranks else 2)
    kind = transformers.BertForSequenceClassification if ranks else transformers.BertModel
    kind(config).save_pretrained(folder)
    tokenizer.model_max_length = known.size.max_length
    tokenizer.save_pretrained(folder)
    if not ranks:
        _as_sentence_transformer(folder)


def _shape(known: KnownModel) -> dict[str, Any]:
    size = known.size
    return {
        "vocab_size": size.vocabulary,
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "intermediate_size": size.intermediate,
        "max_position_embeddings": size.max_length,
    }


def _as_sentence_transformer(folder: Path) -> None:
    """The files that make a SentenceTransformer of a backbone: pooling over its last token, then unit length."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    backbone = Transformer(str(folder))
    pooling = Pooling(backbone.get_embedding_dimension(), "mean")
    SentenceTransformer(modules=[backbone, pooling, Normalize()]).save_pretrained(str(folder), create_model_card=False)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
