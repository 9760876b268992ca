"""Export: what is written loads by its path and gives the same vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.exporters import catalogue
from backends.exporters import sentence_transformers as exporter
from backends.loading import has_adapter, load_encoder, merge_adapter
from backends.runs.events import Saved
from backends.runs.run import Run
from data.problems import TunewizError
from tests.children.evaluation import BarelyTraining, events, fresh_run, go_through, preset_for, write_beir

PROBE = ["how do i check gpu memory", "显存 错误", "a"]
LORA = {"method": {"type": "lora", "rank": 4, "alpha": 8, "dropout": 0.0}}


def trained(tmp_path: Path, model: Path, **changes: Any) -> tuple[Run, Any]:
    preset = preset_for(model, write_beir(tmp_path / "beir"), **changes)
    run = fresh_run(tmp_path / "run", preset)
    go_through(run, preset, ("prepare", "baseline", "train", "evaluate"))
    return run, preset


def plain(folder: Path) -> Any:
    """The model as a user loads it: by its path and nothing else."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


def test_exporters_are_found_by_file() -> None:
    assert {"cross_encoder", "sentence_transformers"} <= set(catalogue())


def test_a_full_model_round_trip(tmp_path: Path, tiny_encoder: Path) -> None:
    run, preset = trained(tmp_path, tiny_encoder)
    expected = load_encoder(BarelyTraining().tuned(run), preset)
    BarelyTraining().export(run, preset)
    found = plain(run.model)
    assert found.prompts["query"] == "search: "
    assert found.max_seq_length == 48
    assert np.abs(found.encode_query(PROBE) - expected.encode(PROBE, prompt="search: ")).max() < 1e-6
    assert np.abs(found.encode_document(PROBE) - expected.encode(PROBE)).max() < 1e-6
    assert not np.allclose(found.encode(PROBE), plain(tiny_encoder).encode(PROBE), atol=1e-4)
    assert [event.path for event in events(run) if isinstance(event, Saved) and event.what == "model"] == ["model"]
    assert not run.checkpoints.exists()


def test_lora_leaves_an_adapter_and_a_merged_model(tmp_path: Path, tiny_encoder: Path) -> None:
    from peft import PeftModel

    run, preset = trained(tmp_path, tiny_encoder, **LORA, export={"keep_checkpoints": True})
    tuned = load_encoder(BarelyTraining().tuned(run), preset)
    assert has_adapter(tuned)
    expected = tuned.encode(PROBE)
    BarelyTraining().export(run, preset)
    merged = plain(run.model)
    adapter = plain(tiny_encoder)
    PeftModel.from_pretrained(adapter[0].auto_model, str(run.model / "adapter")).merge_and_unload()
    assert not has_adapter(merged)
    assert not (run.model / "adapter_config.json").exists()
    assert np.abs(merged.encode(PROBE) - expected).max() < 1e-4
    assert np.abs(adapter.encode(PROBE) - expected).max() < 1e-5
    sizes = [
        sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        for folder in (run.model, run.model / "adapter")
    ]
    assert sizes[1] < sizes[0]
    assert {event.what for event in events(run) if isinstance(event, Saved)} >= {"model", "adapter"}
    assert run.checkpoints.exists()


def test_without_merging_only_the_adapter_is_left(tmp_path: Path, tiny_encoder: Path) -> None:
    run, preset = trained(tmp_path, tiny_encoder, **LORA, export={"merge": False})
    BarelyTraining().export(run, preset)
    assert not list(run.model.glob("*.safetensors"))
    adapter = run.model / "adapter"
    assert {path.name for path in adapter.iterdir()} == {
        "adapter_model.safetensors",
        "adapter_config.json",
        "README.md",
    }
    assert str(tmp_path) not in (adapter / "adapter_config.json").read_text("utf-8")
    assert "merge_and_unload" in (adapter / "README.md").read_text("utf-8")


def test_merging_changes_nothing_but_rounding(tmp_path: Path, tiny_encoder: Path) -> None:
    run, preset = trained(tmp_path, tiny_encoder, **LORA)
    model = load_encoder(BarelyTraining().tuned(run), preset)
    before = model.encode(PROBE)
    after = merge_adapter(model).encode(PROBE)
    assert not has_adapter(model)
    assert 0 <= np.abs(before - after).max() < 1e-5


def test_the_model_card(tmp_path: Path, tiny_encoder: Path) -> None:
    run, preset = trained(tmp_path, tiny_encoder)
    BarelyTraining().export(run, preset)
    card = (run.model / "README.md").read_text("utf-8")
    before = json.loads((run.report / "before.json").read_text("utf-8"))["metrics"]["ndcg@3"]
    assert card.startswith("---\nlibrary_name: sentence-transformers\n")
    assert f"{before:.4f}" in card
    assert "encode_query" in card
    assert "'search: '" in card
    assert "multiple_negatives_ranking" in card
    for file in run.model.rglob("*.json"):
        assert str(tiny_encoder) not in file.read_text("utf-8"), file
    assert str(tmp_path) not in card
    assert str(tiny_encoder.parent) not in card


def test_a_model_that_does_not_come_back_the_same_is_no_export(
    tmp_path: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, preset = trained(tmp_path, tiny_encoder)
    answers = iter((0.0, 1.0))
    monkeypatch.setattr(exporter, "_vectors", lambda _: np.full((3, 2), next(answers)))
    with pytest.raises(TunewizError) as caught:
        BarelyTraining().export(run, preset)
    assert caught.value.problems[0].code == "export-differs"
    assert not run.model.exists()
    assert run.checkpoints.exists()
