"""Finding the directions of a checkpoint: named ones by figures of its notes, principal ones by the network's features.

Both are linear: over many random latents, the figures, or the principal components of the features, are regressed on
the latents, which gives the gradient of each. How well a direction holds is measured afterwards, on other latents.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.parallel import threads
from samplepack.base.plotting import draw
from samplepack.base.progress import Progress, Task, silent
from samplepack.base.version import __version__
from samplepack.checkpoints import library
from samplepack.checkpoints.directions import (
    Direction,
    Directions,
    Effect,
    read_directions,
    read_directions_file,
    write_directions,
)
from samplepack.evaluation.measures import LogMel, log_mel, log_mel_distance_db
from samplepack.fitting.traits import TRAITS
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.models.latent import latent_from_seed, onto_shell
from samplepack.models.load import load_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from samplepack.models.gansynth import GANSynth

Values = NDArray[np.float64]
"""Shape (notes, figures); NaN where a note has no such figure."""

PRINCIPAL = 8
"""How many principal directions are found."""

_LEAST_NOTES, _NOTES_A_DIMENSION = 320, 4
"""How many notes the named directions are found with: as many for each dimension of a latent, but no fewer than so
many."""

_FEATURES = 512
"""How many latents the features are taken of."""

_BLOCK = 2
"""The block whose features are taken; where it takes templates, the one below."""

_FRESH = 12
"""How many latents each direction is tried on, to either side."""

_BY = 1.5
"""How far they are moved, units by the gradients."""

_MOST_SCALING = 2.0
"""By how much the length that the gradients give a step is corrected at most: far from a latent, figures change less
than at it."""

_FIRST_SEED, _FIRST_FRESH_SEED = 2_000_000_000, 3_000_000_000
"""Seeds of the latents: far from those that people write."""

_PITCHES = (48, 60, 72)

_OTHERS = 0.1
"""The less, the less a named direction moves other figures, and the longer its step is. At 0.1, in the first starter's
network, those of all but vibrato and detune move others by 0.25 deviations at most by their gradients, rather than 0.8,
and are longer by a sixth in the median."""

_MOST_DEVIATIONS = 3.0
"""Figures that lie further from their mean count as lying so far, so that a few odd notes don't decide."""

_LEAST_DEVIATION = 1e-6
"""A figure of a smaller deviation is the same in all notes, but for rounding; so is a component of a smaller share of
the largest one's variance."""


def directions_of(reference: str, again: bool = False, progress: Progress = silent) -> tuple[Directions, Path | None]:
    """The directions of a checkpoint, found and written unless they are there already.

    Args:
        reference: the checkpoint, by name or path. One of Magenta's is converted.
        again: find them even if they are there.
        progress: receives how many notes have been measured.

    Returns:
        The directions, and the file that was written; None if they were there.

    Raises:
        InputError: the checkpoint or the file of its directions is damaged.
        OSError: the file can't be written.
    """
    checkpoint = library.as_native(library.resolve(reference, Path()))
    if not again and (there := read_directions(checkpoint)):
        return there, None
    found = find_directions(checkpoint, progress)
    return found, write_directions(found, checkpoint)


def import_directions(reference: str, file: Path) -> tuple[Directions, Path]:
    """Give a checkpoint the directions of a file, in place of those that it has.

    Returns:
        The directions, and the file that was written.

    Raises:
        InputError: the file is damaged, or belongs to another checkpoint.
        OSError: the file can't be written.
    """
    checkpoint = library.as_native(library.resolve(reference, Path()))
    directions = read_directions_file(file, checkpoint)
    return directions, write_directions(directions, checkpoint)


def find_directions(checkpoint: Checkpoint, progress: Progress = silent) -> Directions:
    """Find the directions of a checkpoint. The same checkpoint gives the same numbers on one machine; on another kind
    of machine they differ by rounding.

    Args:
        checkpoint: whose network, which stays as it is.
        progress: receives how many notes have been measured.

    Raises:
        InputError: the checkpoint's weights are damaged, or its notes have no figure that changes with the latent.
    """
    network = _Network(checkpoint, Task(checkpoint.name, progress))
    notes = max(_LEAST_NOTES, _NOTES_A_DIMENSION * checkpoint.latent_dim)
    most = (len(TRAITS) + min(PRINCIPAL, checkpoint.latent_dim)) * 2 * _FRESH
    network.task.begin(notes + _FRESH + most)
    latents = _latents(_FIRST_SEED, notes, checkpoint)
    values = network.measure(latents).values
    centred = _centred(values, network.pitches(notes))
    deviations = np.sqrt(_mean(np.square(centred)))
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = np.clip(centred / deviations, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
    slopes = {
        name: _gradient(latents, figure)
        for name, figure, deviation in zip(TRAITS, figures.T, deviations, strict=True)
        if deviation > _LEAST_DEVIATION and np.isfinite(figure).sum() > notes / 2
    }
    if not slopes:
        raise InputError(f"checkpoint '{checkpoint.name}': all of its notes sound the same, so no direction leads on")
    bare = [
        Direction(name=name, step=_numbers(step), figure=TRAITS[name].figure, deviation=round(float(deviation), 3))
        for name, deviation in zip(TRAITS, deviations, strict=True)
        if name in slopes and (step := _selective_step(name, slopes)) is not None
    ]
    bare += network.principal(slopes.get("brightness"))
    fresh = _Fresh(network, _latents(_FIRST_FRESH_SEED, _FRESH, checkpoint), dict(zip(TRAITS, deviations, strict=True)))
    return Directions(
        directions=1,
        checkpoint=checkpoint.digest,
        made_by=f"samplepack {__version__}",
        pitches=tuple(int(pitch) for pitch in np.unique(network.pitches(len(_PITCHES)))),
        found=tuple(_with_effect(one, fresh.effect(one)) for one in bare),
    )


def _with_effect(direction: Direction, effect: Effect) -> Direction:
    """A direction with its effect; the step of a named one is made longer or shorter, by a factor of two at most, so
    that one unit of movement moves its figure by one deviation."""
    factor = 1.0 / min(max(effect.moves.get(direction.name, 1.0), 1.0 / _MOST_SCALING), _MOST_SCALING)
    moves = {name: round(by * factor, 2) for name, by in effect.moves.items()}
    effect = effect.model_copy(update={"by": round(effect.by / factor, 2), "moves": moves})
    step = np.array(direction.step) * factor
    return direction.model_copy(update={"step": _numbers(step), "effect": effect})


@dataclass(frozen=True, eq=False)
class _Measured:
    values: Values
    """One column for each of `TRAITS`."""

    mels: list[LogMel]


class _Network:
    """A checkpoint's network, whose notes are measured at pitches that take turns."""

    def __init__(self, checkpoint: Checkpoint, task: Task) -> None:
        task.remark("loading the network")
        self.task, self._checkpoint = task, checkpoint
        self._model: GANSynth = load_model(checkpoint)
        self._map = threads(os.cpu_count() or 1)

    def pitches(self, notes: int) -> NDArray[np.int32]:
        """The pitch of each of so many notes, MIDI."""
        low, high = self._checkpoint.pitches[0], self._checkpoint.pitches[-1]
        return np.resize(np.clip(_PITCHES, low, high), notes).astype(np.int32)

    def measure(self, latents: NDArray[np.float32]) -> _Measured:
        """Render a note of each latent and measure it."""
        pitches, rate_hz = self.pitches(len(latents)), self._checkpoint.rate_hz

        def measure_together(first: int) -> list[tuple[list[float], LogMel]]:
            part = slice(first, first + self._model.notes_together)
            waves = self._model.render(latents[part], pitches[part])
            return [
                ([trait.measure(wave, int(pitch), rate_hz) for trait in TRAITS.values()], log_mel(wave, rate_hz))
                for wave, pitch in zip(waves, pitches[part], strict=True)
            ]

        measured = []
        for some in self._map(measure_together, range(0, len(latents), self._model.notes_together)):
            measured += some
            self.task.advance(len(some))
        return _Measured(np.array([values for values, _ in measured]), [mel for _, mel in measured])

    def principal(self, brightness: NDArray[np.float64] | None) -> list[Direction]:
        """Principal directions of the features of an early block, each the way that is brighter.

        Args:
            brightness: the gradient of brightness by the latent; None if there is none.

        Source: Härkönen et al., "GANSpace: Discovering interpretable GAN controls", NeurIPS 2020; Tahiroğlu et al.,
        "GANSpaceSynth: A hybrid generative adversarial network architecture for organising the latent space using a
        dimensionality reduction for real-time audio synthesis", 2021.
        """
        self.task.remark("principal components")
        config = gansynth_config(self._checkpoint)
        block = min(_BLOCK, len(config.channels), config.templates.from_block - 1 if config.templates else _BLOCK)
        latents, pitches = _latents(_FIRST_SEED, _FEATURES, self._checkpoint), self.pitches(_FEATURES)
        size = 64
        features = np.concatenate(
            [
                self._model.features(latents[i : i + size], pitches[i : i + size], block)
                for i in range(0, _FEATURES, size)
            ]
        )
        features = _centred(features, pitches)
        variances, components = np.linalg.eigh((features @ features.T).astype(np.float64))
        found = []
        for number in range(1, min(PRINCIPAL, self._checkpoint.latent_dim) + 1):
            if variances[-number] <= _LEAST_DEVIATION * variances[-1]:
                break
            slope = _gradient(latents, components[:, -number] * np.sqrt(_FEATURES))
            if (brightness if brightness is not None else slope) @ slope < 0.0:
                slope = -slope
            share = round(float(variances[-number] / variances.sum()), 4)
            found.append(Direction(name=f"pc{number}", step=_numbers(slope / (slope @ slope)), share=share))
        return found


class _Fresh:
    """Latents that took no part in finding directions, on which those are tried."""

    def __init__(self, network: _Network, latents: NDArray[np.float32], deviations: dict[str, float]) -> None:
        self._network, self._latents, self._deviations = network, latents, deviations
        self._still = network.measure(latents)

    def effect(self, direction: Direction) -> Effect:
        """What a direction does to them."""
        sides = (-_BY, _BY)
        moved = [self._network.measure(self._latents + np.float32(by) * direction.values) for by in sides]
        moves, distances_db = {}, []
        correlation = follows = None
        for column, (name, deviation) in enumerate(self._deviations.items()):
            changes = np.stack([side.values[:, column] - self._still.values[:, column] for side in moved])
            heard = np.isfinite(changes).all(axis=0)
            if not deviation > _LEAST_DEVIATION or not heard.any():
                continue
            changes = changes[:, heard] / deviation
            moves[name] = round(float(np.mean(changes[1] - changes[0]) / (2.0 * _BY)), 2)
            if name == direction.name:
                amounts = np.repeat(sides, changes.shape[1])
                correlation = round(float(np.corrcoef(amounts, changes.ravel())[0, 1]), 2) if changes.any() else 0.0
                follows = round(float(np.mean(np.sign(changes.ravel()) == np.sign(amounts))), 2)
        for side in moved:
            distances_db += [log_mel_distance_db(a, b) for a, b in zip(side.mels, self._still.mels, strict=True)]
        return Effect(
            notes=len(self._latents),
            by=_BY,
            correlation=correlation,
            follows=follows,
            moves=moves,
            timbre_db=round(float(np.median(distances_db)), 1),
        )


def _latents(first_seed: int, count: int, checkpoint: Checkpoint) -> NDArray[np.float32]:
    """Random latents on the shell, float32, shape (count, latent_dim)."""
    drawn = [latent_from_seed(first_seed + i, checkpoint.latent_dim) for i in range(count)]
    return onto_shell(np.stack(drawn)).astype(np.float32)


def _centred(values: NDArray[Any], pitches: NDArray[np.int32]) -> NDArray[Any]:
    """Values without the mean of their pitch, column by column."""
    centred: NDArray[Any] = values.copy()
    for pitch in np.unique(pitches):
        centred[pitches == pitch] -= _mean(values[pitches == pitch])
    return centred


def _mean(values: NDArray[Any]) -> NDArray[Any]:
    """The mean of each column without NaN; 0.0 for a column of nothing else."""
    return np.asarray(np.nansum(values, axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1))


def _gradient(latents: NDArray[np.float32], figure: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean change of a figure for each unit of each number of the latent, by least squares; notes that don't have
    the figure are left out. For latents of a normal distribution, that is the mean of its gradient (Stein's lemma)."""
    has = np.isfinite(figure)
    inputs = np.column_stack([latents[has].astype(np.float64), np.ones(has.sum())])
    return np.asarray(np.linalg.lstsq(inputs, figure[has], rcond=None)[0][:-1])


def _selective_step(name: str, slopes: dict[str, NDArray[np.float64]]) -> NDArray[np.float64] | None:
    """The step that moves a figure by one deviation and the others by little; None where none moves it, so that the
    step would be longer than a latent is."""
    own, others = slopes[name], np.array([slope for other, slope in slopes.items() if other != name])
    towards: NDArray[np.float64] = own
    if len(others):
        towards = np.asarray(np.linalg.solve(np.eye(len(own)) + others.T @ others / _OTHERS, own))
    step: NDArray[np.float64] = towards / max(float(own @ towards), 1e-9)
    return step if float(step @ step) < len(step) else None


def _numbers(step: NDArray[np.float64]) -> Sequence[float]:
    """The shortest decimals that are the same float32 numbers."""
    return tuple(float(str(number)) for number in step.astype(np.float32))


def draw_directions(to: Path, directions: Directions) -> None:
    """Draw what one unit of each direction moves, as a picture with a row for each.

    Args:
        to: the picture's file, PNG or SVG.
        directions: those to draw; those without an effect are left out.

    Raises:
        InputError: the file's name ends in neither .png nor .svg, or no direction was measured.
        OSError: the picture can't be written.
    """
    shown = [(one.name, one.share, one.effect) for one in directions.found if one.effect]
    if not shown:
        raise InputError("none of the directions was measured, so there is nothing to draw")
    figures = list(dict.fromkeys(name for _, _, effect in shown for name in effect.moves))
    moves = np.array([[effect.moves.get(name, 0.0) for name in figures] for _, _, effect in shown])

    def content(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(moves, cmap="RdBu_r", vmin=-1.5, vmax=1.5, aspect="auto")
        axes.set_xticks(range(len(figures)), figures, rotation=30, ha="right")
        axes.set_yticks(range(len(shown)), [f"{n} ({share:.0%})" if share else n for n, share, _ in shown])
        for (row, column), by in np.ndenumerate(moves):
            axes.text(column, row, f"{by:+.1f}", ha="center", va="center", color="w" if abs(by) > 0.9 else "k")
        figure.colorbar(image, label="standard deviations for one unit of movement")

    draw(to, (9.0, 1.5 + 0.36 * len(shown)), content)
