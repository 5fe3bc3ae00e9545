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
from samplepack.sound.constant_q import BINS_A_SEMITONE, FRAMES_A_SECOND, LOWEST_PITCH, constant_q, highest_pitch
from samplepack.sound.key_names import key_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_COLUMNS = 2400
"""The most columns of a drawn spectrogram: frames beyond are joined, the loudest of them drawn."""

_DYNAMIC_RANGE_DB = 70.0
_MOST_DEVIATION_HZ = 12.0
"""The deviation of a partial from its bin's frequency at which the rainbowgram's colour scale ends."""


_MOST_NAMES, _LONGEST_NAME = 60, 24


def draw_clip(
    to: Path | IO[bytes],
    title: str,
    audio: Audio,
    notes: Sequence[PlayedNote],
    path_positions: Sequence[float],
    timbres: Sequence[tuple[float, str]] = (),
) -> None:
    """Draw the constant-Q spectrogram of a clip above its piano roll, in which colour is the position along the path.

    Args:
        to: the picture's file, PNG or SVG, or a stream for a PNG.
        title: written above the picture.
        audio: the clip.
        notes: the notes of its score.
        path_positions: the position of each note along the path of timbres, 0…1.
        timbres: when a timbre is heard, seconds, and its name, which is written there; of more than 60, some.

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
        if timbres:
            _name_timbres(above, timbres)
        boxes = [
            [(n.start_s, n.pitch - 0.4), (n.end_s, n.pitch - 0.4), (n.end_s, n.pitch + 0.4), (n.start_s, n.pitch + 0.4)]
            for n in notes
        ]
        roll = PolyCollection(boxes, array=np.asarray(path_positions), cmap=colormaps["turbo"], clim=(0.0, 1.0))
        below.add_collection(roll)
        pitches = [note.pitch for note in notes]
        above.set_xlim(0.0, max(audio.duration_s, *(note.end_s for note in notes)))
        below.set(ylim=(min(pitches) - 2, max(pitches) + 2), ylabel="key", xlabel="time, s")
        below.set_yticks(_octaves(min(pitches) - 2, max(pitches) + 2))
        below.yaxis.set_major_formatter(_key)
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
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        axes = figure.subplots()
        image = rainbow(audio)
        axes.imshow(image, **_image_settings(audio, len(image)))
        axes.set(xlabel="time, s", ylabel="key")
        _tick_keys(axes, len(image))
        colours = ScalarMappable(Normalize(-_MOST_DEVIATION_HZ, _MOST_DEVIATION_HZ), "rainbow")
        scale = figure.colorbar(colours, ax=axes, pad=0.02)
        scale.set_label("Hz from the bin's frequency", fontsize=8)
        axes.set_title("brightness is level, over 70 dB", fontsize=8, loc="right")

    draw(to, (6, 4), content)


def rainbow(audio: Audio) -> NDArray[np.float32]:
    """A rainbowgram as an image, float32, shape (bins, frames, 3), 0…1; bins and frames are those of `constant_q`."""
    from matplotlib import colormaps

    bins = constant_q(audio, highest_pitch(audio))
    level = np.clip(1.0 + _decibels(np.abs(bins)) / _DYNAMIC_RANGE_DB, 0.0, 1.0)
    deviation_hz = np.angle(bins[:, 1:] * np.conj(bins[:, :-1])) * (FRAMES_A_SECOND / (2.0 * np.pi))
    deviation_hz = np.pad(deviation_hz, [(0, 0), (1, 0)], mode="edge")
    colour = colormaps["rainbow"](np.clip(0.5 + deviation_hz / (2.0 * _MOST_DEVIATION_HZ), 0.0, 1.0))[..., :3]
    return np.asarray(colour * level[..., np.newaxis], dtype=np.float32)


def _show_constant_q(figure: Figure, axes: Any, audio: Audio) -> None:
    magnitude = np.abs(constant_q(audio, highest_pitch(audio)))
    joined = -(-magnitude.shape[1] // _MOST_COLUMNS)
    padded = np.pad(magnitude, [(0, 0), (0, -magnitude.shape[1] % joined)])
    level_db = _decibels(padded.reshape(len(padded), -1, joined).max(axis=2))
    shown = axes.imshow(
        level_db, cmap="magma", vmin=-_DYNAMIC_RANGE_DB, vmax=0.0, **_image_settings(audio, len(level_db))
    )
    axes.set_ylabel("key")
    _tick_keys(axes, len(level_db))
    figure.colorbar(shown, ax=axes, label="level, dB", pad=0.01)


def _name_timbres(axes: Any, timbres: Sequence[tuple[float, str]]) -> None:
    """Write the names of timbres above a picture, where they begin."""
    shown = timbres[:: -(-len(timbres) // _MOST_NAMES)]
    names = [name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for _, name in shown]
    above = axes.secondary_xaxis("top")
    rotation = 0 if len(shown) <= 6 else 35 if len(shown) <= 20 else 90
    above.set_xticks(
        [time_s for time_s, _ in shown], names, rotation=rotation, ha="left" if rotation < 90 else "center"
    )
    above.tick_params(labelsize=8)
    for time_s, _ in shown[1:]:
        axes.axvline(time_s, color="white", linewidth=0.6, alpha=0.5)


def _tick_keys(axes: Any, bins: int) -> None:
    """Name each C of the keys that a picture's bins stand for."""
    axes.set_yticks(_octaves(LOWEST_PITCH, LOWEST_PITCH + bins // BINS_A_SEMITONE))
    axes.yaxis.set_major_formatter(_key)


def _octaves(lowest: int, highest: int) -> list[int]:
    """Each C between two keys; all keys where there is none."""
    return [pitch for pitch in range(lowest, highest + 1) if pitch % 12 == 0] or list(range(lowest, highest + 1))


def _key(pitch: float, place: int) -> str:
    """A key's name and number, as Matplotlib asks for them."""
    return f"{key_name(round(pitch))}  {round(pitch)}"


def _image_settings(audio: Audio, bins: int) -> dict[str, Any]:
    half = 0.5 / BINS_A_SEMITONE
    keys = (LOWEST_PITCH - half, LOWEST_PITCH + bins / BINS_A_SEMITONE - half)
    return {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "extent": (0.0, audio.duration_s, *keys)}


def _decibels(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(20.0 * np.log10(np.maximum(magnitude / max(float(magnitude.max()), 1e-9), 1e-9)), np.float32)
