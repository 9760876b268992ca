"""How a training is spread: cards, parts of a batch, command lines, what is refused; no process is started."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.unit.backends.test_sampling import false_negatives
from tunewiz.backends.engines import find_engine
from tunewiz.backends.machine.hardware import Gpu
from tunewiz.backends.ranks import plan
from tunewiz.backends.ranks.place import Place
from tunewiz.backends.ranks.plan import SHARDED, Plan, choice, divided, plan_of, plan_problems
from tunewiz.backends.ranks.torchrun import _failure, _require_readable
from tunewiz.backends.training.sampling import BatchPlan, Rows
from tunewiz.files import write_json
from tunewiz.presets.memory import Conditions
from tunewiz.presets.preset import Preset
from tunewiz.presets.yaml import library
from tunewiz.problems import BadData, BadPreset, ExitCode, OutOfMemory, Problem, error, restored, say

GB = 1024**3
DDP = frozenset({"ddp"})


def cards(*used: float) -> tuple[Gpu, ...]:
    """Cards of 80 GiB, of which so many GiB are taken."""
    return tuple(Gpu(index, "card", 80 * GB, round(gib * GB)) for index, gib in enumerate(used))


def preset(name: str = "embedding/starter", **settings: Any) -> Preset:
    told = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    return library.load(name, told)


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch is built for CUDA, whatever is installed here; nobody named cards."""
    monkeypatch.setattr(plan, "_has_nccl", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(plan, "_taken", [None])  # a run in this very process may have chosen


def codes(wanted: Preset, there: tuple[Gpu, ...], strategies: frozenset[str] = DDP) -> list[str]:
    return [problem.code for problem in plan_problems(wanted, strategies, there)]


@pytest.mark.parametrize(
    ("used", "environment", "expected"),
    [
        ((0, 0.5, 60, 0), {}, ["0", "1", "3"]),
        ((70, 20, 60), {}, ["1"]),  # nobody is free: the emptiest
        ((0, 0, 0), {"CUDA_VISIBLE_DEVICES": "2,0"}, ["2", "0"]),
        ((0, 0), {"CUDA_VISIBLE_DEVICES": ""}, []),
        ((), {}, []),
    ],
)
def test_cards_are_those_named_or_all_that_are_free(
    used: tuple[float, ...], environment: dict[str, str], expected: list[str]
) -> None:
    assert choice(preset().launch, cards(*used), environment) == expected


def test_auto_takes_as_many_as_share_the_batch() -> None:
    wanted = preset(training__batch_size=64)
    assert plan_of(wanted, DDP, cards(0, 0, 0, 0)).cards == ("0", "1", "2", "3")
    assert plan_of(wanted, DDP, cards(0, 0, 0)).processes == 2
    assert plan_of(wanted, frozenset(), cards(0, 0)).processes == 1
    assert plan_of(wanted, DDP, ()).processes == 1
    assert not codes(wanted, cards(0, 0, 0))


@pytest.mark.parametrize(
    ("name", "batch", "times", "size", "expected"),
    [
        ("embedding/starter", 64, 1, 4, (16, 1)),
        ("embedding/starter", 64, 2, 2, (32, 2)),  # in-batch negatives: all rows of a batch stay together
        ("embedding/starter", 64, 1, 3, None),
        ("llm/starter", 1, 8, 4, (1, 2)),
        ("llm/starter", 4, 3, 6, (2, 1)),
        ("llm/starter", 2, 2, 8, None),
    ],
)
def test_the_rows_of_a_step_stay(name: str, batch: int, times: int, size: int, expected: Any) -> None:
    found = divided(preset(name, training__batch_size=batch, training__accumulation=times), size)
    assert found == expected
    assert found is None or math.prod(found) * size == batch * times


@pytest.mark.parametrize(
    ("settings", "there", "expected"),
    [
        ({"launch__processes": 4}, cards(0, 0), ["gpus-too-few"]),
        ({"launch__processes": 2}, cards(0, 40), ["gpus-not-free"]),
        ({"launch__processes": 2}, cards(0, 0), []),
        ({"launch__processes": 2, "launch__device": "cpu"}, cards(0), []),
        ({"launch__processes": 3, "training__batch_size": 64}, cards(0, 0, 0), ["batch-not-shared"]),
        ({"launch__processes": 2, "launch__strategy": "fsdp"}, cards(0, 0), ["strategy-unsupported"]),
        ({"launch__processes": 2, "loss": "cosent"}, cards(0, 0), ["rows-compared-apart"]),
        ({"launch__strategy": "zero2"}, (), ["strategy-unsupported", "packages-missing", "strategy-needs-gpu"]),
    ],
)
def test_what_cannot_be_carried_out_is_refused(
    settings: dict[str, Any], there: tuple[Gpu, ...], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plan.find_spec
    monkeypatch.setattr(plan, "find_spec", lambda name: None if name == "deepspeed" else found(name))
    assert codes(preset(**settings), there) == expected


def test_an_engine_of_one_process_refuses_several_and_names_the_key() -> None:
    (told,) = plan_problems(preset(launch__processes=2), frozenset(), cards(0, 0))
    assert (told.code, told.where.key) == ("processes-unsupported", "launch.processes")
    assert find_engine("peft").strategies == frozenset(), "it trains in one process"
    assert codes(preset(), cards(0, 0), frozenset()) == [], "auto takes one"


def test_gpus_exchange_by_nccl_which_torch_has_to_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_has_nccl", lambda: False)
    (told,) = plan_problems(preset(launch__processes=2), DDP, cards(0, 0))
    assert (told.code, told.where.key) == ("nccl-missing", "launch.processes")
    assert codes(preset(launch__processes=2, launch__device="cpu"), cards(0, 0)) == [], "a CPU takes gloo"


def test_named_cards_have_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7")
    assert codes(preset(), cards(0, 0)) == ["gpu-not-there"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert codes(preset(launch__processes=2), cards(0, 40)) == ["gpus-not-free"]


def test_a_batch_that_cannot_be_shared_is_told_with_those_that_can() -> None:
    wanted = preset(launch__processes=3, training__batch_size=64)
    (told,) = plan_problems(wanted, DDP, ())
    assert "63 or 66" in told.line("en") and "launch.processes to 2" in told.line("en")


def test_language_models_divide_their_weights_and_quantised_ones_do_not() -> None:
    engine = find_engine("llama_factory")
    assert set(SHARDED) < engine.strategies
    wanted = preset("llm/starter-qlora", launch__strategy="zero3", launch__device="cpu")
    assert "strategy-quantised" in [problem.code for problem in engine.problems(wanted)]
    for strategy, option, refused in (("zero2", "use_galore", True), ("zero2", "pure_bf16", False),
                                      ("zero3", "pure_bf16", True), ("fsdp", "use_galore", False)):  # fmt: skip
        wanted = preset("llm/starter", launch__strategy=strategy, launch__device="cpu", backend_options={option: True})
        found = [one.where.key for one in engine.problems(wanted) if one.code == "strategy-option"]
        assert found == ([f"backend_options.{option}"] if refused else [])


def test_the_command_line_is_the_one_that_is_shown() -> None:
    one = Plan(2, cards=("1", "3"))
    assert one.told("RUN") == (
        "CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=1,3 python -m torch.distributed.run --nproc-per-node=2 "
        "--standalone --local-addr=127.0.0.1 -m tunewiz.backends.ranks.rank RUN"
    )
    first, second = (Plan(8, 2).command("RUN", node, {"MASTER_ADDR": "10.0.0.1"}) for node in (0, 1))
    assert "--master-addr=10.0.0.1" in first and "--node-rank=0" in first and "--node-rank=1" in second
    wanted = preset(launch__processes=2, launch__device="cpu", training__batch_size=64)
    shown = find_engine("sentence_transformers").shown(wanted)
    assert shown.startswith("# python -m torch.distributed.run --nproc-per-node=2")
    assert "per_device_train_batch_size: 32" in shown


def test_memory_is_that_of_one_process() -> None:
    from tunewiz.presets import families

    known = families.lookup("Qwen/Qwen3-4B")
    wanted = preset("llm/starter", method__type="full")
    assert known is not None

    def needed(strategy: str, processes: int) -> int:
        found = wanted.memory(known, Conditions(processes=processes, strategy=strategy))
        assert found is not None
        return found.expected

    whole = needed("ddp", 1)
    assert needed("ddp", 8) > whole > needed("zero2", 8) > needed("zero3", 8) > needed("zero3_offload", 8)
    assert needed("fsdp", 8) == needed("zero3", 8)
    # Of 16 bytes a weight ZeRO-3 leaves a share to each (Rajbhandari et al., 2020, figure 1).
    states = 16 * 4e9
    assert whole - needed("zero3", 8) == pytest.approx(states * 7 / 8, rel=0.25)


def test_batches_come_out_even_and_no_rank_teaches_another_one_something_wrong() -> None:
    """Every query stands there twice, with an answer each: both are right for both."""
    queries = [row % 22 for row in range(43)]
    right = [frozenset(100 + row for row in range(43) if row % 22 == query) for query in queries]
    rows = Rows(queries, [100 + row for row in range(43)], right, [()] * 43)
    found = BatchPlan(rows, 8, seed=1, apart=True, shares=4)
    for epoch in range(3):
        batches = found.epoch(epoch)
        assert all(len(batch) % 4 == 0 for batch in batches) and len(batches) == len(found)
        assert not any(false_negatives(rows, batch) for batch in batches)
        shares = [Place(rank, 4).share(batch) for batch in batches for rank in range(4)]
        assert sorted(row for share in shares for row in share) == sorted(row for batch in batches for row in batch)


def test_a_training_without_a_batch_is_refused_in_words() -> None:
    """Forty rows of eight answers: no batch has more than eight rows, which sixteen cannot share."""
    answers = [100 + row % 8 for row in range(40)]
    rows = Rows(list(range(40)), answers, [frozenset([answer]) for answer in answers], [()] * 40)
    BatchPlan(rows, 32, seed=1, apart=True, shares=8).require_any()
    with pytest.raises(BadData) as caught:
        BatchPlan(rows, 32, seed=1, apart=True, shares=16).require_any()
    (problem,) = caught.value.problems
    assert (problem.code, problem.where.key) == ("no-batch", "launch.processes")


# How ranks ended.


def ends(folder: Path, **ranks: dict[str, Any]) -> Any:
    for name, end in ranks.items():
        write_json(folder / f"{name.removeprefix('rank')}.json", {"time": 1.0, "pid": 7, "host": "h", **end})
    return _failure(folder, Plan(len(ranks)), 1, 0)


def fault(problem: Problem, code: ExitCode, when: float) -> dict[str, Any]:
    return {"end": "fault", "problems": [problem.record()], "exit_code": int(code), "time": when}


def test_the_rank_that_failed_is_heard_not_those_that_lost_it(tmp_path: Path) -> None:
    lost = fault(error("processes-apart", say("Nobody answers.")), ExitCode.FAILED, 1.0)
    short = fault(error("host-out-of-memory", say("The machine ran out of memory (RAM).")), ExitCode.OUT_OF_MEMORY, 2.0)
    found = ends(tmp_path, rank0=lost, rank1=short)
    assert isinstance(found, OutOfMemory) and found.problems[0].code == "host-out-of-memory"
    tmp_path.mkdir()
    found = ends(tmp_path, rank0=lost, rank1={"end": "begun"})
    assert [problem.code for problem in found.problems] == ["rank-killed"]
    assert "Process 1 of the 2" in found.problems[0].line("en")
    tmp_path.mkdir()
    assert ends(tmp_path, rank0=lost, rank1={"end": "ended"}).problems[0].code == "processes-apart"


@pytest.mark.parametrize(
    ("files", "plan_now", "readable"),
    [
        (("optimizer.pt", "rng_state_0.pth", "rng_state_1.pth"), Plan(1), True),
        (("optimizer.pt", "rng_state.pth"), Plan(4), True),
        (("global_step3/x", "rng_state_0.pth", "rng_state_1.pth"), Plan(2, strategy="zero3"), True),
        (("global_step3/x", "rng_state_0.pth", "rng_state_1.pth"), Plan(4, strategy="zero3"), False),
        (("global_step3/x", "rng_state_0.pth", "rng_state_1.pth"), Plan(2), False),
        (("optimizer.bin", "rng_state_0.pth", "rng_state_1.pth"), Plan(4, strategy="fsdp"), True),
        (("optimizer.pt", "rng_state.pth"), Plan(2, strategy="zero2"), False),
    ],
)
def test_a_divided_state_is_read_by_those_who_divided_it(
    files: tuple[str, ...], plan_now: Plan, readable: bool, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if readable:
        _require_readable(tmp_path, plan_now)
        return
    with pytest.raises(BadPreset) as caught:
        _require_readable(tmp_path, plan_now)
    assert caught.value.problems[0].code == "checkpoint-divided"


def test_a_problem_is_restored_from_its_record() -> None:
    once = error("x", say("There is no backend {name}.", name="y"), fix=say("Check the path."))
    again = restored(once.record())
    assert again.line("zh") == once.line("zh") and again.line("en") == once.line("en")
