"""A run as a job of Slurm: a batch script that a person can read, handed over by sbatch.

At its time limit the run saves and the job queues again; each time it begins, it goes on from the newest checkpoint.

``python -m tunewiz.backends.outside.slurm DIRECTORY``: what the script calls to queue itself again.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tunewiz.backends.runs.events import Launched
from tunewiz.backends.runs.process import write_job
from tunewiz.backends.runs.run import Run
from tunewiz.errand import child_environment
from tunewiz.files import PRIVATE, write_whole
from tunewiz.language import VARIABLE
from tunewiz.problems import BadPreset, TunewizError, error, note, say
from tunewiz.redaction import redacted

SCRIPT: Final = "job.sbatch"
#: Seconds before the limit at which the run is asked to save; half of the limit where that is short. Slurm looks at
#: its clocks now and then and may ask up to a minute earlier (sbatch(1), --signal).
LEAD: Final = 120
_OPTION: Final = re.compile(r"([a-z][a-z-]*)=(\S+)")
#: What is asked for by our own words and how Slurm is told; any other option of sbatch's goes through by its own name.
_WORDS: Final = {"gpus": "gpus-per-node"}
_OWN: Final = ("job-name", "output", "error", "open-mode", "requeue", "no-requeue", "signal", "chdir", "parsable")
_LIMIT: Final = re.compile(r"(?:(?P<days>\d+)-)?(?P<rest>\d+(?::\d+){0,2})")


def is_option(word: str) -> bool:
    """Whether ``word`` after ``--slurm`` is an option of the job and no preset."""
    return _OPTION.fullmatch(word) is not None and not Path(word).exists()


def options(words: Sequence[str]) -> dict[str, str]:
    """``partition=…``, ``gpus=…``, ``time=…`` and so on by the names that sbatch has. Raises ``BadPreset``."""
    found = {}
    for word in words:
        match = _OPTION.fullmatch(word)
        name = match[1] if match else ""
        if match is None or name in _OWN:
            message = say("{word} is no option for the job.", word=word)
            fix = say("For example: --slurm partition=gpu gpus=1 time=4:00:00; any other option of sbatch by its name.")
            raise BadPreset(error("slurm-option", message, fix=fix))
        found[_WORDS.get(name, name)] = match[2]
    if "time" in found and seconds(found["time"]) is None:
        message = say("time={time} is no time limit.", time=found["time"])
        fix = say("Write minutes, hours:minutes:seconds or days-hours: time=90, time=4:00:00, time=2-12.")
        raise BadPreset(error("slurm-time", message, fix=fix))
    nodes = found.get("nodes", "1")
    if not nodes.isdecimal() or int(nodes) < 1:
        message = say("nodes={count} is no number of machines.", count=nodes)
        raise BadPreset(error("slurm-nodes", message, fix=say("Write a whole number: nodes=2.")))
    return found


def seconds(limit: str) -> int | None:
    """A time limit as sbatch reads it (sbatch(1), --time); ``None`` where it is none.

    >>> seconds("90"), seconds("1:30"), seconds("1:00:00"), seconds("2-12")
    (5400, 90, 3600, 216000)
    """
    match = _LIMIT.fullmatch(limit)
    if match is None:
        return None
    parts = [int(part) for part in match["rest"].split(":")]
    if match["days"] is not None:
        hours, minutes, rest = (*parts, 0, 0)[:3]
        return int(match["days"]) * 86400 + hours * 3600 + minutes * 60 + rest
    if len(parts) == 1:
        return parts[0] * 60
    hours, minutes, rest = (0, *parts)[-3:]
    return hours * 3600 + minutes * 60 + rest


def script(run: Run, wanted: Mapping[str, str], environment: Mapping[str, str], python: str = sys.executable) -> str:
    """The batch script of ``run``; ``environment`` are variables that the job needs and a login may lack."""
    limit = seconds(wanted["time"]) if "time" in wanted else None
    lead = LEAD if limit is None else min(LEAD, limit // 2)
    several = int(wanted.get("nodes", "1")) > 1
    lines = [
        f"--job-name={run.name}",
        f"--output={shlex.quote(str(run.directory).replace('%', '%%'))}/slurm-%j.log",
        "--open-mode=append",
        *(f"--{name}={value}" for name, value in wanted.items()),
        *(["--ntasks-per-node=1"] if several and "ntasks-per-node" not in wanted else []),
        "--requeue",
        f"--signal=B:TERM@{lead}",
    ]
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))
    return _SCRIPT.format(
        options="\n".join(f"#SBATCH {line}" for line in lines),
        exports=exports,
        python=shlex.quote(python),
        run=shlex.quote(str(run.directory)),
        lead=lead,
        others=_OTHERS if several else "",
        part=_PART if several else "",
    )


#: What the first machine of several does for the others. A file that a killed job left would send them astray.
_OTHERS: Final = """
# The other machines wait for the training to begin, and join it.
find "$run" -path '*/ranks/launch.json' -delete
export MASTER_ADDR="${MASTER_ADDR:-$(hostname)}" MASTER_PORT="${MASTER_PORT:-$((20000 + SLURM_JOB_ID % 12000))}"
count=$((SLURM_JOB_NUM_NODES - 1))
srun --nodes="$count" --ntasks="$count" --ntasks-per-node=1 --relative=1 --cpus-per-task="$SLURM_CPUS_ON_NODE" \\
    "$python" -m tunewiz.backends.ranks.companion "$run" &
others=$!
"""
_PART: Final = """
kill -TERM "$others" 2>/dev/null
for _ in $(seq 20); do kill -0 "$others" 2>/dev/null && sleep 0.5; done   # the end of a job would kill it
"""
_SCRIPT: Final = """#!/bin/bash
{options}

# A run of Tunewiz. {lead} seconds before the time limit Slurm sends TERM to this script: the run then saves a
# checkpoint and ends, and the job goes back into the queue. Each time it begins, the run goes on from its newest
# checkpoint.

{exports}python={python}
run={run}

limit=
asked() {{ limit=yes; kill -TERM "$child" 2>/dev/null; }}
trap asked TERM
{others}
echo "==> job $SLURM_JOB_ID on $(hostname), begun before: ${{SLURM_RESTART_COUNT:-0}}"
"$python" -m tunewiz run --resume "$run" &
child=$!
while kill -0 "$child" 2>/dev/null; do
    wait "$child"   # a signal ends it early
done
wait "$child"
code=$?
{part}
if [ -n "$limit" ] && [ "$code" -eq 130 ]; then
    exec "$python" -m tunewiz.backends.outside.slurm "$run"
fi
exit "$code"
"""


@dataclass(frozen=True)
class Job:
    """A job that was handed over; no ``id`` where there is no sbatch and the ``script`` was only written."""

    script: Path
    id: str = ""


def submit(run: Run, wanted: Mapping[str, str]) -> Job:
    """Write the script of ``run`` and hand it to sbatch. Raises ``TunewizError`` with what sbatch says."""
    file = run.directory / SCRIPT
    write_whole(file, script(run, wanted, _variables()), PRIVATE)
    if shutil.which("sbatch") is None:
        return Job(file)
    done = subprocess.run(
        ["sbatch", "--parsable", str(file)], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )
    number = done.stdout.strip().partition(";")[0]
    if done.returncode or not number.isdecimal():
        why = redacted((done.stderr or done.stdout).strip() or str(done.returncode))[:500]
        fix = say("The script is {file}; mend the options or the script and hand it over: sbatch {file}", file=file)
        raise TunewizError(error("slurm-refused", say("sbatch refused the job: {why}", why=why), fix=fix))
    write_job(run, number)
    run.emit(Launched())
    return Job(file, number)


def _variables() -> dict[str, str]:
    """What the run's processes are given that a job's shell may lack; secrets are left to the job's environment."""
    own = child_environment()
    kept = (VARIABLE, "PYTHONPATH", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", "MODELSCOPE_CACHE", "TUNEWIZ_RUNS")
    return {name: own[name] for name in kept if own.get(name)}


def queue_again(run: Run, number: str) -> int:
    """Put the job ``number``, which this is, back into the queue; the exit code."""
    done = subprocess.run(["scontrol", "requeue", number], capture_output=True, text=True, errors="replace")
    with suppress(OSError):
        if done.returncode:
            why = redacted(done.stderr.strip())[:300]
            fix = say("Go on with: sbatch {file}", file=run.directory / SCRIPT)
            run.notice(error("slurm-not-requeued", say("The job was not queued again: {why}", why=why), fix=fix))
        else:
            run.emit(Launched())
            run.notice(note("slurm-requeued", say("The time limit of job {number} is near: it is queued again.",
                                                  number=number)))  # fmt: skip
    return done.returncode


if __name__ == "__main__":
    # Slurm answers a job that queues itself again by ending it: without this, before it could tell that it did.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(queue_again(Run(Path(sys.argv[1])), os.environ.get("SLURM_JOB_ID", "")))
