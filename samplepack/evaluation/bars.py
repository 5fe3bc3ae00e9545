"""Figures of an evaluation as bars, each with a mark for the real notes' figure or the best possible one."""

from __future__ import annotations

from typing import NamedTuple

from samplepack.evaluation.figures import Figures, Likeness

_WIDTH = 24


class Bar(NamedTuple):
    """A figure on a scale."""

    what: str
    """Name of the figure."""

    unit: str
    """Unit of all its values."""

    measured: float
    beside: float | None
    """The real notes' figure, or the best possible one; None if it isn't known."""

    least: float
    most: float
    """Ends of the scale; a bar is as long as the scale for any greater figure."""

    def share(self, value: float) -> float:
        """Return the place of a value on the scale, from 0 to 1."""
        return min(max((value - self.least) / (self.most - self.least), 0.0), 1.0)

    @property
    def label(self) -> str:
        """The measured figure, the one beside it, and their unit."""
        decimals = 1 if self.unit else 2
        beside = "" if self.beside is None else f" ({self.beside:.{decimals}f})"
        return f"{self.measured:.{decimals}f}{beside} {self.unit}".rstrip()


def as_text(shown: list[Bar]) -> list[str]:
    """Return lines of text, each with a bar of block characters, in which `┃` marks the figure beside it."""
    widest = max((len(bar.what) for bar in shown), default=0)
    lines = []
    for bar in shown:
        filled = round(bar.share(bar.measured) * _WIDTH)
        cells = list("█" * filled + "░" * (_WIDTH - filled))
        if bar.beside is not None:
            cells[min(int(bar.share(bar.beside) * _WIDTH), _WIDTH - 1)] = "┃"
        lines.append(f"{bar.what:{widest}}  {''.join(cells)}  {bar.label}")
    return lines


def bars(figures: Figures) -> list[Bar]:
    """Return the figures that a bar can show beside the real notes' figure or the best possible one."""
    shown = []
    for name, likeness in (("held-out", figures.held_out), ("trained", figures.trained)):
        if likeness:
            shown += _bars_of_likeness(name, likeness)
    if change := figures.velocity:
        shown.append(Bar("louder from soft to hard", "dB", change.louder_db, change.real_louder_db, 0.0, 40.0))
        shown.append(Bar("brighter from soft to hard", "", change.brighter, change.real_brighter, 0.0, 4.0))
    for key in figures.keys:
        for what, found, real in (
            (f"instrument found at key {key.pitch}", key.found, key.real_found),
            (f"middle key's instrument found at {key.pitch}", key.found_by_middle, key.real_found_by_middle),
        ):
            if found:
                beside = 100.0 * real.top_5 if real else None
                shown.append(Bar(f"{what}, among five", "%", 100.0 * found.top_5, beside, 0.0, 100.0))
    return shown


def _bars_of_likeness(name: str, of: Likeness) -> list[Bar]:
    shown = []
    if of.score:
        best = of.round_trip_score
        for what, score, beside in (
            ("score", of.score.mean, best.mean if best else None),
            ("score's tenth percentile", of.score.tenth_percentile, best.tenth_percentile if best else None),
        ):
            shown.append(Bar(f"{what}, {name}", "", score, beside, 1.0, 5.0))
    shown += [
        Bar(f"attack, {name}", "ms", of.attack_ms, of.real_attack_ms, 0.0, 100.0),
        Bar(f"spectral flux of the onset, {name}", "", of.flux, of.real_flux, 0.0, 4.0),
    ]
    if of.vibrato:
        shown.append(Bar(f"vibrato, {name}", "cents", of.vibrato.depth, of.vibrato.real_depth, 0.0, 40.0))
    if of.tremolo:
        shown.append(Bar(f"tremolo, {name}", "dB", of.tremolo.depth, of.tremolo.real_depth, 0.0, 6.0))
    if of.treble:
        shown.append(Bar(f"level above 8 kHz, {name}", "dB", of.treble.made_db, of.treble.real_db, -70.0, 0.0))
    shown.append(Bar(f"noise between partials, {name}", "dB", of.noise_db, of.real_noise_db, -60.0, 0.0))
    return shown
