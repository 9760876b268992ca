"""A step of LoRA with scores of the vocabulary at every place, and where a token is learned.

``python -m tests.bench.learned_places`` prints a Markdown table of processor seconds and of the peak of memory; each
line is a process of its own, the starter model on eight rows of a sample of ours, made as training makes them.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

_SAMPLES: Final = Path(__file__).resolve().parents[2] / "data" / "samples"
SAMPLES: Final = {"texts and labels": "intents-en.csv", "questions and answers": "instructions-en.jsonl"}
ROWS: Final = 8


def child(sample: str, narrow: bool) -> dict[str, Any]:
    """Two steps, of which the second counts."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Trainer, TrainingArguments

    from tunewiz.backends.language_models.learned_places import scored_where_learned

    model, batch = _model_and_batch(sample)
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=8, target_modules="all-linear")).train()
    arguments = TrainingArguments(output_dir="unused", report_to="none", use_cpu=True)
    trainer = Trainer(model=model, args=arguments)
    learned = int((batch["labels"] != -100).sum())
    loss, begun = torch.zeros(()), time.process_time()
    with scored_where_learned() if narrow else nullcontext():
        for _ in range(2):
            begun = time.process_time()
            loss = trainer.compute_loss(model, dict(batch), num_items_in_batch=learned)
            loss.backward()
    seconds, peak = time.process_time() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    places = int(batch["attention_mask"].sum())
    return {"seconds": seconds, "peak": peak, "loss": loss.item(), "learned": learned, "places": places}


def _model_and_batch(sample: str) -> tuple[Any, dict[str, Any]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tunewiz.backends import sources
    from tunewiz.presets.yaml.library import load

    folder = str(sources.fetch(sources.resolve(load("llm/starter").model)))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    made = [_tokens(tokenizer, *row) for row in _rows(sample)]
    width = max(len(ids) for ids, _ in made)
    batch = {
        "input_ids": torch.tensor([ids + [0] * (width - len(ids)) for ids, _ in made]),
        "attention_mask": torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in made]),
        "labels": torch.tensor([labels + [-100] * (width - len(labels)) for _, labels in made]),
    }
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), batch


def _rows(sample: str) -> list[tuple[str, str]]:
    """What is asked and what is answered; texts to be sorted with their labels before them."""
    if sample.endswith(".jsonl"):
        told = map(json.loads, (_SAMPLES / sample).read_text("utf-8").splitlines()[:ROWS])
        return [(row["instruction"], row["output"]) for row in told]
    with (_SAMPLES / sample).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    labels = ", ".join(sorted({row["label"] for row in rows}))
    return [(f"Sort the text into one of: {labels}.\n{row['text']}", row["label"]) for row in rows[:ROWS]]


def _tokens(tokenizer: Any, asked: str, answer: str) -> tuple[list[int], list[int]]:
    prompt = tokenizer(f"{asked}\n").input_ids
    told = [*tokenizer(answer, add_special_tokens=False).input_ids, tokenizer.eos_token_id]
    return prompt + told, [-100] * len(prompt) + told


def main() -> None:
    """Parse the command line; measure and print, or, as a child, take the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(child(options.child[0], options.child[1] == "narrow")))
        return
    print("| rows of | tokens | learned | scored | processor s | GiB at most | loss |\n|---|--:|--:|---|--:|--:|--:|")
    for kind, sample in SAMPLES.items():
        for how, words in (("whole", "everywhere"), ("narrow", "where learned")):
            command = [sys.executable, "-m", "tests.bench.learned_places", "--child", sample, how]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path.cwd())
            told = json.loads(done.stdout.splitlines()[-1])
            numbers = f"{told['seconds']:.1f} | {told['peak']:.1f} | {told['loss']:.5f}"
            print(f"| {kind} | {told['places']} | {told['learned']} | {words} | {numbers} |", flush=True)


if __name__ == "__main__":
    main()
