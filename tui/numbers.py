"""Numbers as people read them: times, bytes, speeds."""

from __future__ import annotations

from data.language import translate


def duration(seconds: float) -> str:
    """``seconds`` as ``7s``, ``4:05`` or ``1:02:03``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def amount(count: float) -> str:
    """``count`` bytes in binary units, such as ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def rate(samples_per_second: float) -> str:
    """Training speed in the current language."""
    shown = f"{samples_per_second:.0f}" if samples_per_second >= 10 else f"{samples_per_second:.1f}"
    return translate("{count} samples/s").format(count=shown)
