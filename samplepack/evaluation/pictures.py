"""Pictures of an evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samplepack.base import plotting
from samplepack.evaluation import measures
from samplepack.evaluation.bars import Bar, bars
from samplepack.evaluation.evaluate import Evaluation
from samplepack.evaluation.figures import Diversity, Figures, Judged, Smoothness
from samplepack.evaluation.likeness import Example

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PITCH, LIKENESS, TIMBRES, EXAMPLES = "pitch.png", "likeness.png", "timbres.png", "examples.png"
BARS, SCORES = "bars.png", "scores.png"
FILES = (PITCH, LIKENESS, TIMBRES, EXAMPLES, BARS, SCORES)

_SHOWN_CENTS = 100.0
_RANGE_DB = 70.0
_LOWEST_HZ = 30.0


def draw(folder: Path, evaluation: Evaluation) -> None:
    """Write the pictures of an evaluation to a folder, as PNG.

    They show the main figures as bars, scores by instrument, accuracy of pitch, likeness to real notes, distances
    between timbres, and spectrograms of the examples. Those of likeness, as the bars and the examples, are left out if
    no real notes could be compared, and the scores if none were given.
    """
    figures = evaluation.figures
    rows = len(evaluation.examples)

    def save(name: str, size_inches: tuple[float, float], content: Callable[[Figure], None], dpi: int = 90) -> None:
        def titled(figure: Figure) -> None:
            content(figure)
            figure.suptitle(f"{figures.checkpoint} against {figures.dataset}", fontsize=13)

        plotting.draw(folder / name, size_inches, titled, dpi)

    def timbres(figure: Figure) -> None:
        diversity, uniform, evened = figure.subplots(1, 3)
        _draw_diversity(diversity, figures.diversity)
        _draw_walks(uniform, evened, figures.smoothness)

    def examples(figure: Figure) -> None:
        grid = figure.subplots(rows, 3, squeeze=False, sharex=True, sharey=True)
        for row, example in zip(grid, evaluation.examples, strict=True):
            _draw_example(row, example, evaluation.rate_hz)
        for axes in grid[-1]:
            axes.set_xlabel("s")

    save(PITCH, (9.0, 4.5), lambda figure: _draw_pitch(figure.subplots(), figures))
    likenesses = (("held out", figures.held_out), ("trained", figures.trained))
    judged = {name: likeness.notes for name, likeness in likenesses if likeness is not None}
    if judged:
        shown = bars(figures)
        save(BARS, (10.0, 0.8 + 0.26 * len(shown)), lambda figure: _draw_bars(figure.subplots(), shown))
        save(LIKENESS, (14.0, 4.5), lambda figure: _draw_likeness(figure, judged))
    save(TIMBRES, (14.0, 4.5), timbres)
    scores = {
        name: score.by_instrument
        for name, likeness in likenesses
        if likeness is not None
        for name, score in ((name, likeness.score), (f"round trip, {name}", likeness.round_trip_score))
        if score is not None
    }
    if scores:
        instruments = sorted(
            {name for of_kind in scores.values() for name in of_kind},
            key=lambda name: min(of_kind.get(name, 5.0) for of_kind in scores.values()),
        )
        save(SCORES, (8.0, 1.2 + 0.17 * len(instruments)), lambda f: _draw_scores(f.subplots(), instruments, scores))
    if rows:
        save(EXAMPLES, (13.0, 0.7 + 2.3 * rows), examples, dpi=80)


def _draw_bars(axes: Axes, shown: list[Bar]) -> None:
    """Draw each figure as a bar on its own scale, with a line at the figure of real notes or the best possible one."""
    rows = range(len(shown))
    axes.barh(rows, [bar.share(bar.measured) for bar in shown], color="#7aa6c2", height=0.7)
    for row, bar in zip(rows, shown, strict=True):
        if bar.beside is not None:
            axes.plot([bar.share(bar.beside)] * 2, [row - 0.4, row + 0.4], color="black", linewidth=2.0)
        axes.text(1.01, row, bar.label, va="center", fontsize=8)
    axes.set_yticks(rows, [bar.what for bar in shown], fontsize=8)
    axes.set(xlim=(0.0, 1.0), xticks=[], title="generated notes; lines and brackets: real notes, or the best possible")
    axes.title.set_fontsize(10)
    axes.set_ylim(len(shown) - 0.4, -0.6)


def _draw_scores(axes: Axes, instruments: list[str], scores: dict[str, dict[str, float]]) -> None:
    for (name, of_kind), mark in zip(scores.items(), ("o", "|", "x", "|"), strict=False):
        rows = [row for row, instrument in enumerate(instruments) if instrument in of_kind]
        axes.plot([of_kind[instruments[row]] for row in rows], rows, mark, markersize=5, label=name)
    axes.set_yticks(range(len(instruments)), instruments, fontsize=6)
    axes.set(xlim=(1.0, 5.0), ylim=(len(instruments), -1.0), xlabel="score")
    axes.grid(axis="x", color="#dddddd")
    axes.legend(fontsize=8, loc="lower left")


def _draw_pitch(axes: Axes, figures: Figures) -> None:
    """Plot the error of pitch of each note over its pitch; errors beyond the axis are plotted at its edge."""
    axes.axhspan(-50.0, 50.0, color="#dddddd")
    for i, (kind, pitch) in enumerate(figures.pitch.items()):
        errors = [(note, cents) for note, cents in pitch.heard if cents is not None]
        offset = 0.3 * (i - (len(figures.pitch) - 1) / 2)
        axes.plot(
            [note + offset for note, _ in errors],
            [float(np.clip(cents, -_SHOWN_CENTS, _SHOWN_CENTS)) for _, cents in errors],
            ".",
            markersize=4,
            label=f"{kind}: {100.0 * pitch.within_50_cents:.1f} % of {pitch.notes}",
        )
    axes.set(title="measured within 50 cents of the pitch", xlabel="pitch, MIDI", ylabel="cents above it")
    axes.set_ylim(-1.05 * _SHOWN_CENTS, 1.05 * _SHOWN_CENTS)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _draw_likeness(figure: Figure, judged: dict[str, list[Judged]]) -> None:
    distance, attack, noise = figure.subplots(1, 3)
    for name, notes in judged.items():
        pitches = [note.pitch for note in notes]
        distance.plot(pitches, [note.distance_db for note in notes], ".", label=name)
        attack.loglog([note.real_attack_ms for note in notes], [note.attack_ms for note in notes], ".")
        noise.plot([note.real_noise_db for note in notes], [note.noise_db for note in notes], ".")
    floors = [(note.pitch, note.floor_db) for notes in judged.values() for note in notes]
    distance.plot(*zip(*floors, strict=True), "_", color="#555555", label="round trip without the network")
    distance.set(title="log-spectral distance to the real note, dB", xlabel="pitch, MIDI")
    distance.set_ylim(0.0, 1.3 * distance.get_ylim()[1])
    distance.legend(fontsize=8, loc="upper right")
    attack.set(title="attack, ms", xlabel="real", ylabel="generated")
    noise.set(title="noise between partials, dB", xlabel="real", ylabel="generated")
    for axes in (attack, noise):
        low, high = (f(*axes.get_xlim(), *axes.get_ylim()) for f in (min, max))
        axes.plot([low, high], [low, high], color="#bbbbbb", linewidth=1.0, zorder=0.0)


def _draw_diversity(axes: Axes, diversity: Diversity) -> None:
    for kind, distances in diversity.distances_db.items():
        label = f"{kind}: {diversity.means_db[kind]:.1f} dB"
        axes.hist(distances, bins=40, density=True, histtype="step", linewidth=1.5, label=label)
    axes.set(title=f"distances between timbres at pitch {diversity.pitch}, dB", yticks=[])
    axes.legend(fontsize=8)


def _draw_walks(uniform: Axes, evened: Axes, smoothness: Smoothness) -> None:
    """Plot the steps of each walk; those of a smooth walk are equal."""
    for axes, name, walks, largest in (
        (uniform, "equal steps of a walk", smoothness.uniform_db, smoothness.uniform_largest),
        (evened, "steps evened out", smoothness.evened_db, smoothness.evened_largest),
    ):
        for steps in walks:
            axes.plot(range(1, len(steps) + 1), steps, ".-", linewidth=1.0)
        axes.set(title=f"{name}: largest {largest:.2f} × mean", xlabel="step", ylabel="change of sound, dB")
    highest = max(uniform.get_ylim()[1], evened.get_ylim()[1])
    uniform.set_ylim(0.0, highest)
    evened.set_ylim(0.0, highest)


def _draw_example(row: Sequence[Axes], example: Example, rate_hz: int) -> None:
    """Draw spectrograms of a real note, its round trip and the generated note, in dB relative to the real maximum."""
    note = example.figures
    real = measures.spectra(example.real, rate_hz)
    waves = {
        f"{note.instrument}, {note.pitch}": example.real,
        f"round trip: {note.floor_db:.1f} dB off": example.round_trip,
        f"generated: {note.distance_db:.1f} dB off": example.made,
    }
    for axes, (name, wave) in zip(row, waves.items(), strict=True):
        levels_db = 20.0 * np.log10(np.maximum(measures.spectra(wave, rate_hz), 1e-9) / max(float(real.max()), 1e-9))
        frames, bins = levels_db.shape
        time_s = np.arange(frames + 1) * measures.FRAME_S / 4.0
        edges_hz = (np.arange(1, bins + 1) - 0.5) * rate_hz / measures.frame_samples(rate_hz)
        axes.pcolormesh(time_s, edges_hz, levels_db[:, 1:].T, vmin=-_RANGE_DB, vmax=0.0, cmap="magma", rasterized=True)
        axes.set_yscale("log")
        axes.set_ylim(_LOWEST_HZ, rate_hz / 2)
        axes.set_title(name, loc="left", fontsize=10)
    row[0].set_ylabel("Hz")
