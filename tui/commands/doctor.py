"""``tunewiz doctor``: what is installed, reachable and free, which tasks can run here, and how to mend the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tunewiz.backends.machine.diagnosis import Diagnosis, Folder, Hub, Package, diagnose, plugin_problems
from tunewiz.backends.runs.find import runs_dir
from tunewiz.language import N_, translate
from tunewiz.presets import tasks
from tunewiz.printable import amount, printable
from tunewiz.problems import ExitCode, Problem, error, note, say, warning
from tunewiz.tui.commands.options import AsJson, RunsDir, finish
from tunewiz.tui.words import problem_line

_LITTLE: Final = 10_000_000_000  # bytes free under which a download or a few checkpoints fill the disk


def doctor(runs_dir: RunsDir = None, as_json: AsJson = False) -> None:
    """What is typed after ``tunewiz doctor``."""
    finish(lambda: run_doctor(runs_dir, as_json))


def run_doctor(folder: Path | None, as_json: bool) -> int:
    """Print the diagnosis; 0 when a task can run here, 1 when none can."""
    found = diagnose(tasks.catalogue(), runs_dir(folder))
    problems = list(findings(found))
    able = any(found.runs(task) for task in found.needed)
    if as_json:
        record = facts(found) | {"problems": [problem.as_json() for problem in problems]}
        print(json.dumps(record, ensure_ascii=False))
    else:
        _show(found, problems, Console(highlight=False))
    return int(ExitCode.OK if able else ExitCode.FAILED)


def facts(found: Diagnosis) -> dict[str, Any]:
    """The diagnosis as JSON: sizes in bytes, times in seconds."""
    return {
        "tunewiz": found.tunewiz,
        "python": found.python,
        "tasks": {
            task: {"runs": found.runs(task), "missing": [one.name for one in found.missing(task)]}
            for task in found.needed
        },
        "extras": {name: [asdict(one) | {"good": one.good} for one in listed] for name, listed in found.extras.items()},
        "torch": dict(found.torch),
        "hardware": dict(found.hardware) | {"bf16": found.cpu_bf16},
        "hubs": [asdict(hub) for hub in found.hubs],
        "offline": found.offline,
        "folders": [asdict(folder) | {"path": str(folder.path)} for folder in found.folders],
    }


def findings(found: Diagnosis) -> Iterator[Problem]:
    """What is wrong or worth knowing, the gravest first, each with its fix."""
    fault = found.torch.get("fault")
    if fault and _version(found, "torch"):
        message = say("torch is installed and cannot be used: {fault}", fault=printable(fault))
        yield error("torch-broken", message, fix=say("Install it again, in the build for this machine's driver."))
    yield from _packages(found)
    yield from plugin_problems()
    yield from _gpus(found)
    yield from _hubs(found)
    for folder in found.folders:
        if folder.free is not None and folder.free < _LITTLE:
            message = say("Only {free} are free where {path} is.", free=amount(folder.free), path=folder.path)
            yield warning(
                "disk-nearly-full", message, fix=say("Delete old runs (`tunewiz runs`), or use another disk.")
            )


def _version(found: Diagnosis, name: str) -> str:
    return next((one.version for listed in found.extras.values() for one in listed if one.name == name), "")


def _packages(found: Diagnosis) -> Iterator[Problem]:
    if not any(found.needed.values()):
        message = say("Tunewiz itself is not installed as a package, so that what it needs is not known.")
        yield error("not-installed", message, fix=say("Run: {command}", command="pip install '.[all]'"))
    seen: set[str] = set()
    for extra, listed in found.extras.items():
        new = [one for one in listed if not one.good and one.name not in seen]
        seen |= {one.name for one in new}
        fix = say("Run: {command}", command=f"pip install 'tunewiz[{extra}]'")
        absent = translate(", ").join(one.name for one in new if not one.version)
        if absent:
            message = say("Not installed: {names} (extra {extra}).", names=absent, extra=extra)
            yield (note if extra == "modelscope" else warning)("packages-missing", message, fix=fix)
        for one in new:
            if one.version:
                message = say("{name} is {version}; {asked} is known to work.", **_words(one))
                yield warning("package-version", message, fix=fix)


def _words(package: Package) -> dict[str, str]:
    return {"name": package.name, "version": package.version, "asked": package.asked}


def _gpus(found: Diagnosis) -> Iterator[Problem]:
    cards = found.hardware["gpus"]
    if cards and "fault" not in found.torch and not found.torch.get("cuda"):
        message = say("There are {count} GPUs and torch {version} sees none.", count=len(cards), **_torch_words(found))
        fix = say("Install a build of torch for this driver; look at CUDA_VISIBLE_DEVICES too.")
        yield warning("gpu-unused", message, fix=fix)
    for device in found.torch.get("devices", ()):
        if not device["computes"]:
            message = say("{name} does not compute: {fault}", name=device["name"], fault=device.get("fault", "?"))
            yield error("gpu-broken", message, fix=say("Install a build of torch for compute capability {capability}.",
                                                    capability=device["capability"]))  # fmt: skip
    if not cards:
        yield note("no-gpu", say("There is no GPU that NVML sees: small models train on the CPU."))


def _torch_words(found: Diagnosis) -> dict[str, str]:
    return {"version": str(found.torch.get("version", ""))}


def _hubs(found: Diagnosis) -> Iterator[Problem]:
    if found.offline:
        yield note("hub-offline", say("HF_HUB_OFFLINE is set: only models on this machine can be used."))
    elif not any(hub.reachable for hub in found.hubs):
        message = say("No hub of models can be reached from here.")
        fix = say("Set HF_ENDPOINT to a mirror, give a folder as model.id, or use the starter presets.")
        yield warning("hub-unreachable", message, fix=fix)


def _show(found: Diagnosis, problems: list[Problem], console: Console) -> None:
    console.print(Text(f"Tunewiz {found.tunewiz}   Python {found.python}   {found.hardware['system']}", style="bold"))
    for title, rows in parts(found):
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, words in rows:
            table.add_row(Text(f"  {name}"), Text(words))
        if table.row_count:
            console.print(Text("\n" + translate(title), style="bold"))
            console.print(table)
    if problems:
        console.print()
    for problem in problems:
        console.print(Text(problem_line(problem.as_json())), soft_wrap=True)


def parts(found: Diagnosis) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The diagnosis by parts (titles marked for translation), each in rows of what and how it is."""
    yield N_("Tasks"), list(_task_rows(found))
    yield N_("Machine"), list(_machine_rows(found))
    yield N_("Packages"), list(_package_rows(found))
    yield N_("Hubs"), [_hub_row(hub) for hub in found.hubs]
    yield N_("Disks"), [_folder_row(folder) for folder in found.folders]


def _task_rows(found: Diagnosis) -> Iterator[tuple[str, str]]:
    for task in found.needed:
        if found.runs(task):
            where = (
                translate(N_("ready, on the GPU")) if found.torch.get("cuda") else translate(N_("ready, on the CPU"))
            )
            yield task, where
        else:
            names = translate(", ").join(one.name for one in found.missing(task)) or "torch"
            yield task, translate("not yet: {names}").format(names=names)


def _machine_rows(found: Diagnosis) -> Iterator[tuple[str, str]]:
    hardware = found.hardware
    cores = translate("{cores} cores").format(cores=hardware["cores"])
    bf16 = translate(N_("bf16 in hardware")) if found.cpu_bf16 else translate(N_("no bf16"))
    yield "CPU", f"{printable(hardware['processor'])}, {cores}, {amount(hardware['memory'])}, {bf16}"
    for card in hardware["gpus"]:
        used, total = card["memory_used"], card["memory_total"]
        memory = f"{amount(used)} / {amount(total)}" if used is not None and total is not None else "?"
        driver = translate("driver {version}").format(version=printable(card["driver"]))
        yield f"GPU {card['index']}", f"{printable(card['name'])}, {memory}, {driver}"
    for number, device in enumerate(found.torch.get("devices", ())):
        bf16 = translate(N_("bf16 in hardware")) if device["bf16"] else translate(N_("no bf16"))
        yield f"cuda:{number}", f"{printable(device['name'])}, {device['capability']}, {bf16}"


def _package_rows(found: Diagnosis) -> Iterator[tuple[str, str]]:
    told: set[str] = set()
    for extra, listed in found.extras.items():
        new = [one for one in listed if one.name not in told]
        told |= {one.name for one in new}
        yield extra, translate(", ").join(f"{one.name} {one.version or '—'}" for one in new)


def _hub_row(hub: Hub) -> tuple[str, str]:
    if hub.reachable:
        words = translate("answers after {seconds} s").format(seconds=f"{hub.seconds:.1f}")
    else:
        words = translate("does not answer: {reason}").format(reason=hub.reason)
    return hub.name, f"{printable(hub.address)}  {words}"


def _folder_row(folder: Folder) -> tuple[str, str]:
    used = "?" if folder.used is None else amount(folder.used)
    free = "?" if folder.free is None else amount(folder.free)
    words = translate("{used} used, {free} free").format(used=used, free=free)
    return translate(folder.name), f"{printable(folder.path)}  {words}"
