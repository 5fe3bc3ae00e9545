"""Pictures of a pack: how its instruments sound over the keyboard, to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samplepack.base import plotting
from samplepack.pack.manifest import PackedInstrument, PackedNote, last_layer
from samplepack.sound.audio import Audio, read
from samplepack.sound.spectra import hann, stft

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from typing_extensions import Self

Image = NDArray[np.uint8]
Column = NDArray[np.float32]
"""Power of one note by band and time, shape (160, 24)."""

OVERVIEW = "overview.png"
"""The picture of all instruments; a recipe can't name an instrument so."""

_MOST_IN_OVERVIEW = 64
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 8000.0
_BANDS = 160
_FRAMES = 24
_SHOWN_S = 4.0
_DYNAMIC_RANGE_DB = 70.0
_DPI = 90
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def keyboard_image(columns: Sequence[Column]) -> Image:
    """The spectrograms of an instrument's notes side by side, from the lowest key to the highest.

    Args:
        columns: each note's.

    Returns:
        Levels in equal steps of dB from 70 dB below the loudest, 0, to the loudest, 255; uint8, since those of all
        instruments wait in memory for the pack's picture. Shape (160 bands, 24 · notes): bands rise in equal musical
        steps from 60 to 8000 Hz, and 24 columns are the first 4 s of a note.
    """
    level_db = 10.0 * np.log10(np.maximum(np.concatenate(columns, axis=1), 1e-12))
    share = 1.0 + (level_db - level_db.max()) / _DYNAMIC_RANGE_DB
    return np.asarray(np.rint(255.0 * np.clip(share, 0.0, 1.0)), dtype=np.uint8)


def spectrogram(audio: Audio) -> Column:
    """Power by band and time, shape (_BANDS, _FRAMES)."""
    size = 1 << int(np.ceil(np.log2(audio.rate_hz * 0.085)))
    starts = (np.arange(_FRAMES) * _SHOWN_S * audio.rate_hz / _FRAMES).astype(int)
    wave = audio.samples[:, : starts[-1] + size].mean(axis=0)
    wave = np.pad(wave, (0, starts[-1] + size - len(wave)))
    power = np.abs(stft(wave, hann(size), starts)) ** 2
    edges_hz = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1)
    first = np.clip((edges_hz[:-1] * size / audio.rate_hz).astype(int), 0, power.shape[1] - 1)
    last = np.clip(np.ceil(edges_hz[1:] * size / audio.rate_hz).astype(int), first + 1, power.shape[1])
    bands = np.stack([first, last], axis=1).ravel()  # each band, and what lies between it and the next one's start
    return np.ascontiguousarray(np.maximum.reduceat(np.pad(power, [(0, 0), (0, 1)]), bands, axis=1)[:, ::2].T)


class Drawing:
    """Draws a pack's pictures, one after the other, in a thread of its own, so that sound files are written meanwhile.

    A context: when it ends, all pictures are there; what went wrong in drawing one of them is raised.

    Args:
        folder: the pack's folder.
        pitches: MIDI, of the keys of each instrument, from the lowest.
        images: instrument → its `keyboard_image`.
    """

    def __init__(self, folder: Path, pitches: Sequence[int], images: Mapping[str, Image]) -> None:
        self._folder, self._pitches, self._images = folder, pitches, images
        self._sheet = cache(partial(_Sheet, pitches))
        self._thread = ThreadPoolExecutor(1)
        self._drawn: list[Future[None]] = []

    def __enter__(self) -> Self:
        (self._folder / "Pictures").mkdir()
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(cancel_futures=exception[0] is not None)
        if exception[0] is None:
            for picture in self._drawn:
                picture.result()

    def overview(self, title: str) -> None:
        """Draw all instruments in one picture, under the pack's title."""
        path = self._folder / "Pictures" / OVERVIEW
        self._drawn.append(self._thread.submit(_draw_overview, path, title, self._pitches, self._images))

    def instrument(self, packed: PackedInstrument) -> None:
        """Draw an instrument whose sound files are there."""
        self._drawn.append(self._thread.submit(self._draw_instrument, packed))

    def _draw_instrument(self, packed: PackedInstrument) -> None:
        notes = last_layer(packed.notes)
        first_takes = [note for note in notes if note.take == 0]
        note = first_takes[len(first_takes) // 2]
        middle = read(self._folder / note.file)
        takes = len(notes) // len(first_takes)
        title = f"{packed.name}, the first of {takes} takes" if takes > 1 else packed.name
        with plotting.own_style():
            sheet = self._sheet(math.ceil(middle.duration_s))
            image = sheet.draw(title, self._images[packed.name], notes, note, middle)
            image.save(self._folder / "Pictures" / f"{packed.name}.png", dpi=(_DPI, _DPI))


class _Sheet:
    """Draws pictures of instruments. What all have in common is drawn once: most of the time goes into frames and
    scales.

    Args:
        pitches: MIDI, of the instruments' keys.
        shown_s: how much of a note's waveform there is room for.
    """

    def __init__(self, pitches: Sequence[int], shown_s: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.collections import PolyCollection
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 7), dpi=_DPI)  # placed by hand: a layout engine draws every picture twice
        canvas: Any = FigureCanvasAgg(figure)
        keyboard = figure.add_axes((0.06, 0.47, 0.86, 0.48))
        self._image = _show(keyboard, "", pitches, np.zeros((_BANDS, _FRAMES * len(pitches)), np.uint8))
        keyboard.set_xlabel("key; each column is the first 4 s of its note")
        steps_db = np.arange(-_DYNAMIC_RANGE_DB, 1.0, 10.0)
        levels = figure.colorbar(self._image, cax=figure.add_axes((0.93, 0.47, 0.012, 0.48)), label="level, dB")
        levels.set_ticks(list(255.0 * (1.0 + steps_db / _DYNAMIC_RANGE_DB)), labels=[f"{db:.0f}" for db in steps_db])
        wave, tuning, level = (
            figure.add_axes((left, 0.075, width, 0.25))
            for left, width in ((0.06, 0.44), (0.545, 0.195), (0.785, 0.195))
        )
        self._wave = PolyCollection([], linewidth=0.0, color="#555555")
        wave.add_collection(self._wave)
        self._loop = wave.axvspan(0.0, 0.0, color="#ff8800", alpha=0.3, label="loop")
        self._loop_legend = wave.legend(fontsize=8, loc="upper right")
        wave.set(xlabel="time, s", xlim=(0, shown_s), ylim=(-1.0, 1.0))
        keys = (pitches[0] - 2, pitches[-1] + 2)
        (self._as_rendered,) = tuning.plot([], [], "o", label="as rendered", markersize=4)
        (self._as_built,) = tuning.plot([], [], ".", label="as built", markersize=4)
        tuning.axhline(0.0, color="grey", linewidth=0.8)
        tuning.set(title="tuning, cents", xlabel="key", xlim=keys, ylim=(-40, 40))
        tuning.legend(fontsize=8, loc="upper right")
        (self._loudness,) = level.plot([], [], ".-", markersize=4)
        level.set(xlabel="key", xlim=keys, ylim=(-12, 12))
        self._name = keyboard.set_title("", loc="left", fontsize=11)
        self._wave_title, self._level_title = wave.title, level.title
        self._own: list[Artist] = [
            *(self._image, *keyboard.spines.values(), self._name),
            *(self._wave, self._loop, self._loop_legend, self._wave_title),
            *(self._as_rendered, self._as_built, self._loudness, self._level_title),
        ]
        for artist in self._own:
            artist.set_animated(True)
        canvas.draw()
        self._canvas, self._frames = canvas, canvas.copy_from_bbox(figure.bbox)

    def draw(self, title: str, image: Image, notes: Sequence[PackedNote], note: PackedNote, middle: Audio) -> Any:
        """The picture of an instrument, for Pillow to save.

        Args:
            title: name of the instrument.
            image: its `keyboard_image`.
            notes: those of the last layer, from the lowest key, and all takes of each.
            note: the one of them whose waveform is shown.
            middle: its sound.
        """
        from PIL.Image import fromarray

        self._name.set_text(title)
        self._image.set_data(image)
        self._show_wave(note, middle)
        _set(self._as_rendered, [(note.pitch, note.tuning.was_off_cents if note.tuning else None) for note in notes])
        _set(self._as_built, [(note.pitch, note.cents) for note in notes])
        loudnesses = [note.loudness_lufs for note in notes if note.loudness_lufs is not None]
        loudness = float(np.median(loudnesses)) if loudnesses else None
        self._level_title.set_text("silent" if loudness is None else f"loudness, dB from {loudness:.1f} LUFS")
        _set(self._loudness, [(note.pitch, note.loudness_lufs) for note in notes], loudness or 0.0)
        self._canvas.restore_region(self._frames)
        for artist in self._own:
            self._canvas.figure.draw_artist(artist)
        return fromarray(np.asarray(self._canvas.buffer_rgba())[:, :, :3])

    def _show_wave(self, note: PackedNote, audio: Audio) -> None:
        """The waveform of a key, with its loop."""
        columns = np.array_split(audio.samples.mean(axis=0), 800)
        time_s = np.linspace(0.0, audio.duration_s, len(columns))
        lowest, highest = [c.min() for c in columns], [c.max() for c in columns]
        outline = np.concatenate([np.stack([time_s, lowest], axis=1), np.stack([time_s, highest], axis=1)[::-1]])
        self._wave.set_verts([outline])
        for artist in (self._loop, self._loop_legend):
            artist.set_visible(note.loop is not None)
        if note.loop:
            start_s, end_s = (frame / audio.rate_hz for frame in note.loop.frames)
            self._loop.set(x=start_s, width=end_s - start_s)
        ending = "" if note.loop else f", unlooped ({note.why_no_loop})" if note.why_no_loop else ", unlooped"
        self._wave_title.set_text(f"key {note.pitch}{ending}")


def _set(line: Line2D, points: Sequence[tuple[float, float | None]], middle: float = 0.0) -> None:
    """Put a line's points where they are known, around a middle."""
    known = [(x, y - middle) for x, y in points if y is not None]
    line.set_data([x for x, _ in known], [y for _, y in known])


@plotting.own_style()
def _draw_overview(path: Path, title: str, pitches: Sequence[int], images: Mapping[str, Image]) -> None:
    shown = dict(islice(images.items(), _MOST_IN_OVERVIEW))
    if len(shown) < len(images):
        title += f" (the first {len(shown)} of {len(images)})"
    columns = min(4, max(1, round(len(shown) ** 0.5)))
    rows = -(-len(shown) // columns)
    width, height = 5.5 * columns, 0.6 + 2.4 * rows

    def content(figure: Figure) -> None:
        figure.suptitle(title, fontsize=15, y=1.0 - 0.15 / height)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        figure.subplots_adjust(
            left=0.7 / width,
            right=1.0 - 0.15 / width,
            bottom=0.5 / height,
            top=1.0 - 0.75 / height,
            wspace=0.8 / (5.5 - 0.8),
            hspace=0.75 / (2.4 - 0.75),
        )
        for axes, (name, image) in zip(grid, shown.items(), strict=False):
            _show(axes, name, pitches, image)
        for axes in grid[len(shown) :]:
            axes.set_axis_off()

    plotting.draw(path, (width, height), content, _DPI, is_laid_out=False)


def _show(axes: Axes, name: str, pitches: Sequence[int], image: Image) -> Any:
    shown = axes.imshow(
        image, origin="lower", aspect="auto", interpolation="nearest", cmap="magma", vmin=0.0, vmax=255.0
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
