"""Pictures of a pack: how its instruments sound over the keyboard, to look at."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samplepack.base import plotting
from samplepack.finishing.stereo import LEAST_CORRELATION
from samplepack.pack.manifest import PackedInstrument, PackedNote, last_layer, middle_loudness
from samplepack.rendering.plan import Axis
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

COVER = "cover.png"
"""The pack's cover, in the pack's own folder."""

_MOST_IN_OVERVIEW = 64
_LOWEST_HZ, _HIGHEST_HZ = 60.0, 16000.0
_BANDS = 160
_FRAMES = 24
_SHOWN_S = 4.0
_DYNAMIC_RANGE_DB = 70.0
_STRIP = (-11.0, -3.0)
"""Where the strip that shows loops lies below the bands."""

_LOOP, _NO_LOOP = (255, 136, 0), (60, 60, 66)
_RIDGES = 36
"""About how many spectra a cover has."""

_GROUND = "#14111f"
_DPI = 90
_NAMES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")


def keyboard_images(layers: Sequence[Sequence[Column]]) -> list[Image]:
    """The spectrograms of an instrument's notes side by side, from the lowest key to the highest, layer by layer.

    Args:
        layers: each note's of each layer.

    Returns:
        Of each layer, levels in equal steps of dB from 70 dB below the loudest of all layers, 0, to the loudest, 255;
        uint8, since those of all instruments wait in memory for the pack's picture. Shape (160 bands, 24 · notes):
        bands rise in equal musical steps from 60 to 16000 Hz, and 24 columns are the first 4 s of a note.
    """
    levels_db = [10.0 * np.log10(np.maximum(np.concatenate(columns, axis=1), 1e-12)) for columns in layers]
    loudest_db = max(float(level_db.max()) for level_db in levels_db)
    shares = (1.0 + (level_db - loudest_db) / _DYNAMIC_RANGE_DB for level_db in levels_db)
    return [np.asarray(np.rint(255.0 * np.clip(share, 0.0, 1.0)), dtype=np.uint8) for share in shares]


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
        images: instrument → its `keyboard_images`.
    """

    def __init__(self, folder: Path, pitches: Sequence[int], images: Mapping[str, Sequence[Image]]) -> None:
        self._folder, self._pitches, self._images = folder, pitches, images
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

    def overview(self, title: str, axes: Mapping[str, Axis]) -> None:
        """Draw all instruments in one picture, under the pack's title; `axes` says what the layers of each are."""
        path = self._folder / "Pictures" / OVERVIEW
        self._submit(_draw_overview, path, title, self._pitches, self._images, axes)

    def cover(self, title: str, author: str) -> None:
        """Draw the pack's square cover, from the spectra of its instruments, with its title and its author."""
        self._submit(draw_cover, self._folder / COVER, title, author, self._images)

    def instrument(self, packed: PackedInstrument) -> None:
        """Draw an instrument whose sound files are there."""
        self._submit(self._draw_instrument, packed)

    def _submit(self, draw: Callable[..., None], *arguments: Any) -> None:
        self._drawn.append(self._thread.submit(draw, *arguments))

    def _draw_instrument(self, packed: PackedInstrument) -> None:
        shown = last_layer(packed.notes)
        first_takes = [note for note in shown if note.take == 0]
        note = first_takes[len(first_takes) // 2]
        middle = read(self._folder / note.file)
        images = self._images[packed.name]
        kind = (packed.axis, len(images), note.width is not None, math.ceil(middle.duration_s))
        with _SHEETS_IN_USE, plotting.own_style():
            image = _sheet(tuple(self._pitches), *kind).draw(packed, images, note, middle)
        image.save(self._folder / "Pictures" / f"{packed.name}.png", dpi=(_DPI, _DPI))


class _Sheet:
    """Draws pictures of instruments. What all have in common is drawn once, also for the packs that follow: most of the
    time goes into frames and scales.

    Args:
        pitches: MIDI, of the instruments' keys.
        axis: what the layers of the instruments are chosen by.
        layers: how many there are; each has a spectrogram of its own.
        is_stereo: whether there is a plot of how alike left and right are.
        shown_s: how much of a note's waveform there is room for.
    """

    def __init__(self, pitches: Sequence[int], axis: Axis, layers: int, is_stereo: bool, shown_s: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.collections import PolyCollection
        from matplotlib.figure import Figure

        columns = layers if layers <= 3 else math.ceil(math.sqrt(layers))
        rows = -(-layers // columns)
        panel_in, gap_in = (3.36, 0.0) if rows == 1 else (1.7, 0.62)
        below_in, above_in = 3.29, 0.35 + (0.25 if layers > 1 else 0.0)
        keyboards_in = rows * panel_in + (rows - 1) * gap_in
        height_in = below_in + keyboards_in + above_in
        # Placed by hand: a layout engine draws every picture twice.
        figure = Figure(figsize=(12, height_in), dpi=_DPI)
        canvas: Any = FigureCanvasAgg(figure)
        self._own: list[Artist] = []
        self._images, self._loops, self._panel_titles = [], [], []
        width = (0.86 - 0.045 * (columns - 1)) / columns
        empty = np.zeros((_BANDS, _FRAMES * len(pitches)), np.uint8)
        for layer in range(layers):
            row, column = divmod(layer, columns)
            bottom_in = below_in + (rows - 1 - row) * (panel_in + gap_in)
            place = (0.06 + column * (width + 0.045), bottom_in / height_in, width, panel_in / height_in)
            keyboard = figure.add_axes(place)
            self._images.append(_show(keyboard, "", pitches, empty))
            strip = np.zeros((1, empty.shape[1], 3), np.uint8)
            extent = (-0.5, empty.shape[1] - 0.5, *_STRIP)
            self._loops.append(keyboard.imshow(strip, aspect="auto", interpolation="nearest", extent=extent))
            keyboard.set_ylim(_STRIP[0], _BANDS - 0.5)
            keyboard.tick_params(labelleft=column == 0)
            self._panel_titles.append(keyboard.set_title("", loc="left", fontsize=9))
            self._own += [self._images[-1], self._loops[-1], *keyboard.spines.values(), self._panel_titles[-1]]
        figure.text(
            *(0.5, (below_in - 0.52) / height_in),
            "key; each column is the first 4 s of its note, and the strip below it is orange where the note loops",
            ha="center",
            va="center",
            fontsize=9,
        )
        scale = figure.add_axes((0.93, below_in / height_in, 0.012, keyboards_in / height_in))
        _add_scale(figure, self._images[0], scale, "level, dB")
        places = (
            ((0.06, 0.3), (0.41, 0.16), (0.615, 0.16), (0.82, 0.16))
            if is_stereo
            else ((0.06, 0.44), (0.545, 0.195), (0.785, 0.195))
        )
        wave, tuning, level, *stereo = (
            figure.add_axes((left, 0.525 / height_in, width, 1.75 / height_in)) for left, width in places
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
        level.set(xlabel="key", xlim=keys, ylim=(-24 if axis == "velocity" else -12, 12))
        self._name = figure.text(0.06, 1.0 - 0.1 / height_in, "", ha="left", va="top", fontsize=12)
        self._wave_title, self._level_title = wave.title, level.title
        self._own += [
            *(self._name, self._wave, self._loop, self._loop_legend, self._wave_title),
            *(self._as_rendered, self._as_built, self._loudness, self._level_title),
        ]
        for axes in stereo:
            (self._correlation,) = axes.plot([], [], ".-", markersize=4)
            axes.axhline(LEAST_CORRELATION, color="grey", linewidth=0.8, linestyle="--")
            axes.set(xlabel="key", xlim=keys, ylim=(0.0, 1.05))
            self._stereo_title = axes.title
            self._own += [self._correlation, self._stereo_title]
        for axes in (wave, tuning, level, *stereo):
            axes.title.set_fontsize(10)
        for artist in self._own:
            artist.set_animated(True)
        canvas.draw()
        self._canvas, self._frames = canvas, canvas.copy_from_bbox(figure.bbox)

    def draw(self, packed: PackedInstrument, images: Sequence[Image], note: PackedNote, middle: Audio) -> Any:
        """The picture of an instrument, for Pillow to save.

        Args:
            packed: the instrument.
            images: its `keyboard_images`.
            note: the one of its notes whose waveform is shown.
            middle: its sound.
        """
        from PIL.Image import fromarray

        self._name.set_text(_about(packed, len(images)))
        layers = [[n for n in packed.notes if n.layer == layer] for layer in range(len(images))]
        panels = zip(self._images, self._loops, self._panel_titles, strict=True)
        for (image, loops, title), levels, notes in zip(panels, images, layers, strict=True):
            image.set_data(levels)
            loops.set_data(_loop_strip([n for n in notes if n.take == 0], middle.rate_hz))
            title.set_text(_layer_name(packed, notes[0].layer, len(images)))
        self._show_wave(note, middle)
        _set(self._as_rendered, [[(n.pitch, n.tuning.was_off_cents if n.tuning else None) for n in packed.notes]])
        _set(self._as_built, [[(n.pitch, n.cents) for n in packed.notes]])
        loudness = middle_loudness(packed.notes)
        self._level_title.set_text("silent" if loudness is None else f"loudness, dB from {loudness:.1f} LUFS")
        _set(self._loudness, [[(n.pitch, n.loudness_lufs) for n in notes] for notes in layers], loudness or 0.0)
        if widths := [n.width.correlation for n in packed.notes if n.width]:
            _set(self._correlation, [[(n.pitch, n.width.correlation) for n in notes if n.width] for notes in layers])
            self._stereo_title.set_text(f"stereo correlation ≥ {min(widths):.2f}")
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


_sheet = lru_cache(maxsize=8)(_Sheet)
_SHEETS_IN_USE = Lock()


def _about(packed: PackedInstrument, layers: int) -> str:
    """An instrument's name, how it behaves, how many of its sounds loop, and how many takes and layers it has."""
    loops, sounds = sum(note.loop is not None for note in packed.notes), len(packed.notes)
    parts = [packed.name]
    parts.append("decays" if packed.behaviour == "decay" else f"sustains, {loops} of {sounds} sounds loop")
    if packed.axis == "keys":
        parts.append("a morph by key")
    elif packed.axis != "none":
        controller = "mod wheel" if packed.axis == "wheel" else "velocity"
        parts.append(f"{layers} layers by {controller}")
    if takes := max(note.take for note in packed.notes):
        parts.append(f"the first of {takes + 1} takes")
    return "  ·  ".join(parts)


def _layer_name(packed: PackedInstrument, layer: int, layers: int) -> str:
    """Where a layer is heard alone; empty for the only one."""
    if packed.axis == "wheel":
        return f"wheel at {round(127 * layer / (layers - 1))}"
    if packed.velocities:
        return f"rendered at velocity {packed.velocities[layer]}"
    if packed.axis in ("velocity", "velocity path"):
        return f"layer {layer + 1}" + (
            ", the softest" if layer == 0 else ", the hardest" if layer == layers - 1 else ""
        )
    return ""


def _loop_strip(notes: Sequence[PackedNote], rate_hz: int) -> NDArray[np.uint8]:
    """Where notes loop within the 4 s that are shown of each, as an image: shape (1, 24 · notes, 3)."""
    strip = np.empty((len(notes), _FRAMES, 3), np.uint8)
    strip[:] = _NO_LOOP
    time_s = np.arange(_FRAMES) * _SHOWN_S / _FRAMES
    for note, row in zip(notes, strip, strict=True):
        if note.loop:
            start_s, end_s = (frame / rate_hz for frame in note.loop.frames)
            row[(time_s >= start_s) & (time_s <= end_s)] = _LOOP
    return strip.reshape(1, -1, 3)


def _set(line: Line2D, curves: Sequence[Sequence[tuple[float, float | None]]], middle: float = 0.0) -> None:
    """Put a line's points where they are known, around a middle; it is interrupted between two curves."""
    points: list[tuple[float, float]] = []
    for curve in curves:
        points += [(x, y - middle) for x, y in curve if y is not None]
        points.append((math.nan, math.nan))
    line.set_data([x for x, _ in points], [y for _, y in points])


@plotting.own_style()
def _draw_overview(
    path: Path, title: str, pitches: Sequence[int], images: Mapping[str, Sequence[Image]], layers_by: Mapping[str, Axis]
) -> None:
    shown = dict(islice(images.items(), _MOST_IN_OVERVIEW))
    if len(shown) < len(images):
        title += f" (the first {len(shown)} of {len(images)})"
    columns = min(4, max(1, round(len(shown) ** 0.5)))
    rows = -(-len(shown) // columns)
    width, height = 5.5 * columns + 0.9, 0.6 + 2.4 * rows

    def content(figure: Figure) -> None:
        figure.suptitle(title, fontsize=15, y=1.0 - 0.15 / height)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        figure.subplots_adjust(
            left=0.7 / width,
            right=1.0 - 1.05 / width,
            bottom=0.5 / height,
            top=1.0 - 0.75 / height,
            wspace=0.8 / (5.5 - 0.8),
            hspace=0.75 / (2.4 - 0.75),
        )
        for axes, (name, layers) in zip(grid, shown.items(), strict=False):
            if layers_by[name] == "wheel":
                image = _show(axes, f"{name} (each key from wheel 0 to 127)", pitches, _travelled(layers))
            elif len(layers) > 1:
                image = _show(axes, f"{name} (the hardest of {len(layers)} layers)", pitches, layers[-1])
            elif layers_by[name] == "keys":
                image = _show(axes, f"{name} (a morph by key)", pitches, layers[-1])
            else:
                image = _show(axes, name, pitches, layers[-1])
        for axes in grid[len(shown) :]:
            axes.set_axis_off()
        scale = figure.add_axes((1.0 - 0.85 / width, 0.5 / height, 0.15 / width, 1.0 - 1.25 / height))
        _add_scale(figure, image, scale, "level, dB from the instrument's loudest")

    plotting.draw(path, (width, height), content, _DPI, is_laid_out=False)


def _travelled(layers: Sequence[Image]) -> Image:
    """The image of an instrument in whose notes the mod wheel travels from the first layer to the last."""
    by_layer = np.stack(layers).reshape(len(layers), _BANDS, -1, _FRAMES)
    heard = np.arange(_FRAMES) * len(layers) // _FRAMES
    travelled = np.stack([by_layer[layer, :, :, frame] for frame, layer in enumerate(heard)], axis=-1)
    return travelled.reshape(_BANDS, -1)


@plotting.own_style()
def draw_cover(path: Path, title: str, author: str, images: Mapping[str, Sequence[Image]]) -> None:
    """Draw the cover of a pack: the spectra of its instruments one above the other, the brighter the warmer in colour.

    Args:
        path: the picture, a PNG of 800 × 800 pixels.
        title: name of the pack.
        author: its author; may be empty.
        images: instrument → its `keyboard_images`.
    """
    shown = list(islice(images.values(), _MOST_IN_OVERVIEW))
    ridges = [ridge for layers in shown for ridge in _ridges(layers, max(1, _RIDGES // len(shown)))]
    smooth = np.hanning(9)[1:-1] / np.hanning(9).sum()
    ridges = [np.convolve(ridge, smooth, mode="same") for ridge in ridges]
    lines = textwrap.wrap(title, 16) or [title]
    lines = lines[:3]

    def content(figure: Figure) -> None:
        from matplotlib import colormaps

        figure.set_facecolor(_GROUND)
        text_in = 0.75 + 0.62 * len(lines)
        axes = figure.add_axes((0.0, text_in / 8.0, 1.0, 1.0 - text_in / 8.0))
        axes.set_axis_off()
        bands = np.linspace(0.0, 1.0, _BANDS)
        reach = 3.0 / len(ridges) + 0.1
        for i, ridge in enumerate(ridges):
            weight = ridge**2 + 1e-6
            brightness = float(np.sum(weight * bands) / np.sum(weight))
            base = 1.0 - (i + 1) / len(ridges)
            colour = colormaps["plasma"](0.25 + 0.75 * min(max((brightness - 0.15) / 0.5, 0.0), 1.0))
            axes.fill_between(bands, base - 0.02, base + reach * ridge**2, color=_GROUND, linewidth=0.0, zorder=2 * i)
            axes.plot(bands, base + reach * ridge**2, color=colour, linewidth=1.6, zorder=2 * i + 1)
        axes.set(xlim=(-0.08, 1.08), ylim=(-0.04, 1.0 + reach))
        size = min(40.0, 40.0 * 17 / max(map(len, lines)))
        for i, line in enumerate(lines):
            figure.text(
                0.074, (text_in - 0.45 - 0.6 * i) / 8.0, line, color="white", fontsize=size, weight="bold", va="center"
            )
        figure.text(0.077, 0.42 / 8.0, textwrap.shorten(author, 60, placeholder=" …"), color="#a8a4b8", fontsize=13)

    plotting.draw(path, (8.0, 8.0), content, 100, is_laid_out=False)


def _ridges(layers: Sequence[Image], most: int) -> list[NDArray[np.float64]]:
    """The mean spectra of groups of an instrument's keys, from the highest to the lowest, layer by layer: shares of the
    range of levels, shape (160,) each."""
    notes = np.concatenate([layer.reshape(_BANDS, -1, _FRAMES) for layer in layers], axis=1) / 255.0
    spectra = notes[:, :, : _FRAMES // 2].mean(axis=2)
    groups = np.array_split(spectra[:, ::-1], min(most, spectra.shape[1]), axis=1)
    return [group.mean(axis=1) for group in groups]


def _add_scale(figure: Figure, image: Any, axes: Axes, label: str) -> None:
    """Add the bar that says which colour is which level."""
    steps_db = np.arange(-_DYNAMIC_RANGE_DB, 1.0, 10.0)
    levels = figure.colorbar(image, cax=axes, label=label)
    levels.set_ticks(list(255.0 * (1.0 + steps_db / _DYNAMIC_RANGE_DB)), labels=[f"{db:.0f}" for db in steps_db])


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
