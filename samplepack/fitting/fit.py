"""From sounds to latents: what `samplepack fit` does."""

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
from samplepack.recipe import Like, load_recipe
from samplepack.recipe.fits import Fit, sound_files, write_fits
from samplepack.sound.audio import SOUND_SUFFIXES

if TYPE_CHECKING:
    from samplepack.fitting.descent import Fitted

_SAMPLES = 64000
"""Length of a note where a checkpoint doesn't say it."""


@dataclass(frozen=True)
class Report:
    """What was fitted."""

    name: str
    """Of the timbre, or of the file that the latent was written to."""

    notes: int
    """How many notes the latent is to be like."""

    nearest: str
    """The known latent that is nearest to them."""

    nearest_db: float
    """How far that is from them."""

    fitted_db: float
    """How far the fitted one is."""


def fit_recipe(path: Path, progress: Progress = silent, allow_plugins: bool = False) -> list[Report]:
    """Fit the timbres of a recipe that are `like` a sound and have no latent for it, and keep their latents beside it.

    What is fitted already to these sounds, for this checkpoint, stays as it is.

    Raises:
        InputError: what is wrong with the recipe, the sounds or the checkpoint.
    """
    if path.is_dir() or path.suffix.lower() in SOUND_SUFFIXES:
        raise InputError(f"{path}: sounds, not a recipe; say with --output which .npy file their latent goes to")
    _opened(load_recipe(path, allow_plugins, fits_needed=False).checkpoint)  # from here on it's our format
    loaded = load_recipe(path, allow_plugins, fits_needed=False)
    checkpoint = loaded.native_checkpoint()
    likes = {name: timbre.like for name, timbre in loaded.recipe.timbres.items() if timbre.like}
    if not likes:
        raise InputError(f"{path}: no timbre is `like` a sound: nothing to fit")
    kept = {like.written: like.fit for like in likes.values() if like.fit}
    to_fit: dict[tuple[str, ...], tuple[str, Like]] = {}
    for name, like in likes.items():
        if not like.fit:
            to_fit.setdefault(like.written, (name, like))
    notes = _read_notes([like.files for _, like in to_fit.values()], checkpoint)
    reports = []
    for (written, (name, like)), of_timbre in zip(to_fit.items(), notes, strict=True):
        fitted = _fit(checkpoint, of_timbre, partial(progress, name))
        kept[written] = Fit(
            like=written,
            sounds=like.digest,
            checkpoint=checkpoint.digest,
            nearest=fitted.nearest,
            nearest_db=round(fitted.nearest_db, 2),
            fitted_db=round(fitted.fitted_db, 2),
            latent=tuple(float(str(value)) for value in fitted.latent),
        )
        write_fits(path, [kept[like.written] for like in likes.values() if like.written in kept])
        reports.append(_report(name, of_timbre, fitted))
    return reports


def fit_sounds(sounds: Sequence[Path], reference: str, output: Path, progress: Progress = silent) -> Report:
    """Fit one latent to sounds and write it as `.npy`, which a recipe can name with `latent`.

    Args:
        sounds: files, and folders that stand for the sound files in them.
        reference: the checkpoint, by name or path.
        output: the file to write.
        progress: receives how many steps of the fit are done.

    Raises:
        InputError: what is wrong with the sounds or the checkpoint.
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
        _start_backend()  # before what converts it does, for rendering
    return library.as_native(found)


def _start_backend() -> None:
    """A fit is one step after the other: all cores share each operation."""
    start_backend(threads_an_op=os.cpu_count() or 1)


def _read_notes(files: Sequence[Sequence[Path]], checkpoint: Checkpoint) -> list[list[OneNote]]:
    """The notes of several lists of files, or the problems of all of them."""
    samples = int((checkpoint.config.model_extra or {}).get("samples", _SAMPLES))
    problems: list[Problem] = []
    notes: list[list[OneNote]] = []
    for of_timbre in files:
        notes.append([])
        for file in of_timbre:
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
