"""What is told for whoever watches: the machine over time, cosines of a batch, sample answers, all models by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewiz.backends.language_models.catalogue import catalogue, parameters_of, searched
from tunewiz.backends.machine.hardware import Gpu, Sample, numbers
from tunewiz.backends.machine.processes import run_of
from tunewiz.backends.runs.events import Answered, Progress, Sampled, Started, parse
from tunewiz.backends.runs.follow import EventReader
from tunewiz.backends.runs.run import Run
from tunewiz.backends.runs.state import ROUNDS, RunState, fold
from tunewiz.backends.training import cosines


def test_samples_of_the_machine_are_curves_over_seconds_and_no_sign_of_life() -> None:
    card = Gpu(1, "card", memory_total=8, memory_used=3, utilisation=90)
    values = numbers(Sample(100.0, (card,), host_total=10, host_used=4, load=25.0))
    assert values == {"gpu1_memory": 3, "gpu1_total": 8, "gpu1_utilisation": 90, "load": 25.0, "host_memory": 4.0}
    begun = Started(time=50.0, name="x", task="llm", backend="peft", model="m", pid=1)
    state = fold(RunState(), [begun, Sampled(time=60.0, values=values), Sampled(time=70.5, values={"load": 50.0})])
    assert (state.machine["load"].steps, state.machine["load"].values) == ((10, 20), (25.0, 50.0))
    assert state.machine["gpu1_memory"].values == (3,)
    assert state.updated == 50.0  # who waits told of it, not the child
    assert state.curves == {}


def test_sample_answers_are_kept_by_round_and_come_through_the_file(tmp_path: Path) -> None:
    run = Run(tmp_path)
    for step in range(ROUNDS + 5):
        run.emit(Answered(step=step, answers=({"prompt": "p", "expected": "e", "answer": f"\x1b{step}"},)))
    run.emit(Sampled(values={"load": float("nan")}))
    state = fold(RunState(), EventReader(run.events_file).read())
    assert [one.step for one in state.answers] == list(range(5, ROUNDS + 5))
    assert state.machine == {}
    assert parse('{"event":"answered","step":1,"answers":[{"prompt":"x"}]}')


def test_a_long_backlog_keeps_few_samples(tmp_path: Path) -> None:
    run = Run(tmp_path)
    lines = [
        Sampled(time=float(at), values={"load": 1.0, "host_memory": 1e10, "run_memory": 1e9}).line()
        for at in range(60_000)
    ]
    lines[30_000] = Progress(stage="train", step=1, total=2).line()
    run.events_file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert len(EventReader(run.events_file).read()) < 10_000


def test_cosines_of_a_batch_are_those_of_its_pairs() -> None:
    import torch

    queries = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    passages = torch.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.0]])  # right, wrong, right, wrong
    told = cosines.of_groups(queries, passages)
    assert told["positive_cosine"] == pytest.approx(1.0)
    assert told["negative_cosine"] == pytest.approx(0.5**0.5)
    assert told["margin"] == pytest.approx(1 - 0.5**0.5)
    columns = [queries, torch.stack([passages[0], passages[2]]), torch.stack([passages[1], passages[3]])]
    pieces = [piece for column in columns for piece in column.split(1)] + [queries * 0]  # and a second pass behind
    assert cosines.of_columns(pieces, rows=2, columns=3) == pytest.approx(told)
    assert cosines.of_columns(pieces[:3], rows=2, columns=3) == {}
    labelled = cosines.of_columns([queries, passages[1:3]], 2, 2, torch.tensor([0.0, 1.0]))
    assert labelled["positive_cosine"] == pytest.approx(1.0)
    assert labelled["negative_cosine"] == pytest.approx(0.5**0.5)
    assert cosines.of_groups(queries[:1], passages[:1]) == {"positive_cosine": pytest.approx(1.0)}


def test_every_model_of_the_library_is_found_by_words_without_importing_it() -> None:
    every = catalogue()
    if not every:
        pytest.skip("LLaMA-Factory is not installed")
    assert len(every) > 500
    assert len({one.name for one in every}) == len(every)
    found = searched("QWEN3 0.6b instruct") or searched("qwen3 0.6b")
    assert any(one.huggingface == one.modelscope == "Qwen/Qwen3-0.6B" for one in searched("qwen3-0.6b"))
    assert found
    assert all(one.template for one in searched("glm-4-9b-0414"))
    assert searched("no such model at all") == []
    sizes = {"Qwen3-0.6B-Base": 6e8, "Gemma-3-270M": 2.7e8, "Mixtral-8x7B-v0.1": 5.6e10, "GPT-2-Small": 0.0}
    assert {name: parameters_of(name) for name in sizes} == sizes


def test_a_run_is_known_by_the_command_of_its_process() -> None:
    worker, keeper = "tunewiz.backends.runs.worker", "tunewiz.backends.runs.keeper"
    assert run_of(["python", "-m", worker, "/r/a b"]) == (worker, Path("/r/a b"))
    assert run_of(["python", "-X", "dev", "-m", keeper, "/r/x"]) == (keeper, Path("/r/x"))
    for other in ([], ["grep", worker], ["python", "-m", worker], ["vi", worker, "/r/x"]):
        assert run_of(other) == ("", None)
