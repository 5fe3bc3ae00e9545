"""The map of a checkpoint: its instruments and some hundreds of seeds, laid out by how they sound."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from samplepack.base.errors import InputError
from samplepack.base.files import user_folder, write_aside
from samplepack.documents.json_files import read_json
from samplepack.models.checkpoint import MAP, Checkpoint, read_instruments
from samplepack.models.latent import Latent, latent_from_seed
from samplepack.sound.pitch import pitch_hz

SEEDS = 240
"""How many seeds a map shows, from 0."""

_PITCH = 60
_MOST_BYTES = 8 << 20
_LEAST_FOR_AXES = 48

_STRETCHES_S = ((0.0, 0.15), (0.3, 1.0), (1.5, 2.5))
"""The parts of a note whose spectra are measured: its attack, its body and its end."""

_BANDS_PER_OCTAVE, _BANDS = 3, 18
_RANGE_DB = 60.0

_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Place(_Model):
    """A sound on the map."""

    name: str
    """The name of an instrument, or `seed 17`."""

    seed: int | None = None
    """None for an instrument."""

    x: _Number
    y: _Number
    """In standard deviations of the instruments, or of the first seeds where there are none."""

    brightness: _Number
    """Centre of the spectrum, octaves above the fundamental."""

    spectrum: tuple[_Number, ...]
    """As `spectrum_of` gives it."""


class SoundMap(_Model):
    """The map of a checkpoint, as its file holds it."""

    map: int = Field(1, ge=1, le=1)
    """Version of the file's format."""

    checkpoint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Digest of the checkpoint."""

    places: tuple[Place, ...]

    def nearest(self, spectrum: NDArray[np.float32], most: int = 8) -> list[tuple[str, float]]:
        """The names of the places that sound most like a spectrum, instruments first, and their distances, dB."""
        distances = [
            (place.seed is not None, float(np.mean(np.abs(np.array(place.spectrum) - spectrum))), place.name)
            for place in self.places
        ]
        return [(name, distance) for _, distance, name in sorted(distances)[:most]]


def spectrum_of(wave: NDArray[np.float32], rate_hz: int, pitch: int) -> NDArray[np.float32]:
    """The levels of third-octave bands, counted from the fundamental so that notes of all pitches can be compared, in
    three parts of a note.

    Args:
        wave: a note from its onset on, shape (samples,).
        rate_hz: its rate.
        pitch: MIDI.

    Returns:
        dB relative to the loudest band, -60 at the least, float32, shape (54,): the bands of the attack, then those of
        the body and of the end.
    """
    edges_hz = pitch_hz(pitch) * 2.0 ** ((np.arange(_BANDS + 1) - 1.5) / _BANDS_PER_OCTAVE)
    powers = []
    for first_s, last_s in _STRETCHES_S:
        part = wave[int(first_s * rate_hz) : int(last_s * rate_hz)].astype(np.float64)
        length = int((last_s - first_s) * rate_hz)
        part = np.pad(part, (0, max(length - len(part), 0)))
        power = np.square(np.abs(np.fft.rfft(part * np.hanning(len(part))))) / np.sum(np.hanning(len(part)) ** 2)
        above = np.searchsorted(np.fft.rfftfreq(len(part), 1.0 / rate_hz), edges_hz)
        sums = np.concatenate([[0.0], np.cumsum(power)])
        powers.append(sums[above[1:]] - sums[above[:-1]])
    levels = np.concatenate(powers)
    loudest = max(float(levels.max()), 1e-20)
    return np.asarray(np.maximum(10.0 * np.log10(np.maximum(levels / loudest, 1e-20)), -_RANGE_DB), np.float32)


def brightness_of(spectrum: NDArray[np.float32]) -> float:
    """The centre of a spectrum from `spectrum_of` in octaves above the fundamental: that of its level in dB."""
    levels = spectrum.reshape(len(_STRETCHES_S), _BANDS).mean(axis=0) + _RANGE_DB
    octaves = (np.arange(_BANDS) - 1.0) / _BANDS_PER_OCTAVE
    return float(np.sum(levels * octaves) / max(float(np.sum(levels)), 1e-9))


def read_map(checkpoint: Checkpoint) -> SoundMap | None:
    """The map of a checkpoint that was made before: the one in its folder, or in the user's; None if there is none that
    isn't damaged."""
    for file in (checkpoint.folder / MAP, _users_file(checkpoint)):
        with contextlib.suppress(InputError, OSError):
            found = read_json(file, SoundMap, "map", _MOST_BYTES)
            if found.checkpoint == checkpoint.digest:
                return found
    return None


def _users_file(checkpoint: Checkpoint) -> Path:
    return user_folder("maps") / f"{checkpoint.digest}.json"


def make_map(
    checkpoint: Checkpoint,
    wave_of: Callable[[Latent, int], NDArray[np.float32]],
    on_places: Callable[[list[Place], int, int], None],
) -> SoundMap:
    """Render and measure the sounds of a map, and keep it in the user's folder.

    Args:
        checkpoint: whose map to make.
        wave_of: renders the note of a latent at a MIDI pitch, shape (samples,).
        on_places: told of places as soon as they are known, with how many sounds are measured and of how many.

    Raises:
        InputError: the checkpoint is damaged.
        SamplepackError: the network made NaN or infinity.
    """
    pitch = min(max(_PITCH, checkpoint.pitches[0]), checkpoint.pitches[-1])
    sounds = list(_sounds(checkpoint))
    first = len(sounds) - SEEDS if len(sounds) > SEEDS else _LEAST_FOR_AXES
    spectra: list[NDArray[np.float32]] = []
    places: list[Place] = []
    axes = None
    for name, seed, z in sounds:
        spectra.append(spectrum_of(wave_of(z, pitch), checkpoint.rate_hz, pitch))
        fresh: list[Place] = []
        if axes is None and len(spectra) >= max(first, 3):
            axes = _axes(np.stack(spectra))
            named = zip(sounds, spectra, strict=False)
            fresh = [_place(name, seed, spectrum, axes) for (name, seed, _), spectrum in named]
        elif axes is not None:
            fresh = [_place(name, seed, spectra[-1], axes)]
        places += fresh
        on_places(fresh, len(spectra), len(sounds))
    made = SoundMap(map=1, checkpoint=checkpoint.digest, places=tuple(places))
    file = _users_file(checkpoint)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_aside(file, made.model_dump_json().encode())
    return made


def _sounds(checkpoint: Checkpoint) -> Iterator[tuple[str, int | None, Latent]]:
    """Name, seed and latent of what a map shows: the instruments, then the seeds."""
    for name, latent in read_instruments(checkpoint).items():
        yield name, None, latent
    for seed in range(SEEDS):
        yield f"seed {seed}", seed, latent_from_seed(seed, checkpoint.latent_dim)


def _axes(spectra: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of spectra, and their first two principal axes, each divided by the deviation along it."""
    middle = spectra.mean(axis=0)
    _, sizes, axes = np.linalg.svd(spectra - middle, full_matrices=False)
    deviations = np.maximum(sizes[:2] / np.sqrt(len(spectra)), 1e-6)
    signs = np.sign(axes[:2, -_BANDS:].sum(axis=1))  # brighter is to the right and up, on every machine
    return middle, np.asarray(axes[:2] * (np.where(signs == 0.0, 1.0, signs) / deviations)[:, np.newaxis], np.float32)


def _place(
    name: str, seed: int | None, spectrum: NDArray[np.float32], axes: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> Place:
    middle, directions = axes
    x, y = (round(float(value), 3) for value in directions @ (spectrum - middle))
    return Place(
        name=name,
        seed=seed,
        x=x,
        y=y,
        brightness=round(brightness_of(spectrum), 3),
        spectrum=tuple(round(float(value), 1) for value in spectrum),
    )
