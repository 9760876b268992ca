"""A dataset of a hub in the wizard: named, downloaded by a button, looked through."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from textual.widgets import Button, Static

from tests.screens.test_agreement import opened
from tests.screens.waiting import until
from tests.unit.backends.test_hub_datasets import hub
from tunewiz.presets.drafts.draft import Draft
from tunewiz.presets.yaml.library import loads
from tunewiz.problems import errors
from tunewiz.tui.app import TunewizApp
from tunewiz.tui.screens.wizard import WizardScreen
from tunewiz.tui.wizard.summary import summary

__all__ = ["hub"]  # a fixture


def begun() -> Draft:
    preset = loads(
        "task: embedding\nname: mine\nmodel: {id: all-MiniLM-L6-v2, source: starter}\n"
        "data: {train: 'hf:org/faq'}\nloss: {name: multiple_negatives_ranking}\n"
    )
    return Draft.of(preset, str(Path.cwd()))


def told(app: TunewizApp, screen: WizardScreen) -> str:
    return " ".join(summary(screen.state, None, app.theme_variables).plain.split())


async def test_it_is_downloaded_where_it_is_named(hub: str, app: TunewizApp, monkeypatch: pytest.MonkeyPatch) -> None:
    async with app.run_test(size=(120, 45)) as pilot:
        screen = await opened(app, pilot, begun())
        await until(pilot, lambda: screen.state.checked and screen.state.current is not None)
        assert not errors(screen.state.problems)  # a run would download it
        assert "hf:org/faq, whose rows are not counted yet" in told(app, screen)
        screen.action_next()
        await until(pilot, lambda: screen.step.name == "data" and screen.query("#fetch"))
        fetch = screen.query_one("#fetch", Button)
        await until(pilot, lambda: fetch.display)
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
        fetch.press()
        await until(pilot, lambda: "cannot be reached" in str(screen.query_one("#fetching", Static).render()))
        monkeypatch.setenv("HF_ENDPOINT", hub)
        assert "HF_HUB_OFFLINE" not in os.environ
        fetch.press()
        await until(pilot, lambda: screen.state.current is not None and screen.state.current.counts)
        await until(pilot, lambda: not fetch.display)
        assert "60 rows of hf:org/faq; 9 are kept aside" in told(app, screen)
