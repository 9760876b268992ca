"""How the full screen looks: language, theme and characters, switched while it runs, kept between sessions."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import ClassVar, Final, get_args

from textual import work
from textual.binding import Binding, BindingType
from textual.filter import Monochrome
from textual.message import Message
from textual.theme import Theme

from tunewiz import paths
from tunewiz.files import read_json, write_json
from tunewiz.language import LANGUAGES, N_, Language, current, translate, use
from tunewiz.printable import printable
from tunewiz.tui.screens.kinds import Translated
from tunewiz.tui.terminal.breaking import break_between_characters
from tunewiz.tui.terminal.characters import (
    AsciiOnly,
    Characters,
    ColourFree,
    characters,
    letters_show,
    original_environment,
)
from tunewiz.tui.terminal.escapes import clipboard, notification
from tunewiz.tui.terminal.keys import InOrder
from tunewiz.tui.terminal.patches import read_as_keys, style_once
from tunewiz.tui.terminal.pictures import Shot, Written, shot, write

# Two themes, dark and light: few colours, chosen so that each stays apart on 256-colour terminals too.


DARK: Final = Theme(
    name="tunewiz-dark",
    primary="#5fafff",
    secondary="#5f87af",
    accent="#ffaf5f",
    warning="#ffaf5f",
    error="#ff5f5f",
    success="#87d787",
    foreground="#dadada",
    background="#121212",
    surface="#1c1c1c",
    panel="#262626",
    dark=True,
    variables={
        "border": "#444444",
        "border-blurred": "#444444",
        "footer-background": "#1c1c1c",
        "footer-key-foreground": "#ffaf5f",
        "footer-description-foreground": "#a8a8a8",
        "block-cursor-background": "#5fafff",
        "block-cursor-foreground": "#121212",
        "block-cursor-blurred-background": "#303030",
        "block-cursor-blurred-foreground": "#dadada",
        "input-selection-background": "#5f87af 50%",
        "raw": "#5f87af",
        "dim": "#8a8a8a",
    },
)
LIGHT: Final = Theme(
    name="tunewiz-light",
    primary="#005faf",
    secondary="#5f87af",
    accent="#af5f00",
    warning="#af5f00",
    error="#af0000",
    success="#008700",
    foreground="#1c1c1c",
    background="#ffffff",
    surface="#f4f4f4",
    panel="#e4e4e4",
    dark=False,
    variables={
        "border": "#b2b2b2",
        "border-blurred": "#b2b2b2",
        "footer-background": "#eeeeee",
        "footer-key-foreground": "#af5f00",
        "footer-description-foreground": "#585858",
        "block-cursor-background": "#005faf",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-blurred-background": "#d0d0d0",
        "block-cursor-blurred-foreground": "#1c1c1c",
        "input-selection-background": "#5f87af 40%",
        "raw": "#87afd7",
        "dim": "#6c6c6c",
    },
)


# What the user chose for the screen, kept between sessions.


@dataclass(frozen=True)
class Settings:
    """``None`` where the user left the choice to us: language by locale, characters by terminal."""

    language: Language | None = None
    light: bool = False
    characters: Characters | None = None
    quiet: bool = False  # no bell and no notification when a run is done


def settings_file() -> Path:
    """``$XDG_CONFIG_HOME/tunewiz/screen.json``."""
    return paths.config() / "screen.json"


def read_settings() -> Settings:
    """What was chosen before; a file that is missing or damaged counts as no choice."""
    stored = read_json(settings_file())
    if not isinstance(stored, dict):
        return Settings()
    language, characters = stored.get("language"), stored.get("characters")
    return Settings(
        language=language if language in get_args(Language) else None,
        light=stored.get("light") is True,
        characters=characters if characters in get_args(Characters) else None,
        quiet=stored.get("quiet") is True,
    )


def write_settings(settings: Settings) -> bool:
    """Keep ``settings``; whether that worked. A home that cannot be written to costs nothing but the memory of it."""
    try:
        write_json(settings_file(), asdict(settings))
    except OSError:
        return False
    return True


class PictureWritten(Message):
    """A picture of the screen was written, or why not."""

    def __init__(self, made: Written | None, why: str = "") -> None:
        super().__init__()
        self.made = made
        self.why = why


# How the full screen looks: language, theme and characters, each switchable while it runs.


class LooksApp(InOrder):
    """An app that draws itself as the user chose, or as the terminal can."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "switch_language", N_("Language"), show=False, key_display="F2"),
        Binding("f3", "switch_theme", N_("Light or dark"), show=False, key_display="F3"),
        Binding("f4", "switch_characters", N_("ASCII or Unicode"), show=False, key_display="F4"),
        Binding("ctrl+s", "picture", N_("Picture of this screen"), show=False, tooltip=N_("Written as SVG and PNG")),
        Binding("ctrl+z", "suspend_process", N_("Back to the shell, until fg"), show=False),
    ]

    def __init__(self, settings: Settings | None = None) -> None:
        """``settings`` default to those kept from the last time."""
        super().__init__()
        read_as_keys()
        style_once()
        break_between_characters()
        self.settings = settings if settings is not None else read_settings()
        self._ascii_only = AsciiOnly(enabled=False)
        self._filters.append(self._ascii_only)
        if self.no_color:
            # Textual's own filter turns colours to greys, which is still colour to a terminal.
            self._filters = [ColourFree() if isinstance(one, Monochrome) else one for one in self._filters]
        environment = original_environment()
        self._suits, self._letters = characters(environment), letters_show(environment)
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
        if shown == "␣":
            return translate("Space")
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

    def action_switch_notice(self) -> None:
        """Whether the terminal is asked to ring and to notify when a run is done."""
        self._keep(replace(self.settings, quiet=not self.settings.quiet))
        words = N_("No bell when a run is done.") if self.settings.quiet else N_("The bell rings when a run is done.")
        self.notify(translate(words), markup=False)

    def action_help_quit(self) -> None:
        """Ctrl-C, which ends other programs."""
        self.notify(translate("q leaves Tunewiz; runs go on. Ctrl-Q does so anywhere."), markup=False)

    # ---- asked of the terminal

    def _send(self, sequences: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequences)

    def copy(self, text: str) -> None:
        """Put ``text`` into the clipboard of the user's own machine, through the terminal."""
        sequences = clipboard(text, original_environment())
        self._send(sequences)
        self._clipboard = text
        words = N_("Copied: {text}") if sequences else N_("Too long for the clipboard of a terminal.")
        self.notify(translate(words).format(text=printable(text.splitlines()[0] if text else "", 200)), markup=False)

    def announce(self, title: str, body: str) -> None:
        """Ring, and let the terminal notify, unless that is switched off."""
        if not self.settings.quiet:
            self._send(notification(title, body, original_environment()))

    def action_picture(self) -> None:
        """Write a picture of the screen."""
        name = type(self.screen).__name__.removesuffix("Screen").lower() or "screen"
        self._write_picture(shot(self), name)

    @work(thread=True, exit_on_error=False, group="picture")
    def _write_picture(self, taken: Shot, name: str) -> None:
        try:
            self.post_message(PictureWritten(write(taken, name)))
        except OSError as fault:
            self.post_message(PictureWritten(None, fault.strerror or str(fault)))

    def on_picture_written(self, message: PictureWritten) -> None:
        """Say where it is."""
        made = message.made
        if made is None:
            words = translate("No picture was written: {why}").format(why=printable(message.why))
            self.notify(words, severity="error", markup=False)
            return
        told = [translate("Picture: {path}").format(path=printable(made.svg, 300))]
        if made.png is None:
            told.append(translate("PNG needs Pillow, which is not installed; browsers show and print the SVG."))
        else:
            told.append(printable(made.png, 300))
        if not made.letters:
            told.append(translate("No font here has Chinese characters: the PNG lacks them, the SVG does not."))
        self.notify("\n".join(told), markup=False, timeout=8)

    def _relabel(self) -> None:
        self._draw()
        for screen in self.screen_stack:
            if isinstance(screen, Translated):
                screen.relabel()
        self.screen.refresh(layout=True)

    def _draw(self) -> None:
        self._ascii_only.enabled = self.characters == "ascii"
        # Whoever chose Chinese can read it: only drawing characters are replaced then.
        self._ascii_only.letters = (self._letters and self.settings.characters is None) or current() != "en"

    def _keep(self, settings: Settings) -> None:
        self.settings = settings
        write_settings(settings)
