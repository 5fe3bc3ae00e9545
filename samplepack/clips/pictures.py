"""Pictures of a sound: constant-Q spectrograms, piano rolls along a path of timbres, and rainbowgrams of notes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samplepack.base.plotting import draw
from samplepack.clips.score import PlayedNote
from samplepack.sound.audio import Audio
from samplepack.sound.constant_q import BINS_A_SEMITONE, FRAMES_A_SECOND, HIGHEST_PITCH, LOWEST_PITCH, constant_q

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_COLUMNS = 2400
"""The most columns of a drawn spectrogram: frames beyond are joined, the loudest of them drawn."""

_DYNAMIC_RANGE_DB = 70.0
_MOST_DEVIATION_HZ = 12.0
"""The deviation of a partial from its bin's frequency at which the rainbowgram's colour scale ends."""


def draw_clip(
    to: Path | IO[bytes], title: str, audio: Audio, notes: Sequence[PlayedNote], path_positions: Sequence[float]
) -> None:
    """Draw the constant-Q spectrogram of a clip above its piano roll, in which colour is the position along the path.

    Args:
        to: the picture's file, PNG or SVG, or a stream for a PNG.
        title: written above the picture.
        audio: the clip.
        notes: the notes of its score.
        path_positions: the position of each note along the path of timbres, 0…1.

    Raises:
        InputError: the file's name ends in neither .png nor .svg.
        OSError: it can't be written.
    """

    def content(figure: Figure) -> None:
        from matplotlib import colormaps
        from matplotlib.collections import PolyCollection

        figure.suptitle(title, parse_math=False)
        above, below = figure.subplots(2, 1, sharex=True)
        _show_constant_q(figure, above, audio)
        boxes = [
            [(n.start_s, n.pitch - 0.4), (n.end_s, n.pitch - 0.4), (n.end_s, n.pitch + 0.4), (n.start_s, n.pitch + 0.4)]
            for n in notes
        ]
        roll = PolyCollection(boxes, array=np.asarray(path_positions), cmap=colormaps["turbo"], clim=(0.0, 1.0))
        below.add_collection(roll)
        pitches = [note.pitch for note in notes]
        above.set_xlim(0.0, max(audio.duration_s, *(note.end_s for note in notes)))
        below.set(ylim=(min(pitches) - 2, max(pitches) + 2), ylabel="key", xlabel="time, s")
        figure.colorbar(roll, ax=below, label="along the path", pad=0.01)

    draw(to, (12, 7), content)


def draw_sound(to: Path | IO[bytes], title: str, audio: Audio) -> None:
    """Draw the constant-Q spectrogram of a sound; arguments and errors as for `draw_clip`."""

    def content(figure: Figure) -> None:
        figure.suptitle(title, parse_math=False)
        axes = figure.subplots()
        _show_constant_q(figure, axes, audio)
        axes.set_xlabel("time, s")

    draw(to, (12, 4), content)


def draw_rainbowgram(to: Path | IO[bytes], title: str, audio: Audio) -> None:
    """Draw the rainbowgram of a note: magnitude is brightness, instantaneous frequency is colour; arguments and errors
    as for `draw_clip`.

    Source: Engel et al., "Neural Audio Synthesis of Musical Notes with WaveNet Autoencoders", ICML 2017.
    """

    def content(figure: Figure) -> None:
        figure.suptitle(title, parse_math=False)
        axes = figure.subplots()
        axes.imshow(rainbow(audio), **_image_settings(audio))
        axes.set(xlabel="time, s", ylabel="key")

    draw(to, (6, 4), content)


def rainbow(audio: Audio) -> NDArray[np.float32]:
    """A rainbowgram as an image, float32, shape (bins, frames, 3), 0…1; bins and frames are those of `constant_q`."""
    from matplotlib import colormaps

    bins = constant_q(audio)
    level = np.clip(1.0 + _decibels(np.abs(bins)) / _DYNAMIC_RANGE_DB, 0.0, 1.0)
    deviation_hz = np.angle(bins[:, 1:] * np.conj(bins[:, :-1])) * (FRAMES_A_SECOND / (2.0 * np.pi))
    deviation_hz = np.pad(deviation_hz, [(0, 0), (1, 0)], mode="edge")
    colour = colormaps["rainbow"](np.clip(0.5 + deviation_hz / (2.0 * _MOST_DEVIATION_HZ), 0.0, 1.0))[..., :3]
    return np.asarray(colour * level[..., np.newaxis], dtype=np.float32)


def _show_constant_q(figure: Figure, axes: Any, audio: Audio) -> None:
    magnitude = np.abs(constant_q(audio))
    joined = -(-magnitude.shape[1] // _MOST_COLUMNS)
    padded = np.pad(magnitude, [(0, 0), (0, -magnitude.shape[1] % joined)])
    level_db = _decibels(padded.reshape(len(padded), -1, joined).max(axis=2))
    shown = axes.imshow(level_db, cmap="magma", vmin=-_DYNAMIC_RANGE_DB, vmax=0.0, **_image_settings(audio))
    axes.set_ylabel("key")
    figure.colorbar(shown, ax=axes, label="level, dB", pad=0.01)


def _image_settings(audio: Audio) -> dict[str, Any]:
    half = 0.5 / BINS_A_SEMITONE
    keys = (LOWEST_PITCH - half, HIGHEST_PITCH - half)
    return {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "extent": (0.0, audio.duration_s, *keys)}


def _decibels(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(20.0 * np.log10(np.maximum(magnitude / max(float(magnitude.max()), 1e-9), 1e-9)), np.float32)
