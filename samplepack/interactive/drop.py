"""Sounds that are dropped on the page: kept beside the recipe, and fitted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import write_aside
from samplepack.datasets.one_note import OneNote, read_note
from samplepack.interactive.map import spectrum_of
from samplepack.interactive.session import Session
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.recipe.fits import Fit, read_fits, sounds_digest, write_fits
from samplepack.sound.audio import SOUND_SUFFIXES

FOLDER = "sounds"
"""The folder beside the recipe that dropped sounds are kept in."""

_LONGEST = 40


@dataclass(frozen=True, eq=False)
class Dropped:
    """A sound beside the recipe."""

    name: str
    """For the timbre that will be like it."""

    written: str
    """The path of its file, as the recipe writes it."""

    recipe: Path
    checkpoint: Checkpoint
    note: OneNote
    spectrum: NDArray[np.float32]
    """As `spectrum_of` gives it."""

    def fit(self, on_step: Callable[[int, int], None]) -> Fit:
        """Find the latent that sounds most like it, and keep it in the file of fits beside the recipe. It takes
        minutes.

        Args:
            on_step: hears how many steps of how many are done.

        Raises:
            InputError: the checkpoint or the file of fits is damaged.
            OSError: the file of fits can't be written.
        """
        from samplepack.fitting.descent import fit

        fitted = fit(self.checkpoint, [self.note], on_step)
        made = Fit(
            like=(self.written,),
            sounds=sounds_digest([self.recipe.parent / self.written]),
            checkpoint=self.checkpoint.digest,
            nearest=fitted.nearest,
            nearest_db=round(fitted.nearest_db, 2),
            fitted_db=round(fitted.fitted_db, 2),
            latent=tuple(float(str(value)) for value in fitted.latent),
        )
        write_fits(self.recipe, [*read_fits(self.recipe).values(), made])
        return made


def drop(session: Session, name: str, content: bytes) -> Dropped:
    """Keep a sound in a folder beside the recipe, in a file of its own.

    Args:
        session: of the recipe.
        name: the name of the file that was dropped. Nothing but its letters, digits, dashes and spaces is used.
        content: the sound file.

    Raises:
        InputError: it isn't the sound of one note that the checkpoint can play.
        OSError: it can't be written.
    """
    loaded = session.state.loaded
    checkpoint = loaded.native_checkpoint()
    stem, suffix = os.path.splitext(name.replace("\\", "/").rpartition("/")[2])
    if suffix.lower() not in SOUND_SUFFIXES:
        raise InputError(f"a sound file ends in {', '.join(SOUND_SUFFIXES)}")
    stem = re.sub(r"[^\w #-]+", " ", stem)[:_LONGEST].strip(" -") or "Sound"
    folder = loaded.path.parent / FOLDER
    folder.mkdir(exist_ok=True)
    number = 1
    while os.path.lexists(file := folder / f"{stem}{f' {number}' if number > 1 else ''}{suffix.lower()}"):
        if file.is_file() and file.read_bytes() == content:
            break
        number += 1
    was_there = os.path.lexists(file)
    if not was_there:
        write_aside(file, content)
    try:
        note = read_note(file, checkpoint.rate_hz, gansynth_config(checkpoint).samples, checkpoint.pitches)
    except InputError as error:
        if not was_there:
            file.unlink()
        raise InputError(*(Problem(problem.message, name) for problem in error.problems)) from None
    spectrum = spectrum_of(note.wave, checkpoint.rate_hz, note.pitch)
    return Dropped(file.stem.replace("#", " "), f"{FOLDER}/{file.name}", loaded.path, checkpoint, note, spectrum)
