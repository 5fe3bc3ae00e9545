"""Pictures of a pack: how its instruments sound over the keyboard, to look at."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samplepack.audio import Audio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Column = NDArray[np.float64]
"""Power of one note by band and time, shape (160, 24)."""

OVERVIEW = "overview.png"
"""The picture of all instruments; a recipe can't name an instrument so."""

_MOST_IN_OVERVIEW = 64
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 8000.0
_BANDS = 160
_FRAMES = 24
_SHOWN_S = 4.0
_DYNAMIC_RANGE_DB = 70.0
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def keyboard_image(columns: Sequence[Column]) -> NDArray[np.float32]:
    """The spectrograms of an instrument's notes side by side, from the lowest key to the highest.

    Args:
        columns: each note's.

    Returns:
        Levels in dB below the loudest, float32, shape (160 bands, 24 · notes): bands rise in equal musical steps from
        60 to 8000 Hz, and 24 columns are the first 4 s of a note.
    """
    level_db = 10.0 * np.log10(np.maximum(np.concatenate(columns, axis=1), 1e-12))
    return np.asarray(level_db - level_db.max(), dtype=np.float32)


def spectrogram(audio: Audio) -> Column:
    """Power by band and time, shape (_BANDS, _FRAMES)."""
    wave = audio.samples.mean(axis=0, dtype=np.float64)
    size = 1 << int(np.ceil(np.log2(audio.rate_hz * 0.085)))
    wave = np.pad(wave, (0, size))
    starts = (np.arange(_FRAMES) * _SHOWN_S * audio.rate_hz / _FRAMES).astype(int)
    window = np.hanning(size)
    frames = [np.pad(wave[s : s + size], (0, max(0, size - len(wave[s : s + size])))) * window for s in starts]
    power = np.abs(np.fft.rfft(np.stack(frames), axis=1)) ** 2
    edges_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1)
    first = np.clip((edges_hz[:-1] * size / audio.rate_hz).astype(int), 0, power.shape[1] - 1)
    last = np.clip(np.ceil(edges_hz[1:] * size / audio.rate_hz).astype(int), first + 1, power.shape[1])
    return np.stack([power[:, a:b].max(axis=1) for a, b in zip(first, last, strict=True)])


def draw(folder: Path, title: str, pitches: Sequence[int], images: Mapping[str, NDArray[np.float32]]) -> None:
    """Write a pack's pictures: one of each instrument and one of all, PNG.

    Args:
        folder: of the pictures, which must not be there yet.
        title: of the pack.
        pitches: of every instrument, from the lowest.
        images: instrument → its `keyboard_image`.
    """
    import matplotlib

    folder.mkdir()
    # A user's own settings don't reach the pack, whose bytes would depend on them.
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script that the font lacks
        for name, image in images.items():
            _draw_instrument(folder / f"{name}.png", name, pitches, image)
        _draw_overview(folder / OVERVIEW, title, pitches, images)


def _draw_instrument(path: Path, name: str, pitches: Sequence[int], image: NDArray[np.float32]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), dpi=100, layout="constrained")
    axes = figure.subplots()
    shown = _show(axes, name, pitches, image)
    axes.set_xlabel("key; each column is the first 4 s of its note")
    axes.set_ylabel("frequency")
    figure.colorbar(shown, ax=axes, label="level, dB", pad=0.01)
    figure.savefig(path, metadata={"Software": None})


def _draw_overview(path: Path, title: str, pitches: Sequence[int], images: Mapping[str, NDArray[np.float32]]) -> None:
    from matplotlib.figure import Figure

    shown = dict(islice(images.items(), _MOST_IN_OVERVIEW))
    if len(shown) < len(images):
        title += f" (the first {len(shown)} of {len(images)})"
    columns = min(4, max(1, round(len(shown) ** 0.5)))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(5.5 * columns, 0.6 + 2.4 * rows), dpi=90, layout="constrained")
    figure.suptitle(title, fontsize=15)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, (name, image) in zip(grid, shown.items(), strict=False):
        _show(axes, name, pitches, image)
    for axes in grid[len(shown) :]:
        axes.set_axis_off()
    figure.savefig(path, metadata={"Software": None})


def _show(axes: Axes, name: str, pitches: Sequence[int], image: NDArray[np.float32]) -> Any:
    shown = axes.imshow(
        image,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=-_DYNAMIC_RANGE_DB,
        vmax=0.0,
    )
    octaves = [i for i, pitch in enumerate(pitches) if pitch % 12 == 0] or [0]
    axes.set_xticks(
        [(i + 0.5) * _FRAMES - 0.5 for i in octaves],
        [f"{_NAMES[pitches[i] % 12]}{pitches[i] // 12 - 1}\n{pitches[i]}" for i in octaves],
    )
    ticks_hz = np.array([125, 500, 2000, 8000])
    heights = np.log(ticks_hz / _LOWEST_HZ) / np.log(_HIGHEST_HZ / _LOWEST_HZ) * _BANDS - 0.5
    axes.set_yticks(heights, ["125 Hz", "500 Hz", "2 kHz", "8 kHz"])
    axes.set_title(name, loc="left", fontsize=11)
    return shown
