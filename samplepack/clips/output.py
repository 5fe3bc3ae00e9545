"""Sound files of clips, walks and previews on their own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.clips import pictures as views
from samplepack.clips.clip import PlannedClip
from samplepack.clips.studio import Studio
from samplepack.recipe import Recipe
from samplepack.sound.audio import Audio, encode


def write_clip(studio: Studio, planned: PlannedClip, output: Path) -> Audio:
    """Play a clip into a sound file, and draw it.

    Raises:
        InputError: the file's name ends in neither .wav nor .flac.
        OSError: it can't be written.
    """
    audio = studio.play(planned)
    write_sound(output, audio, studio.recipe)
    views.draw_clip(output.with_suffix(".png"), planned.name, audio, planned.score.notes, planned.along)
    return audio


def write_sound(path: Path, audio: Audio, recipe: Recipe) -> None:
    """Write a sound file as a recipe wants its own; errors as of `write_clip`."""
    kind = sound_file(path)
    bits = 24 if kind == "flac" and recipe.sound.bits == 32 else recipe.sound.bits
    write_aside(path, encode(audio, kind, bits, dither_seed=0))


def ready(output: Path, *beside: str) -> None:
    """Make the folder of a sound file, and know that it and what is to lie beside it may be written.

    Args:
        output: the sound file.
        beside: suffixes of the other files, which are called as it is.

    Raises:
        InputError: its name ends in neither .wav nor .flac, or one beside it is there without it.
        OSError: the folder can't be made.
    """
    sound_file(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    for other in (output.with_suffix(suffix) for suffix in beside):
        if other.exists() and not output.exists():
            raise InputError(f"{other} is there already, and {output} isn't: move it, or choose another name")


def sound_file(path: Path) -> Literal["wav", "flac"]:
    """What kind of sound file a name means.

    Raises:
        InputError: it ends in neither .wav nor .flac.
    """
    if path.suffix == ".wav":
        return "wav"
    if path.suffix == ".flac":
        return "flac"
    raise InputError(f"'{path}' should end in .wav or .flac")
