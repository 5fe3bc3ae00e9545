"""The two uses of `samplepack fit`: fitting the timbres of a recipe, and fitting one latent to sounds."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import write_aside
from samplepack.base.progress import Progress, silent
from samplepack.checkpoints import library
from samplepack.datasets.one_note import OneNote, read_note
from samplepack.models.backend import start_backend
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.recipe import Like, load_recipe
from samplepack.recipe.fits import Fit, sound_files, write_fits
from samplepack.sound.audio import SOUND_SUFFIXES

if TYPE_CHECKING:
    from samplepack.fitting.descent import Fitted


@dataclass(frozen=True)
class Report:
    """The result of one fit, without the latent."""

    name: str
    """Name of the timbre, or path of the file that the latent was written to."""

    notes: int
    """How many notes the latent was fitted to."""

    nearest: str
    """The known latent that is nearest to the notes: an instrument's name, or `seed 17`."""

    nearest_db: float
    """Distance of the nearest known latent from the notes, dB; see `Fitted.nearest_db`."""

    fitted_db: float
    """Distance of the fitted latent from the notes, dB."""


def fit_recipe(
    path: Path, progress: Progress = silent, allow_plugins: bool = False, allow_reads: bool = False
) -> list[Report]:
    """Fit the timbres of a recipe that are `like` a sound, and write their latents to a file beside the recipe.

    A latent that has been fitted to the same sounds with the same checkpoint before stays as it is.

    Args:
        path: the recipe.
        progress: receives how many steps of each fit are done.
        allow_plugins: whether the recipe may load plug-ins.
        allow_reads: whether `reads` may name folders outside of the repository.

    Returns:
        A report for each latent that was fitted.

    Raises:
        InputError: the recipe, a sound or the checkpoint isn't valid.
    """
    if path.is_dir() or path.suffix.lower() in SOUND_SUFFIXES:
        raise InputError(f"{path}: sounds, not a recipe; say with --output which .npy file their latent goes to")
    _opened(
        load_recipe(path, allow_plugins, allow_reads, fits_needed=False).checkpoint
    )  # converts a checkpoint of Magenta's
    loaded = load_recipe(path, allow_plugins, allow_reads, fits_needed=False)
    checkpoint = loaded.native_checkpoint()
    likes = {name: timbre.like for name, timbre in loaded.recipe.timbres.items() if timbre.like}
    if not likes:
        raise InputError(f"{path}: no timbre is `like` a sound: nothing to fit")
    fits = {like.written: like.fit for like in likes.values() if like.fit}
    to_fit: dict[tuple[str, ...], tuple[str, Like]] = {}
    for name, like in likes.items():
        if not like.fit:
            to_fit.setdefault(like.written, (name, like))
    notes = _read_notes([like.files for _, like in to_fit.values()], checkpoint)
    reports = []
    for (written, (name, like)), timbre_notes in zip(to_fit.items(), notes, strict=True):
        fitted = _fit(checkpoint, timbre_notes, partial(progress, name))
        fits[written] = Fit(
            like=written,
            sounds=like.digest,
            checkpoint=checkpoint.digest,
            nearest=fitted.nearest,
            nearest_db=round(fitted.nearest_db, 2),
            fitted_db=round(fitted.fitted_db, 2),
            latent=tuple(float(str(value)) for value in fitted.latent),
        )
        write_fits(path, [fits[like.written] for like in likes.values() if like.written in fits])
        reports.append(_report(name, timbre_notes, fitted))
    return reports


def fit_sounds(sounds: Sequence[Path], reference: str, output: Path, progress: Progress = silent) -> Report:
    """Fit one latent to sounds and write it as `.npy`, which a recipe can name with `latent`.

    Args:
        sounds: sound files, and folders of sound files.
        reference: the checkpoint, by name or path.
        output: the file to write.
        progress: receives how many steps of the fit are done.

    Raises:
        InputError: a sound or the checkpoint isn't valid, or `output` isn't an .npy file.
    """
    if output.suffix != ".npy":
        raise InputError(f"{output}: a latent is written as .npy; call it {output.name}.npy")
    checkpoint = _opened(library.resolve(reference, Path()))
    (notes,) = _read_notes([sound_files(Path(), [str(path) for path in sounds])], checkpoint)
    fitted = _fit(checkpoint, notes, partial(progress, output.name))
    content = io.BytesIO()
    np.save(content, fitted.latent)
    write_aside(output, content.getvalue())
    return _report(str(output), notes, fitted)


def _opened(found: Checkpoint | library.MagentaCheckpoint) -> Checkpoint:
    if isinstance(found, library.MagentaCheckpoint):
        _start_backend()  # first, since the conversion would start the backend with one thread an operation
    return library.as_native(found)


def _start_backend() -> None:
    """Start the backend with all cores on each operation, since the steps of a fit can't run in parallel."""
    start_backend(threads_an_op=os.cpu_count() or 1)


def _read_notes(files: Sequence[Sequence[Path]], checkpoint: Checkpoint) -> list[list[OneNote]]:
    """Read the notes of several lists of sound files.

    Raises:
        InputError: the problems of all files that aren't valid.
    """
    samples = gansynth_config(checkpoint).samples
    problems: list[Problem] = []
    notes: list[list[OneNote]] = []
    for timbre_files in files:
        notes.append([])
        for file in timbre_files:
            try:
                notes[-1].append(read_note(file, checkpoint.rate_hz, samples, checkpoint.pitches))
            except InputError as error:
                problems += error.problems
    if problems:
        raise InputError(*problems)
    return notes


def _fit(checkpoint: Checkpoint, notes: Sequence[OneNote], on_step: Callable[[int, int], None]) -> Fitted:
    _start_backend()
    from samplepack.fitting.descent import fit

    return fit(checkpoint, notes, on_step)


def _report(name: str, notes: Sequence[OneNote], fitted: Fitted) -> Report:
    return Report(name, len(notes), fitted.nearest, fitted.nearest_db, fitted.fitted_db)
