"""A language model's scores are computed where a token is learned: the loss and the gradients stay the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tunewiz.backends.language_models.learned_places import scored_where_learned

IGNORED = -100


def batch() -> dict[str, Any]:
    """Two rows, padded on the right; of the first the last three tokens are learned, of the second two amid others."""
    import torch

    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11], [5, 7, 9, 11, 8, 0, 0]])
    labels = torch.full_like(ids, IGNORED)
    labels[0, 4:], labels[1, 2:4] = ids[0, 4:], ids[1, 2:4]
    return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}


@pytest.fixture
def loaded(tiny_llm: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(str(tiny_llm)).train()


def trainer(model: Any, folder: Path, **options: Any) -> Any:
    from transformers import Trainer, TrainingArguments

    arguments = TrainingArguments(output_dir=str(folder), report_to="none", use_cpu=True)
    return Trainer(model=model, args=arguments, **options)


def step(made: Any, inputs: Mapping[str, Any], places: list[int], **options: Any) -> tuple[float, dict[str, Any]]:
    """The loss and the gradients of ``inputs``; how many places were scored is put into ``places``."""
    head = made.model.get_output_embeddings()
    made.model.zero_grad()
    hook = head.register_forward_hook(lambda _module, _inputs, scores: places.append(scores.shape[1]))
    loss = made.compute_loss(made.model, dict(inputs), **options)
    hook.remove()
    loss.backward()
    grads = {name: one.grad.clone() for name, one in made.model.named_parameters() if one.grad is not None}
    return loss.item(), grads


def same(first: tuple[float, dict[str, Any]], second: tuple[float, dict[str, Any]]) -> bool:
    import torch

    assert first[0] == pytest.approx(second[0], abs=1e-6)
    assert set(first[1]) == set(second[1])
    return all(torch.allclose(one, second[1][name], atol=1e-6) for name, one in first[1].items())


@pytest.mark.parametrize("method", ["all weights", "lora", "prefix"])
def test_loss_and_gradients_are_those_of_all_scores(method: str, loaded: Any, tmp_path: Path) -> None:
    import peft

    kinds = {
        "lora": peft.LoraConfig(task_type="CAUSAL_LM", r=2, target_modules="all-linear", init_lora_weights=False),
        "prefix": peft.PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3),
    }
    model = peft.get_peft_model(loaded, kinds[method]) if method in kinds else loaded
    made, whole, narrow = trainer(model, tmp_path), list[int](), list[int]()
    before = step(made, batch(), whole, num_items_in_batch=5)
    with scored_where_learned():
        assert same(step(made, batch(), narrow, num_items_in_batch=5), before)
    assert (whole, narrow) == ([7], [5])  # of the places 1 to 5 the next token is learned in one of the rows
    assert same(step(made, batch(), whole, num_items_in_batch=5), before)
    assert whole == [7, 7]  # and it ends with the block


def test_a_batch_of_which_nothing_is_learned_is_left_alone(loaded: Any, tmp_path: Path) -> None:
    inputs = batch()
    inputs["labels"] = inputs["labels"] * 0 + IGNORED
    made, places = trainer(loaded, tmp_path), list[int]()
    with scored_where_learned():
        step(made, inputs, places, num_items_in_batch=1)
    assert places == [7]


def test_who_looks_at_the_scores_gets_them_all(loaded: Any, tmp_path: Path) -> None:
    made, places = trainer(loaded, tmp_path, compute_metrics=lambda _predicted: {}), list[int]()
    with scored_where_learned():
        step(made, batch(), places)
    assert places == [7]


def test_a_model_with_a_loss_of_its_own_is_left_alone(loaded: Any, tmp_path: Path) -> None:
    from transformers.loss.loss_utils import ForCausalLMLoss

    loaded.loss_function = lambda *given, **options: ForCausalLMLoss(*given, **options)
    made, places = trainer(loaded, tmp_path), list[int]()
    with scored_where_learned():
        step(made, batch(), places)
    assert places == [7]


def test_what_went_around_the_model_before_stays(loaded: Any, tmp_path: Path) -> None:
    """As accelerate puts autocast around it."""
    calls, forward = list[int](), loaded.forward
    loaded.forward = lambda *given, **options: calls.append(1) or forward(*given, **options)
    around = loaded.forward
    made, places = trainer(loaded, tmp_path), list[int]()
    with scored_where_learned():
        step(made, batch(), places)
    assert (places, calls, loaded.forward is around) == ([5], [1], True)
