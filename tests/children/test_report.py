"""What a run leaves: the report (files, numbers, words), and exports that load and give the same vectors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.children.evaluation import (
    STAGES,
    BarelyTraining,
    advised,
    events,
    fresh_run,
    go_through,
    preset_for,
    write_beir,
)
from tunewiz import language
from tunewiz.backends.evaluate.verdict import compare
from tunewiz.backends.export import exporters as exporter
from tunewiz.backends.export.exporters import catalogue
from tunewiz.backends.models.adapters import has_adapter, merge_adapter
from tunewiz.backends.models.loading import load_encoder
from tunewiz.backends.reports.metrics_file import MetricsFile
from tunewiz.backends.runs.events import Saved
from tunewiz.backends.runs.run import Run
from tunewiz.problems import TunewizError

# The report: files, numbers, words.


BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("report")
    preset = preset_for(tiny_encoder, write_beir(folder / "beir"))
    run = fresh_run(folder / "run", preset)
    return run.report, go_through(run, preset)


def test_all_files_are_there(done: tuple[Path, str]) -> None:
    report, _ = done
    names = {path.name for path in report.iterdir()}
    assert names == {
        "report.md", "report.html", "metrics.json", "metrics.png", "cosines.png", "metrics.svg",
        "cosines.svg",
        "before.json", "after.json", "before.run.tsv", "after.run.tsv", "bm25.json", "bm25.run.tsv",
        "fusion.before.json", "fusion.before.run.tsv", "fusion.after.json", "fusion.after.run.tsv",
    }  # fmt: skip  # no loss.png: nothing was trained step by step


def test_the_numbers_are_those_measured(done: tuple[Path, str]) -> None:
    report, verdict = done
    before, after = (json.loads((report / f"{when}.json").read_text("utf-8")) for when in ("before", "after"))
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    expected = compare(before["per_query"], after["per_query"], "ndcg@3", 200, 42)
    assert metrics["verdict"] == verdict == expected.verdict
    assert metrics["primary"] == "ndcg@3"
    assert metrics["before"] == before["metrics"]
    assert metrics["after"] == after["metrics"]
    assert metrics["ways"]["dense"] == after["metrics"] and metrics["ways"].keys() >= {"bm25", "fusion"}
    assert metrics["difference"]["ndcg@3"] == pytest.approx(after["metrics"]["ndcg@3"] - before["metrics"]["ndcg@3"])
    assert metrics["interval"]["ndcg@3"] == pytest.approx([expected.low, expected.high])
    assert (report / metrics["per_query"]["after"]).is_file()
    text = (report / "report.md").read_text("utf-8")
    assert verdict in text
    for value in (before["metrics"]["ndcg@3"], after["metrics"]["ndcg@3"]):
        assert f"{value:.4f}" in text
    assert "smaller" not in before
    assert [form["bits"] for form in after["smaller"]] == [8, 1]  # 32 numbers: half of them would find nothing
    for form in after["smaller"]:
        assert f"{form['metrics']['ndcg@3']:.4f} | {form['difference']:+.4f}" in text


def test_the_page_stands_alone(done: tuple[Path, str]) -> None:
    page = (done[0] / "report.html").read_text("utf-8")
    assert page.count('<svg role="img"') == 2
    names = re.findall(r'\bid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', page)) <= set(names)
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page


def in_a_browser(page: Path, folder: Path) -> str:
    """What a headless browser makes of ``page``; skips where there is none. Nothing it complains of may be."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder}",
        "--enable-logging=stderr",
    ]
    command = [browser, *options, f"--user-data-dir={folder}", "--dump-dom", page.as_uri()]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "CONSOLE" not in told.stderr
    return told.stdout


def test_a_browser_shows_the_page_without_a_complaint(done: tuple[Path, str], tmp_path: Path) -> None:
    shown = in_a_browser(done[0] / "report.html", tmp_path)
    assert done[1] in shown and shown.count("<svg") == 2


def test_the_screen_advises_what_the_report_does(done: tuple[Path, str]) -> None:
    report, _ = done
    written, known = advised(Run(report.parent))
    assert written == known != []
    text = (report / "report.md").read_text("utf-8")
    assert all(f"- {step}" in text for step in written)


def test_in_chinese(tmp_path: Path, tiny_encoder: Path) -> None:
    preset = preset_for(tiny_encoder, write_beir(tmp_path / "beir"))
    run = fresh_run(tmp_path / "run", preset)
    language.use("zh")
    try:
        go_through(run, preset)
    finally:
        language.use(None)
    page = (run.report / "report.html").read_text("utf-8")
    assert '<html lang="zh">' in page and ">训练前</text>" in page  # with or without a font of this machine's
    written, known = advised(run)
    assert len(written) == len(known) > 0
    assert not set(written) & set(known)  # Chinese in the file, English here
    assert (run.report / "metrics.png").stat().st_size > 1000


def test_without_a_baseline_there_is_no_verdict(tmp_path: Path, tiny_encoder: Path) -> None:
    changes = {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200, "baseline": False}
    preset = preset_for(tiny_encoder, write_beir(tmp_path / "beir"), evaluation=changes)
    run = fresh_run(tmp_path / "run", preset)
    assert go_through(run, preset, STAGES) == "NONE"
    metrics = json.loads((run.report / "metrics.json").read_text("utf-8"))
    assert metrics["before"] is None
    assert metrics["after"]["ndcg@3"] >= 0
    assert metrics["next"][0].startswith("There was no baseline")


def test_a_report_can_be_written_again(tmp_path: Path, tiny_encoder: Path) -> None:
    measured = {"k": [1, 3], "metric": "ndcg@3", "bootstrap": 200}
    preset = preset_for(tiny_encoder, write_beir(tmp_path / "beir"), evaluation=measured)
    run = fresh_run(tmp_path / "run", preset)
    first = go_through(run, preset)
    text = (run.report / "report.md").read_text("utf-8")
    general = MetricsFile.of(run.report).general
    assert f"| ndcg@10 | {general['ndcg@10'].before:.4f} | {general['ndcg@10'].after:.4f} |" in text
    assert general["ndcg@10"].queries == 48
    assert "48 questions of the sample faq-en" in text
    for path in run.data.iterdir():
        path.unlink()
    assert go_through(run, preset, ()) == first


# Export: what is written loads by its path and gives the same vectors.


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


def test_checkpoints_go_once_the_model_is_whole_on_disk(tmp_path: Path, tiny_encoder: Path) -> None:
    run, preset = trained(tmp_path, tiny_encoder)
    (run.checkpoints / "checkpoint-2.damaged").mkdir()
    BarelyTraining().export(run, preset)
    assert BarelyTraining().tuned(run).is_dir()
    keeping = preset.model_copy(update={"export": preset.export.model_copy(update={"keep_checkpoints": True})})
    weights = run.model / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    BarelyTraining().tidy(run, preset)
    assert BarelyTraining().tuned(run).is_dir()
    weights.write_bytes(whole)
    BarelyTraining().tidy(run, keeping)
    assert BarelyTraining().tuned(run).is_dir()
    BarelyTraining().tidy(run, preset)
    BarelyTraining().tidy(run, preset)
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
