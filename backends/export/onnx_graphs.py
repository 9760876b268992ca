"""Search models as ONNX graphs: torch's own exporter, weights in 8 bits by onnxruntime, and the program that runs them.

Of an embedding model the graph gives ``last_hidden_state``, which sentence-transformers and TEI pool themselves, and
``sentence_embedding``: pooled, and of length 1. Of a reranker it gives ``logits``. Batch and length may be any.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tunewiz.printable import printable
from tunewiz.problems import TunewizError, error, say

#: Where sentence-transformers, TEI and transformers.js look for it.
FILE: Final = Path("onnx") / "model.onnx"
#: From here on protobuf cannot hold the weights in one file.
_LARGEST: Final = (1 << 31) - (1 << 24)
#: Two rows of unequal length: torch.export takes a size of 1 for one that never changes.
_EXAMPLE: Final = ("How do I reset my password?", "重置密码的方法")


def write_embedder(model: Any, file: Path) -> None:
    """Write the graph of ``model`` (a SentenceTransformer, on the CPU) to ``file``. Raises ``TunewizError``."""
    import torch

    rows = model.tokenizer(list(_EXAMPLE), padding=True, return_tensors="pt")

    class Graph(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tokens: Any) -> tuple[Any, Any]:
            found = self.model(dict(zip(rows, tokens, strict=True)) | {"modality": "text"})
            pooled = found["sentence_embedding"][:, : model.truncate_dim]
            return found["token_embeddings"], torch.nn.functional.normalize(pooled, dim=-1)

    _write(Graph(), dict(rows), ["last_hidden_state", "sentence_embedding"], file)


def write_reranker(model: Any, file: Path) -> None:
    """Write the graph of ``model`` (a CrossEncoder, on the CPU) to ``file``. Raises ``TunewizError``."""
    import torch

    rows = model.tokenizer(list(_EXAMPLE), list(_EXAMPLE), padding=True, return_tensors="pt")

    class Graph(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tokens: Any) -> Any:
            scores = self.model(dict(zip(rows, tokens, strict=True)) | {"modality": "text"})["scores"]
            return scores if scores.dim() == 2 else scores.unsqueeze(-1)

    _write(Graph(), dict(rows), ["logits"], file)


def _write(graph: Any, rows: dict[str, Any], outputs: list[str], file: Path) -> None:
    import torch

    any_size = torch.export.Dim.DYNAMIC
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _quietly(), torch.no_grad():
            program = torch.onnx.export(
                graph.eval(),
                tuple(rows.values()),
                dynamo=True,
                input_names=list(rows),
                output_names=outputs,
                dynamic_shapes=(tuple({0: any_size, 1: any_size} for _ in rows),),
                verbose=False,
            )
            program.save(str(file))
    except OSError:
        raise
    except Exception as fault:  # it fails in any way on what it has no translation for
        reason = printable((str(fault).strip() or type(fault).__name__).splitlines()[0], 300)
        message = say("torch cannot write this model as an ONNX graph: {reason}", reason=reason)
        fix = say("Export it as it is: --to merged.")
        raise TunewizError(error("onnx-not-written", message, fix=fix)) from fault


def in_8_bits(file: Path) -> None:
    """Put a graph with weights in 8 bits in the place of the one in ``file``; activations follow as they come.

    A scale for each channel: with one for a whole matrix the vectors of a MiniLM kept a cosine of 0.957 instead of
    0.993 (forty documents of the English sample).
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    weights = [file, *file.parent.glob(f"{file.name}.*")]
    smaller = file.with_name("smaller.onnx")
    large = sum(part.stat().st_size for part in weights) > _LARGEST
    with _quietly():
        quantize_dynamic(
            str(file), str(smaller), per_channel=True, weight_type=QuantType.QInt8, use_external_data_format=large
        )
    for part in weights:
        part.unlink()
    smaller.replace(file)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without what the libraries advise developers of."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


# The program that uses a graph, with onnxruntime and tokenizers alone: it stands in the README, and is what is checked.


_LOADING: Final = """\
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

folder = Path(".")
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
{reading}
session = onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"), providers=["CPUExecutionProvider"])


def tokens(texts):
    rows = tokenizer.encode_batch(texts)
    known = {{
        "input_ids": [row.ids for row in rows],
        "attention_mask": [row.attention_mask for row in rows],
        "token_type_ids": [row.type_ids for row in rows],
    }}
    return {{one.name: np.array(known[one.name], np.int64) for one in session.get_inputs()}}
"""
_ENCODING: Final = """

def encode(texts, prompt=""):
    return session.run(["sentence_embedding"], tokens([prompt + text for text in texts]))[0]
"""
_SCORING: Final = """

def score(pairs):
    logits = session.run(["logits"], tokens(pairs))[0][:, 0]
    return {scores}
"""
#: What a reranker makes of its logits, by the name of its activation.
_SCORES: Final = {"Identity": "logits", "Sigmoid": "1 / (1 + np.exp(-logits))"}


def encoding_program(model: Any) -> str:
    """Python that defines ``encode(texts, prompt="")``: unit vectors, as the SentenceTransformer ``model`` gives.

    Raises ``TunewizError`` (``onnx-not-plain``) for a model that reads its texts in a chat template.
    """
    if model.preprocess(["a"]).get("modality", "text") != "text":
        raise _not_plain()
    return _LOADING.format(reading=_reading(model)) + _ENCODING


def scoring_program(model: Any) -> str:
    """Python that defines ``score(pairs)``, as the CrossEncoder ``model`` does.

    Raises ``TunewizError`` (``onnx-not-plain``) for a model that reads its texts with a prompt, or in several steps.
    """
    kind = type(model.activation_fn).__name__
    if kind not in _SCORES or any(model.prompts.values()) or len(model) != 1:
        raise _not_plain()
    return _LOADING.format(reading=_reading(model)) + _SCORING.format(scores=_SCORES[kind])


def _not_plain() -> TunewizError:
    message = say("This model is more than a graph over texts: a chat template, a prompt or a step goes with it.")
    return TunewizError(error("onnx-not-plain", message, fix=say("Export it as it is: --to merged.")))


def _reading(model: Any) -> str:
    """How texts are cut and made equally long."""
    tokenizer = model.tokenizer
    limit = model.max_seq_length or tokenizer.model_max_length
    padding = {
        "direction": tokenizer.padding_side,
        "pad_id": tokenizer.pad_token_id or 0,
        "pad_type_id": tokenizer.pad_token_type_id,
        "pad_token": tokenizer.pad_token or "",  # what stands there is masked out, and has no say
    }
    padded = ", ".join(f"{name}={value!r}" for name, value in padding.items())
    cut = f"tokenizer.enable_truncation({limit})\n" if limit < _ENDLESS else "tokenizer.no_truncation()\n"
    return f"{cut}tokenizer.enable_padding({padded})"


#: Tokenizers without a limit of their own say 10^30.
_ENDLESS: Final = 1 << 30
_HERE: Final = re.compile(r'^folder = Path\("\."\)$', re.MULTILINE)


def running(program: str, folder: Path, threads: int) -> dict[str, Any]:
    """What ``program`` defines, run over ``folder`` with as many ``threads`` as what it is compared with."""
    import onnxruntime

    if not (folder / "tokenizer.json").is_file():
        message = say(
            "The model's tokenizer is none of the library tokenizers, which is all that the export reads with."
        )
        raise TunewizError(error("onnx-no-tokenizer", message, fix=say("Export it as it is: --to merged.")))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    known: dict[str, Any] = {}
    try:
        exec(_HERE.sub(lambda _: f"folder = Path({str(folder)!r})", program), known)
        known["session"] = onnxruntime.InferenceSession(str(folder / FILE), options, providers=["CPUExecutionProvider"])
    except Exception as fault:  # onnxruntime raises classes of its own for graphs it does not take
        reason = printable((str(fault).strip() or type(fault).__name__).splitlines()[0], 300)
        message = say("onnxruntime does not load what was written: {reason}", reason=reason)
        raise TunewizError(error("onnx-not-loadable", message, fix=say("Export it as it is: --to merged."))) from fault
    return known


def in_batches(call: Any, items: Sequence[Any], size: int = 16) -> Any:
    """``call`` of all ``items`` by so many at once, of nearly one length; an array in their order."""
    import numpy as np

    order = sorted(range(len(items)), key=lambda place: sum(map(len, items[place])))
    rows = [call([items[place] for place in order[start : start + size]]) for start in range(0, len(order), size)]
    found = np.concatenate(rows)
    sorted_back = np.empty_like(found)
    sorted_back[order] = found
    return sorted_back
