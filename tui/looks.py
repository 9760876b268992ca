"""How the full screen looks: language, theme and characters, each switchable while it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import Monochrome

from data.language import LANGUAGES, N_, current, use
from tui.alt_digits import read_as_keys
from tui.filters import AsciiOnly, ColourFree
from tui.screens.base import Translated
from tui.settings import Settings, read_settings, write_settings
from tui.terminal import Characters, characters, original_environment
from tui.themes import DARK, LIGHT


class LooksApp(App[str]):
    """An app that draws itself as the user chose, or as the terminal can."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "switch_language", N_("Language"), show=False, key_display="F2"),
        Binding("f3", "switch_theme", N_("Light or dark"), show=False, key_display="F3"),
        Binding("f4", "switch_characters", N_("ASCII or Unicode"), show=False, key_display="F4"),
    ]

    def __init__(self, settings: Settings | None = None) -> None:
        """``settings`` default to those kept from the last time."""
        super().__init__()
        read_as_keys()
        self.settings = settings if settings is not None else read_settings()
        self._ascii_only = AsciiOnly(enabled=False)
        self._filters.append(self._ascii_only)
        if self.no_color:
            # Textual's own filter turns colours to greys, which is still colour to a terminal.
            self._filters = [ColourFree() if isinstance(one, Monochrome) else one for one in self._filters]
        self._suits = characters(original_environment())
        if self.settings.language:
            use(self.settings.language)
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = LIGHT.name if self.settings.light else DARK.name
        self._draw()

    @property
    def characters(self) -> Characters:
        """What the screen is drawn with: as chosen, else as the terminal can."""
        return self.settings.characters or self._suits

    def get_key_display(self, binding: Binding) -> str:
        """As Textual words it, function keys in capitals as they stand on keyboards."""
        shown = super().get_key_display(binding)
        return shown.upper() if shown[:1] == "f" and shown[1:].isdecimal() else shown

    def action_switch_language(self) -> None:
        """English and Chinese, in turn."""
        following = LANGUAGES[(LANGUAGES.index(current()) + 1) % len(LANGUAGES)]
        use(following)
        self._keep(replace(self.settings, language=following))
        self._relabel()

    def action_switch_theme(self) -> None:
        """Dark and light, in turn."""
        self._keep(replace(self.settings, light=not self.settings.light))
        self.theme = LIGHT.name if self.settings.light else DARK.name

    def action_switch_characters(self) -> None:
        """Unicode and ASCII, in turn."""
        self._keep(replace(self.settings, characters="unicode" if self.characters == "ascii" else "ascii"))
        self._relabel()

    def _relabel(self) -> None:
        self._draw()
        for screen in self.screen_stack:
            if isinstance(screen, Translated):
                screen.relabel()
        self.screen.refresh(layout=True)

    def _draw(self) -> None:
        self._ascii_only.enabled = self.characters == "ascii"
        # Whoever chose Chinese can read it: only drawing characters are replaced then.
        self._ascii_only.letters = current() != "en"

    def _keep(self, settings: Settings) -> None:
        self.settings = settings
        write_settings(settings)
