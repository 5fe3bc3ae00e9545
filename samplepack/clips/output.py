"""Sound files of clips, walks and previews on their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.clips import pictures
from samplepack.clips.clip import PlannedClip
from samplepack.clips.studio import Studio
from samplepack.recipe import Recipe
from samplepack.sound.audio import Audio, FileType, encode


def write_clip(studio: Studio, planned: PlannedClip, output: Path) -> Audio:
    """Play a clip, write it as a sound file, and draw it beside that as a PNG.

    Raises:
        InputError: the file's name ends in neither .wav nor .flac.
        OSError: a file can't be written.
    """
    audio = studio.play(planned)
    write_sound(output, audio, studio.recipe)
    picture = output.with_suffix(".png")
    pictures.draw_clip(picture, planned.name, audio, planned.score.notes, planned.path_positions, planned.timbres)
    return audio


def write_sound(output: Path, audio: Audio, recipe: Recipe) -> None:
    """Write a sound file with the bits of a recipe's sound files; in FLAC, which has no 32-bit float, 24 at most.

    Raises:
        InputError: the file's name ends in neither .wav nor .flac.
        OSError: the file can't be written.
    """
    file_type = file_type_of(output)
    bits = 24 if file_type == "flac" and recipe.sound.bits == 32 else recipe.sound.bits
    write_aside(output, encode(audio, file_type, bits, dither_seed=0))


@contextmanager
def prepared(output: Path, *suffixes: str) -> Iterator[None]:
    """Make the folder of a sound file that the block writes, and check that neither it nor the files beside it take the
    place of others. If the block fails, the folders that were made are removed.

    Args:
        output: the sound file.
        suffixes: suffixes of the files that are written beside it under its name, such as `.png`.

    Raises:
        InputError: the file's name ends in neither .wav nor .flac, or one of the other files exists, but it doesn't.
        OSError: the folder can't be made.
    """
    file_type_of(output)
    for other in (output.with_suffix(suffix) for suffix in suffixes):
        if other.exists() and not output.exists():
            raise InputError(f"{other} is there already, and {output} isn't: move it, or choose another name")
    missing = [folder for folder in output.parents if not folder.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # something has been written there
                folder.rmdir()
        raise


def file_type_of(path: Path) -> FileType:
    """The type of a sound file by its name.

    Raises:
        InputError: the name ends in neither .wav nor .flac.
    """
    if path.suffix == ".wav":
        return "wav"
    if path.suffix == ".flac":
        return "flac"
    raise InputError(f"'{path}' should end in .wav or .flac")
