"""Two themes, dark and light: few colours, chosen so that each stays apart on 256-colour terminals too."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

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
