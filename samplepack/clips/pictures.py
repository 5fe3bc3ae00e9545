"""Pictures of a sound: constant-Q spectrograms, piano rolls along a path of timbres, and rainbowgrams of notes."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.clips.score import PlayedNote
from samplepack.sound.audio import Audio
from samplepack.sound.spectra import fast_size, pitch_hz

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOWEST_PITCH, HIGHEST_PITCH = 36, 96
"""Of a constant-Q spectrogram: the clip's keys and an octave above, as in GANSynth's own notebook."""

BINS_A_SEMITONE = 3

_BAND = 1.5
"""Half of a bin's band, as a share of the distance to the next bin."""

_FRAMES_A_SECOND = 300
_MOST_COLUMNS = 2400
_DYNAMIC_RANGE_DB = 70.0
_FASTEST_HZ = 12.0
"""How far beside a bin's own frequency a partial may lie before its colour has gone once around."""


def constant_q(audio: Audio) -> NDArray[np.complex64]:
    """A sound in bins of equal musical width, each as a band around its frequency, brought to base band.

    Returns:
        Shape (bins, frames), 36 bins an octave from pitch 36 up to 96, 300 frames a second: the magnitude is that of
        a sine at the bin's frequency; the phase stands still where the sound has exactly that frequency.

    Source: Brown, "Calculation of a constant Q spectral transform", JASA 1991, with Hann-shaped bands in frequency.
    """
    import scipy.fft

    wave = audio.samples.mean(axis=0)
    size = fast_size(len(wave) + audio.rate_hz)  # the transform is circular: the end mustn't sound at the start
    spectrum = scipy.fft.rfft(wave, size)
    room = round(size * _FRAMES_A_SECOND / audio.rate_hz)
    bins = (HIGHEST_PITCH - LOWEST_PITCH) * BINS_A_SEMITONE
    frames = max(1, round(len(wave) * _FRAMES_A_SECOND / audio.rate_hz))
    transformed = np.empty((bins, frames), np.complex64)
    for k in range(bins):
        centre_hz = pitch_hz(LOWEST_PITCH + k / BINS_A_SEMITONE)
        half_hz = _BAND * centre_hz * (2.0 ** (1.0 / (12 * BINS_A_SEMITONE)) - 1.0)
        reach = min(int(half_hz * size / audio.rate_hz), room // 2 - 1)
        offsets = np.arange(-reach, reach + 1)
        places = round(centre_hz * size / audio.rate_hz) + offsets
        inside = places < len(spectrum)
        band = np.zeros(room, np.complex64)
        band[offsets[inside] % room] = spectrum[places[inside]] * np.hanning(2 * reach + 3)[1:-1][inside]
        transformed[k] = scipy.fft.ifft(band)[:frames] * (2.0 * room / size)
    return transformed


def draw_clip(
    to: Path | IO[bytes], title: str, audio: Audio, notes: Sequence[PlayedNote], along: Sequence[float]
) -> None:
    """The constant-Q spectrogram of a clip above its piano roll, the notes coloured by their place along the path.

    Args:
        to: the picture's file, PNG or SVG, or a stream for a PNG.
        title: over it.
        audio: the clip.
        notes: of its score.
        along: how far along the path each note lies, 0…1.
    """

    def content(figure: Figure) -> None:
        from matplotlib import colormaps
        from matplotlib.collections import PolyCollection

        above, below = figure.subplots(2, 1, sharex=True)
        _show_constant_q(figure, above, audio)
        boxes = [
            [(n.start_s, n.pitch - 0.4), (n.end_s, n.pitch - 0.4), (n.end_s, n.pitch + 0.4), (n.start_s, n.pitch + 0.4)]
            for n in notes
        ]
        roll = PolyCollection(boxes, array=np.asarray(along), cmap=colormaps["turbo"], clim=(0.0, 1.0))
        below.add_collection(roll)
        pitches = [note.pitch for note in notes]
        above.set_xlim(0.0, max(audio.duration_s, *(note.end_s for note in notes)))
        below.set(ylim=(min(pitches) - 2, max(pitches) + 2), ylabel="key", xlabel="time, s")
        figure.colorbar(roll, ax=below, label="along the path", pad=0.01)

    _draw(to, title, (12, 7), content)


def draw_sound(to: Path | IO[bytes], title: str, audio: Audio) -> None:
    """The constant-Q spectrogram of any sound; arguments as of `draw_clip`."""

    def content(figure: Figure) -> None:
        axes = figure.subplots()
        _show_constant_q(figure, axes, audio)
        axes.set_xlabel("time, s")

    _draw(to, title, (12, 4), content)


def draw_rainbowgram(to: Path | IO[bytes], title: str, audio: Audio) -> None:
    """The rainbowgram of a note: magnitude as brightness, instantaneous frequency as colour; arguments as of
    `draw_clip`.

    Source: Engel et al., "Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders", ICML 2017.
    """

    def content(figure: Figure) -> None:
        axes = figure.subplots()
        axes.imshow(rainbow(audio), **_placed(audio))
        axes.set(xlabel="time, s", ylabel="key")

    _draw(to, title, (6, 4), content)


def rainbow(audio: Audio) -> NDArray[np.float32]:
    """A rainbowgram as an image, shape (bins, frames, 3), 0…1; bins and frames as of `constant_q`."""
    from matplotlib import colormaps

    bins = constant_q(audio)
    level = np.clip(1.0 + _decibels(np.abs(bins)) / _DYNAMIC_RANGE_DB, 0.0, 1.0)
    turned = np.angle(bins[:, 1:] * np.conj(bins[:, :-1])) * (_FRAMES_A_SECOND / (2.0 * np.pi))
    turned = np.pad(turned, [(0, 0), (1, 0)], mode="edge")
    colour = colormaps["rainbow"](np.clip(0.5 + turned / (2.0 * _FASTEST_HZ), 0.0, 1.0))[..., :3]
    return np.asarray(colour * level[..., np.newaxis], dtype=np.float32)


def _show_constant_q(figure: Figure, axes: Any, audio: Audio) -> None:
    magnitude = np.abs(constant_q(audio))
    together = -(-magnitude.shape[1] // _MOST_COLUMNS)
    padded = np.pad(magnitude, [(0, 0), (0, -magnitude.shape[1] % together)])
    level_db = _decibels(padded.reshape(len(padded), -1, together).max(axis=2))
    shown = axes.imshow(level_db, cmap="magma", vmin=-_DYNAMIC_RANGE_DB, vmax=0.0, **_placed(audio))
    axes.set_ylabel("key")
    figure.colorbar(shown, ax=axes, label="level, dB", pad=0.01)


def _placed(audio: Audio) -> dict[str, Any]:
    half = 0.5 / BINS_A_SEMITONE
    keys = (LOWEST_PITCH - half, HIGHEST_PITCH - half)
    return {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "extent": (0.0, audio.duration_s, *keys)}


def _decibels(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(20.0 * np.log10(np.maximum(magnitude / max(float(magnitude.max()), 1e-9), 1e-9)), np.float32)


@contextmanager
def own_style() -> Iterator[None]:
    """Matplotlib as it comes: a user's own settings don't reach a picture, whose bytes would depend on them."""
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in a script that the font lacks
        yield


def _draw(to: Path | IO[bytes], title: str, size: tuple[float, float], content: Callable[[Figure], None]) -> None:
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    kind = to.suffix[1:] if isinstance(to, Path) else "png"
    if kind not in ("png", "svg"):
        raise InputError(f"'{to}' should end in .png or .svg")
    drawn = io.BytesIO()
    with own_style():
        rcParams["svg.hashsalt"] = title
        figure = Figure(figsize=size, dpi=90, layout="constrained")
        figure.suptitle(title, parse_math=False)
        content(figure)
        nothing = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        figure.savefig(drawn, format=kind, metadata=nothing)
    if isinstance(to, Path):
        write_aside(to, drawn.getvalue())
    else:
        to.write(drawn.getvalue())
