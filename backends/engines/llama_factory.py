"""The engine on LLaMA-Factory: its ``run_exp`` tunes causal language models, in the run's own child.

The YAML that ``llamafactory-cli train`` would take, the arguments of ``run_exp``, and one training with our call-backs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from tunewiz.backends import trackers
from tunewiz.backends.language_models.learned_places import scored_where_learned
from tunewiz.backends.language_models.loaded_model import Places, computing_in, ready_process
from tunewiz.backends.language_models.sample_answers import sample_answers
from tunewiz.backends.language_models.templates import own_template
from tunewiz.backends.language_models.unlearned import marks_kept
from tunewiz.backends.machine.precision import Precision, choose_for_run
from tunewiz.backends.ranks import ray
from tunewiz.backends.ranks.place import here
from tunewiz.backends.ranks.plan import DEEPSPEED, SHARDED, divided, own_batch, plan_of
from tunewiz.backends.ranks.ray_worker import Carried
from tunewiz.backends.runs.callback import run_callback
from tunewiz.backends.runs.create import record_folder
from tunewiz.backends.runs.events import Saved
from tunewiz.backends.runs.run import Run
from tunewiz.backends.sources import find_cached
from tunewiz.backends.stages.language_model import LanguageModelBackend, rows_wanted
from tunewiz.backends.training import pissa
from tunewiz.backends.training.arguments import device_and_precision, dump_yaml, schedule_by_shares, settings
from tunewiz.backends.training.checkpoints import measured_at_the_end, no_step_too_many, resume_from
from tunewiz.backends.training.out_of_memory import explain_out_of_memory
from tunewiz.backends.training.probe import probed
from tunewiz.data.rows.conversations import Stage
from tunewiz.files import PRIVATE, write_json, write_whole
from tunewiz.presets.sections.llm_training import LlmTraining
from tunewiz.presets.tasks.llm import LlmPreset
from tunewiz.problems import BadData, Problem, Where, error, say


class LlamaFactory(LanguageModelBackend):
    """LLaMA-Factory's ``run_exp`` trains, in the run's own child; everything else is the base's."""

    name = "llama_factory"
    strategies = frozenset({"ddp", *SHARDED})

    def problems(self, preset: LlmPreset) -> list[Problem]:
        """As every language model's, and what does not go with weights that are divided among processes."""
        return [*super().problems(preset), *_sharding_problems(preset)]

    def native(self, preset: LlmPreset) -> str:
        """The YAML that ``llamafactory-cli train`` would take."""
        return training_yaml(preset)

    def train(self, run: Run, preset: LlmPreset) -> None:
        """Train from the newest checkpoint, or the untouched model, into ``run.checkpoints``."""
        train_with_run_exp(run, preset, self.places(run))
        run.emit(Saved(what="adapter" if preset.method.adapter else "model", path=run.relative(run.checkpoints)))


def training_yaml(preset: LlmPreset) -> str:
    """The arguments as they follow from the preset; what depends on data, or on where the run is, stands in words."""
    device, precision = device_and_precision(preset)
    located = find_cached(preset.model)
    folder = Path(located.place) if located else None
    rows: Stage = rows_wanted(preset) or "sft"
    template = own_template(preset.model.id, folder) if preset.template == "auto" else preset.template
    validated = preset.data.evaluation.validation_fraction != 0
    places = Places(str(folder or preset.model.id), "RUN/data/llama_factory", "RUN/checkpoints", template or "auto",
                    rows, validated)  # fmt: skip
    return dump_yaml(run_exp_arguments(preset, places, precision, device))


#: Keys of the shared settings that LLaMA-Factory sets itself.
_OWN: Final = ("gradient_checkpointing", "gradient_checkpointing_kwargs")
#: Stages whose rows are one sequence each, which can be sorted by length.
_ONE_TEXT: Final = ("sft", "pretrain")
_ATTENTION: Final = {"sdpa": "sdpa", "flash_attention_2": "fa2", "eager": "disabled"}


def stage_of(preset: LlmPreset, rows: Stage) -> str:
    """The stage to train: the preset's, or what fits the rows."""
    auto: dict[Stage, str] = {"sft": "sft", "pretrain": "pretrain", "preference": "dpo", "kto": "kto"}
    return auto[rows] if preset.stage == "auto" else preset.stage


def run_exp_arguments(preset: LlmPreset, places: Places, precision: str, device: str) -> dict[str, Any]:
    """Everything ``run_exp`` is called with; the preset's ``backend_options`` win."""
    training = preset.training
    shared = {key: value for key, value in settings(preset, precision, device).items() if key not in _OWN}
    stage = stage_of(preset, places.rows)
    return {
        "model_name_or_path": places.model,
        "trust_remote_code": preset.model.trust_remote_code,
        "do_train": True,
        **_stage(preset, stage),
        **preset.method.arguments(),
        "dataset": "train",
        "dataset_dir": places.data,
        "template": places.template,
        "enable_thinking": places.thinking,
        "cutoff_len": training.max_length,
        **_rows(training, stage),
        "output_dir": places.output,
        **shared,
        "warmup_steps": training.warmup,
        "disable_gradient_checkpointing": not training.gradient_checkpointing,
        "train_sampling_strategy": "group_by_length" if training.group_by_length and stage in _ONE_TEXT else "random",
        "include_num_input_tokens_seen": "non_padding",
        **schedule_by_shares(preset, places.validated),
        **_kernels(training),
        **({"resume_from_checkpoint": places.resume} if places.resume else {}),
        **preset.backend_options,
    }


def _stage(preset: LlmPreset, stage: str) -> dict[str, Any]:
    options = preset.preference
    pairs = {"pref_beta": options.beta, "pref_ftx": options.sft_weight}
    known: dict[str, dict[str, Any]] = {
        "sft": {"stage": "sft"},
        "pretrain": {"stage": "pt"},
        "dpo": {"stage": "dpo", "pref_loss": "sigmoid", "dpo_label_smoothing": options.label_smoothing} | pairs,
        "orpo": {"stage": "dpo", "pref_loss": "orpo", "pref_beta": options.beta},
        "simpo": {"stage": "dpo", "pref_loss": "simpo", "simpo_gamma": options.gamma} | pairs,
        "kto": {"stage": "kto"} | pairs,
    }
    return known[stage]


def _rows(training: LlmTraining, stage: str) -> dict[str, Any]:
    """How rows become sequences. Packed rows of sft are kept from seeing each other; texts to continue are not."""
    found: dict[str, Any] = {"packing": training.packing}
    if stage == "sft":
        found |= {"neat_packing": True} if training.packing else {}
        found |= {"mask_history": True} if training.trained_on == "last_answer" else {}
        found |= {"train_on_prompt": True} if training.trained_on == "everything" else {}
    return found


def _kernels(training: LlmTraining) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if training.neftune:
        found["neftune_noise_alpha"] = training.neftune
    if training.attention != "auto":
        found["flash_attn"] = _ATTENTION[training.attention]
    if training.liger:
        found["enable_liger_kernel"] = True
    return found


# Strategies that divide more than the rows: by DeepSpeed's configuration, or torch's FSDP.


#: DeepSpeed's configuration, beside the run's other records.
_DEEPSPEED: Final = "deepspeed.json"
#: Strategies by which no process holds the whole model.
WHOLE_MODEL_GONE: Final = ("zero3", "zero3_offload", "fsdp")


def sharded(run: Run, strategy: str) -> dict[str, Any]:
    """Arguments of the Trainer for ``strategy``; DeepSpeed's configuration is written beside them."""
    if strategy == "fsdp":
        return {"fsdp": "full_shard auto_wrap", "fsdp_config": {"use_orig_params": True}}
    if strategy not in DEEPSPEED:
        return {}
    path = run.directory / _DEEPSPEED
    if here().first:
        write_json(path, deepspeed_configuration(strategy), PRIVATE)
    return {"deepspeed": deepspeed_configuration(strategy)}


def deepspeed_configuration(strategy: str) -> dict[str, Any]:
    """As DeepSpeed reads it; ``auto`` is filled in by the Trainer from its own arguments."""
    zero: dict[str, Any] = {
        "stage": 2 if strategy == "zero2" else 3,
        "overlap_comm": True,
        "contiguous_gradients": True,
    }
    if strategy != "zero2":
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if strategy == "zero3_offload":
        zero |= {f"offload_{part}": {"device": "cpu", "pin_memory": True} for part in ("optimizer", "param")}
    counted = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping")
    return {
        **dict.fromkeys(counted, "auto"),
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": zero,
    }


#: Options that the library refuses once training has begun (its ``hparams/parser.py``), with the strategies.
_UNDIVIDED: Final = {
    "pure_bf16": ("zero3", "zero3_offload"),
    "use_unsloth": ("zero3", "zero3_offload"),
    "use_galore": ("zero2", "zero3", "zero3_offload"),
    "use_apollo": ("zero2", "zero3", "zero3_offload"),
}


def _sharding_problems(preset: LlmPreset) -> Iterator[Problem]:
    strategy, key = preset.launch.strategy, Where(key="launch.strategy")
    bits = preset.method.stored_bits
    allowed = (4,) if strategy == "fsdp" else ()
    if strategy in WHOLE_MODEL_GONE and bits < 16 and bits not in allowed:
        message = say("Weights in {bits} bits cannot be divided by the strategy {name}.", bits=bits, name=strategy)
        yield error(
            "strategy-quantised", message, key, say("Set launch.strategy to zero2 or ddp, or method.type to lora.")
        )
    several = plan_of(preset, LlamaFactory.strategies).spread or ray.wanted(preset)
    if several and preset.method.arguments().get("pissa_convert"):
        message = say("PiSSA's start is computed and kept by one process.")
        fix = say("Set launch.processes to 1 and launch.strategy to auto, or method.pissa to false.")
        yield error("strategy-pissa", message, Where(key="method.pissa"), fix)
    for name, strategies in _UNDIVIDED.items():
        if preset.backend_options.get(name) and strategy in strategies:
            message = say("LLaMA-Factory takes no {name} with the strategy {strategy}.", name=name, strategy=strategy)
            fix = say("Leave it out, or set launch.strategy to fsdp or ddp.")
            yield error("strategy-option", message, Where(key=f"backend_options.{name}"), fix)


#: The arguments as they were used, beside the run's other records.
CONFIGURATION: Final = "llama_factory.yaml"


def train_with_run_exp(run: Run, preset: LlmPreset, places: Places) -> None:
    """Train, from the newest checkpoint if there is one, into ``run.checkpoints``.

    Raises :class:`StopRequested` after saving a checkpoint when asked to stop, :class:`OutOfMemory` with advice, and
    :class:`BadData` when no row is left.
    """
    device = ready_process(preset.launch)
    precision = choose_for_run(run, preset.training.precision, device)
    resumed = resume_from(run)
    # A model whose weights are divided writes only where all processes ask it to.
    asked = () if preset.launch.strategy in WHOLE_MODEL_GONE else sample_answers(run, preset, places)
    callbacks = [*_callbacks(run, preset), *asked]
    if (preset.method.arguments() | preset.backend_options).get("pissa_convert"):
        resumed = pissa.with_start(run, resumed)
        callbacks.append(pissa.start_kept(run.checkpoints, resumed))
    told = run_exp_arguments(preset, replace(places, resume=str(resumed) if resumed else ""), precision, device)
    # Without it the library looks for a checkpoint itself, and refuses a folder with weights that a kill left.
    told["overwrite_output_dir"] = True
    told |= {key: value for key, value in sharded(run, preset.launch.strategy).items() if key not in told}
    if ray.wanted(preset):
        told |= _part_of_worker(preset)
        callbacks = Carried(callbacks, f"{__name__}:in_worker", _order(run, places, resumed, precision, device))
    if here().first:
        write_whole(run.directory / CONFIGURATION, dump_yaml(told))
    from llamafactory.train.tuner import run_exp

    with explain_out_of_memory(preset, device), _as_we_train(run, preset, precision, device):
        try:
            run_exp(told, callbacks=callbacks)
        except RuntimeError as fault:
            # The library's own words for a dataset of which nothing is left once it is cut to length.
            if "Cannot find" in str(fault) and "samples" in str(fault):
                raise BadData(_nothing_left(preset)) from fault
            raise
    run.check_stop()
    if here().first:
        record_folder(run, run.checkpoints)


@contextmanager
def _as_we_train(run: Run, preset: LlmPreset, precision: Precision, device: str) -> Iterator[None]:
    """What differs from the library alone while it trains, in our process and in Ray's workers."""
    with computing_in(precision), no_step_too_many(), probed(run, preset, device), marks_kept(), scored_where_learned():
        yield


def _part_of_worker(preset: LlmPreset) -> dict[str, int]:
    """Rows a batch and batches a step of each of Ray's workers."""
    rows, batches = divided(preset, ray.workers(preset)) or own_batch(preset)
    return {"per_device_train_batch_size": rows, "gradient_accumulation_steps": batches}


def _order(run: Run, places: Places, resumed: Path | None, precision: str, device: str) -> dict[str, Any]:
    told = {"run": run.whereabouts(), "resume": run.relative(resumed) if resumed else "", "places": asdict(places)}
    return told | {"precision": precision, "device": device}


def in_worker(run: Run, preset: LlmPreset, order: dict[str, Any], held: ExitStack) -> list[Any]:
    """The call-backs of a worker that Ray started; what holds while it trains is entered in ``held``."""
    ready_process(preset.launch)
    held.enter_context(_as_we_train(run, preset, order["precision"], order["device"]))
    asked = () if preset.launch.strategy in WHOLE_MODEL_GONE else sample_answers(run, preset, Places(**order["places"]))
    return [*_callbacks(run, preset), *asked]


def _callbacks(run: Run, preset: LlmPreset) -> list[Any]:
    early = preset.training.early_stopping
    found = [
        measured_at_the_end(),
        run_callback(run),
        *(trackers.callbacks(run, preset.tracking) if here().first else ()),
    ]
    if early.enabled and early.threshold:
        from transformers import EarlyStoppingCallback

        found.append(EarlyStoppingCallback(early.patience, early.threshold))
    return found


def _nothing_left(preset: LlmPreset) -> Any:
    message = say(
        "No row is left to train on once it is cut to {length} tokens{packed}.",
        length=preset.training.max_length,
        packed=say(" and packed") if preset.training.packing else "",
    )
    fix = say("Raise training.max_length for long prompts; with packing lower it, or switch packing off.")
    return error("no-usable-rows", message, fix=fix)
