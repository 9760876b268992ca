"""The tutorials, each line typed as it stands, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tunewiz.tui.screens.lesson import lesson, topics

pytestmark = [pytest.mark.torture, pytest.mark.timeout(3600)]
TUTORIALS = [topic for topic in topics() if topic.startswith("tutorial-")]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("topic", TUTORIALS)
def test_a_tutorial_leads_where_it_says(topic: str, language: str, tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", lesson(topic, language).text, re.MULTILINE | re.DOTALL)  # type: ignore[arg-type]
    lines = [line for block in blocks for line in block.splitlines()]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = os.environ | {"PATH": path, "TUNEWIZ_LANG": language, "HF_HUB_OFFLINE": "1"}
    settings.pop("OMP_NUM_THREADS", None)  # a user's run takes all cores
    told = {}
    for line in lines:
        done = subprocess.run(line, shell=True, cwd=tmp_path, env=settings, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        told[line] = done.stdout
    assert len(lines) >= 6 and all(told.values())
    exported = next(line.split()[-1] for line in lines if " --out my-" in line)
    assert any((tmp_path / exported).glob("*.safetensors")) and (tmp_path / "homework.zip").is_file()
