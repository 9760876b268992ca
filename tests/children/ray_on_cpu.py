"""A tiny language model through LLaMA-Factory's launch by Ray: ``python -m tests.children.ray_on_cpu FOLDER MODEL N``.

The library asks for ten processors a worker, and without GPUs for as many such bundles as there are processors, which
no cluster has: here each worker gets one. All else is its own: Ray's workers, what is sent to them, how they meet.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(folder: Path, model: Path, count: int) -> dict[str, Any]:
    """What was measured, and the loss of each step."""
    from llamafactory.train import tuner
    from ray.util.placement_group import placement_group

    from tests.children.llm_setup import _through, preset
    from tunewiz.backends.runs.follow import read_state
    from tunewiz.backends.runs.run import Run
    from tunewiz.files import write_whole
    from tunewiz.presets.yaml.library import dumps

    bundle, theirs = {"CPU": 1}, tuner.get_ray_remote_config_for_worker
    tuner.get_placement_group = lambda _devices: (placement_group([bundle] * count), bundle)
    tuner.get_ray_remote_config_for_worker = lambda **told: theirs(**told) | {"num_cpus": 1}
    wanted = preset(model, backend_options={"ray_num_workers": count})
    run = Run(folder / "run")
    run.directory.mkdir(parents=True)
    write_whole(run.preset_file, dumps(wanted))
    found = _through(run, wanted, False)
    return found | {"loss": read_state(run).curves["loss"].values, "steps": read_state(run).curves["loss"].steps}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))) + "\n")
