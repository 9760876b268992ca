"""How training goes, how far each step goes, and on what it is launched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunewiz.language import N_
from tunewiz.presets.sections.section import Batches, Section, about

# How much is learned, and how far each step goes.


Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup", "polynomial"]


class Extent(Batches):
    """How much of the data a run and a step see."""

    epochs: float = Field(
        1.0,
        gt=0,
        le=1000,
        title=N_("Epochs"),
        description=N_("How many times training goes through the data; 0.5 is half of it."),
        examples=[1, 3, 5],
        json_schema_extra=about(
            typical=N_("1 for 100,000 examples and more, 2 to 3 for thousands, up to 10 for hundreds."),
            larger=N_("Learns the data better, then memorises it: new queries get worse."),
            smaller=N_("Faster; may stop before it has learned."),
        ),
    )
    max_steps: int = Field(
        -1,
        ge=-1,
        title=N_("Max steps"),
        description=N_("End after this many steps, whatever the epochs say; -1 sets no limit."),
        examples=[-1, 20, 1000],
        json_schema_extra=about(typical=N_("-1; 20 for a quick trial.")),
    )
    batch_size: int = Field(
        64,
        ge=1,
        le=65536,
        title=N_("Batch size"),
        description=N_(
            "Examples a step, of all processes together. With in-batch losses the other examples of the batch are the "
            "wrong answers to learn from, so it matters more here than elsewhere."
        ),
        examples=[16, 32, 64, 128],
        json_schema_extra=about(
            rule=N_("auto, or a whole number from 1 to 65536"),
            typical=N_("32 to 128; auto takes the largest that fits the memory."),
            larger=N_("More and harder wrong answers to compare with, better search; more memory."),
            smaller=N_("Less memory; a weaker lesson in each step."),
        ),
    )
    accumulation: int = Field(
        1,
        ge=1,
        le=4096,
        title=N_("Gradient accumulation"),
        description=N_(
            "Batches added up before the weights change. It smooths the steps but adds no in-batch negatives: for "
            "those take the cached loss."
        ),
        json_schema_extra=about(
            typical=N_("1."), larger=N_("Steadier, fewer steps an epoch."), smaller=N_("More steps an epoch.")
        ),
    )
    max_length: int = Field(
        256,
        ge=8,
        le=131072,
        title=N_("Max length"),
        description=N_(
            "Tokens kept of each text; the rest is cut off. `tunewiz data FILE` measures yours and advises."
        ),
        examples=[128, 256, 512],
        json_schema_extra=about(
            typical=N_("128 for questions and short answers, 256 to 512 for paragraphs."),
            larger=N_("Sees more of long texts; memory and time grow at least in proportion."),
            smaller=N_("Fast; the end of long texts is never seen."),
        ),
    )
    seed: int = Field(
        42,
        ge=0,
        lt=2**32,
        title=N_("Seed"),
        description=N_("Start of the random numbers: the same seed on the same machine gives the same result."),
        json_schema_extra=about(typical=N_("Any; try three to see how much of a gain is chance.")),
    )


class Optimisation(Section):
    """How steps are computed from gradients."""

    learning_rate: float = Field(
        2e-5,
        gt=0,
        lt=1,
        title=N_("Learning rate"),
        description=N_("How far each step moves the weights; the first thing to change when a result disappoints."),
        examples=[1e-5, 2e-5, 1e-4],
        json_schema_extra=about(
            typical=N_("1e-5 to 5e-5 when all weights are trained, 1e-4 to 5e-4 with LoRA."),
            larger=N_("Learns faster; too large, the loss jumps and the model forgets what it knew."),
            smaller=N_("Safe and slow; too small, nothing changes."),
        ),
    )
    scheduler: Scheduler = Field(
        "linear",
        title=N_("Scheduler"),
        description=N_("How the learning rate changes after the warm-up."),
        json_schema_extra=about(
            typical=N_("linear or cosine."),
            choices={
                "linear": N_("falls evenly to zero"),
                "cosine": N_("stays high at first, then falls in a curve to zero"),
                "constant": N_("never changes, no warm-up"),
                "constant_with_warmup": N_("warms up, then never changes"),
                "polynomial": N_("falls along a power curve to almost zero"),
            },
        ),
    )
    warmup: float = Field(
        0.1,
        ge=0,
        le=1,
        title=N_("Warm-up"),
        description=N_("Share of the steps in which the learning rate climbs from zero, so that the start is gentle."),
        json_schema_extra=about(
            typical=N_("0.05 to 0.1."),
            larger=N_("A gentler start, less time at full rate."),
            smaller=N_("A rough start."),
        ),
    )
    weight_decay: float = Field(
        0.01,
        ge=0,
        lt=1,
        title=N_("Weight decay"),
        description=N_("Pulls weights a little towards zero at each step, against memorising."),
        json_schema_extra=about(
            typical=N_("0 to 0.1."), larger=N_("Stronger pull; too strong forgets."), smaller=N_("0 switches it off.")
        ),
    )
    max_grad_norm: float = Field(
        1.0,
        gt=0,
        le=1e6,
        title=N_("Max gradient norm"),
        description=N_("Steps longer than this are shortened, so that one odd batch cannot wreck the model."),
        json_schema_extra=about(
            typical=N_("1."), larger=N_("Lets rare large steps through."), smaller=N_("Calms a jumping loss.")
        ),
    )
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = Field(
        "adamw",
        title=N_("Optimizer"),
        description=N_("The rule that turns gradients into steps."),
        json_schema_extra=about(
            typical=N_("adamw."),
            choices={
                "adamw": N_("the usual one; 8 bytes of memory for each trained weight"),
                "adamw_8bit": N_("as adamw with 2 bytes a weight; needs a GPU and bitsandbytes"),
                "adafactor": N_("little memory, a somewhat different path"),
                "sgd": N_("no extra memory; needs a much higher learning rate"),
            },
        ),
    )


class EarlyStopping(Section):
    """Stop when evaluation during training no longer improves."""

    enabled: bool = Field(
        False,
        title=N_("Early stopping"),
        description=N_("End training when the primary metric stops improving; needs evaluations during training."),
        json_schema_extra=about(typical=N_("false for one or two epochs, true for many.")),
    )
    patience: int = Field(
        3,
        ge=1,
        le=100,
        title=N_("Patience"),
        description=N_("Evaluations in a row without improvement before training ends."),
        json_schema_extra=about(
            typical=N_("3 to 5."),
            larger=N_("Trains longer in the hope of a late gain."),
            smaller=N_("May stop at a dip that would have passed."),
        ),
    )
    threshold: float = Field(
        0.0,
        ge=0,
        le=1,
        title=N_("Threshold"),
        description=N_("Smallest rise of the metric that counts as an improvement."),
        json_schema_extra=about(
            typical=N_("0 to 0.002."), larger=N_("Stops sooner."), smaller=N_("Any rise counts, chance ones too.")
        ),
    )


class Training(Optimisation, Extent):
    """How training goes: extent and optimisation, then what a run does beside them."""

    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto",
        title=N_("Precision"),
        description=N_("Number format of the computation."),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("bf16 where the device computes it fast, otherwise fp32"),
                "bf16": N_("half the memory, 2 to 3 times as fast, steady"),
                "fp16": N_("for GPUs older than 2020 (V100, T4); can overflow"),
                "fp32": N_("slow and exact"),
            },
        ),
    )
    gradient_checkpointing: bool = Field(
        False,
        title=N_("Gradient checkpointing"),
        description=N_("Compute parts twice instead of keeping them: much less memory, about a third slower."),
        json_schema_extra=about(typical=N_("false; true when memory runs out. Not together with cached losses.")),
    )
    group_by_length: bool = Field(
        True,
        title=N_("Group by length"),
        description=N_("Put texts of similar length into one batch, so that less is computed on padding."),
        json_schema_extra=about(typical=N_("true: the same quality in less time.")),
    )
    log_every: int = Field(
        10,
        ge=1,
        le=100_000,
        title=N_("Log every"),
        description=N_("Steps between two reports of loss and speed, at most: a short run reports twenty times."),
        json_schema_extra=about(typical="10"),
    )
    evaluations: int = Field(
        4,
        ge=0,
        le=1000,
        title=N_("Evaluations"),
        description=N_("How often the model is measured during training, evenly spread; 0 never."),
        json_schema_extra=about(
            typical=N_("2 to 10."),
            larger=N_("A finer curve and a better chance to catch the best moment; each one takes time."),
            smaller=N_("Faster."),
        ),
    )
    keep_checkpoints: int = Field(
        2,
        ge=1,
        le=100,
        title=N_("Keep checkpoints"),
        description=N_("How many checkpoints stay on disk during training; older ones are deleted, the best is kept."),
        json_schema_extra=about(
            typical=N_("1 to 3."), larger=N_("More to go back to; with adamw each is three times the trained weights.")
        ),
    )
    best_checkpoint: bool = Field(
        True,
        title=N_("Best checkpoint"),
        description=N_("End with the checkpoint that measured best during training, not with the last one."),
        json_schema_extra=about(typical=N_("true; needs evaluations during training.")),
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        title=N_("Loader workers"),
        description=N_("Extra processes that prepare batches; 0 does it in the training process."),
        json_schema_extra=about(typical=N_("0; 2 to 8 when a GPU waits for data.")),
    )
    early_stopping: EarlyStopping = Field(
        default_factory=EarlyStopping,
        title=N_("Early stopping"),
        description=N_("When to end before all epochs are done."),
    )

    def in_16_bits(self, auto: bool) -> bool:
        """Whether it computes in 16 bit; ``auto``: whether precision auto means that on the device."""
        return auto if self.precision == "auto" else self.precision != "fp32"


class RetrievalTraining(Training):
    """As :class:`Training`, with what embedding models and rerankers have beside."""

    recipe: Literal["auto", "fixed"] = Field(
        "auto",
        title=N_("Recipe"),
        description=N_(
            "Who chooses epochs, learning rate, batch size, warm-up and evaluations where they are not written here. "
            "What is written stays."
        ),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("the run, from rows, model and how much the untouched model finds; each with its reason"),
                "fixed": N_("nobody: the default of each key, whatever the data"),
            },
        ),
    )
    dropout: Literal["auto", "model", "none"] = Field(
        "auto",
        title=N_("Dropout in the model"),
        description=N_(
            "Which numbers inside the model are set to zero at random while training. Of what attention weighs it is "
            "dear: a processor has no kernel for it, and needs about twice the time and the memory."
        ),
        json_schema_extra=about(
            typical=N_("auto."),
            choices={
                "auto": N_("between layers as the model was made, none of what attention weighs"),
                "model": N_("all, as the model was made: 0.1 in BERT and its kin"),
                "none": N_("none; fits the rows more closely"),
            },
        ),
    )
    tuned_share: Literal["auto"] | Annotated[float, Field(ge=0, le=1)] = Field(
        "auto",
        title=N_("Share of the tuned weights"),
        description=N_(
            "How much of the tuned weights is kept; the rest is the untouched model's (WiSE-FT). auto measures several "
            "shares on the validation queries, 0 and 1 among them; without validation queries it keeps all."
        ),
        examples=["auto", 1, 0.5],
        json_schema_extra=about(
            typical=N_("auto; 1 keeps what training ended with."),
            larger=N_("Closer to the training data."),
            smaller=N_("Closer to what the model knew; 0 undoes the training."),
        ),
    )


# On how many processes and machines a run is launched.


class Checkpoints(Section):
    """What becomes of checkpoints beside their place in the run."""

    sync: str = Field(
        "",
        title=N_("Copied to"),
        description=N_(
            "Where each checkpoint is copied after it was saved, and the model and the report at the end: off a rented "
            "machine, for example. A copy that fails never ends the run."
        ),
        examples=["rsync://host/module/runs", "user@host:runs", "hf:org/repo", "modelscope:org/repo", "/mnt/backup"],
        json_schema_extra=about(
            rule=N_("rsync://…, user@host:path, hf:org/repo, modelscope:org/repo, an absolute folder, or nothing"),
            typical=N_("Empty; on a machine that may be taken away, a place that stays."),
        ),
    )


class Launch(Section):
    """Processes and devices."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        title=N_("Device"),
        description=N_("What computes."),
        json_schema_extra=about(
            choices={
                "auto": N_("a GPU where there is one, otherwise the CPU"),
                "cpu": N_("the processor, even where a GPU is free"),
                "cuda": N_("an NVIDIA GPU; the run fails early where there is none"),
            },
        ),
    )
    processes: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        "auto",
        title=N_("Processes"),
        description=N_(
            "How many processes train together on a machine, each on a GPU of its own. auto takes every GPU that is "
            "free, or those that CUDA_VISIBLE_DEVICES names, as many as share the batch evenly; on a CPU it is 1. The "
            "rows of a step stay what the preset says, shared among all."
        ),
        json_schema_extra=about(
            typical=N_("auto; 1 where you share the GPUs, or to compare with a run of one process."),
            larger=N_("Faster where a step computes long; each process holds a copy of the model, or its share."),
            smaller=N_("Leaves GPUs to others."),
        ),
    )
    nodes: int = Field(
        1,
        ge=1,
        le=1024,
        title=N_("Machines"),
        description=N_(
            "How many machines train together, each with as many processes; all see the folder of runs under the same "
            "path. The run tells the command for the others, which meet at MASTER_ADDR and MASTER_PORT."
        ),
        json_schema_extra=about(
            typical=N_("1."), larger=N_("More GPUs, joined by a network that has to be fast."), smaller=N_("Simpler.")
        ),
    )
    strategy: Literal["auto", "ddp", "zero2", "zero3", "zero3_offload", "fsdp"] = Field(
        "auto",
        title=N_("Strategy"),
        description=N_("What the processes divide among them beside the rows."),
        json_schema_extra=about(
            typical=N_("auto; zero3 or fsdp where the model does not fit one GPU."),
            choices={
                "auto": N_("ddp"),
                "ddp": N_("nothing: each holds the whole model; the fastest where it fits"),
                "zero2": N_("gradients and optimizer, by DeepSpeed; language models"),
                "zero3": N_("the weights too, which are fetched layer by layer: slower; language models"),
                "zero3_offload": N_("as zero3, kept in the host's memory: slowest; language models"),
                "fsdp": N_("as zero3, by torch itself; language models"),
            },
        ),
    )
    on_out_of_memory: Literal["stop", "adjust", "shrink"] = Field(
        "adjust",
        title=N_("Out of memory"),
        description=N_("What the run does by itself when memory runs out; each change is told and written down."),
        json_schema_extra=about(
            choices={
                "stop": N_("end, and say what helps"),
                "adjust": N_("take less memory in ways that leave the result the same, and go on"),
                "shrink": N_("also shorter texts, smaller groups, an adapter or 4 bits, which change the result"),
            },
        ),
    )
    threads: int = Field(
        0,
        ge=0,
        le=1024,
        title=N_("CPU threads"),
        description=N_("Processor threads for computing; 0 takes as many as there are cores."),
        json_schema_extra=about(
            typical=N_("0; fewer where you share the machine."),
            larger=N_("More than there are cores is slower."),
            smaller=N_("Leaves the machine usable for others."),
        ),
    )
