"""Clips, walks and previews on their own: each one sound file, with a picture beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import write_aside
from samplepack.base.parallel import Map
from samplepack.base.progress import SILENT, Progress
from samplepack.checkpoints import library
from samplepack.clips import pictures as views
from samplepack.clips.clip import PlannedClip, in_tune_side_by_side, play, processed, to_render
from samplepack.clips.score import PlayedNote, Score
from samplepack.clips.walk import Steps, blended
from samplepack.formats import WRITERS
from samplepack.formats.instrument import Instrument, Range, Zone
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.latent import Latent, latent_from_seed
from samplepack.recipe import Bank, CheckpointReference, Clip, LoadedRecipe, Recipe
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note, origins, timbre_latents
from samplepack.rendering.render import render
from samplepack.sound.audio import Audio, encode

_CHORD_S, _NOTE_S, _GAP_S = 2.0, 0.5, 0.5
"""Of a preview: how long a chord or the last note is held, how long the other notes of a phrase, and the silence
between timbres."""


_MOST_STEPS = 1000
"""Notes of a walk or a preview: they wait in memory, and nobody listens to more."""


@dataclass(frozen=True)
class Studio:
    """What plays: a recipe's checkpoint, and how its notes are made."""

    recipe: Recipe
    checkpoint: Checkpoint
    cache: Cache
    map_: Map
    progress: Progress = SILENT
    engine: Engine = DEFAULT_ENGINE

    def key(self, z: Latent, pitch: int) -> tuple[Note, ...]:
        """What the network renders of a key."""
        return to_render(z, pitch, self.recipe.sound, self.checkpoint.digest, self.engine)

    def rendered(self, keys: Sequence[tuple[Note, ...]]) -> Iterator[Audio]:
        """The network's notes of some keys, in their order."""
        self.progress.started(len(keys))
        notes = chain(*keys)
        with closing(render(notes, self.checkpoint, self.cache, self.engine, self.progress.loading)) as made:
            for _, audio in made:
                yield audio

    def play(self, planned: PlannedClip) -> Audio:
        """A planned clip as sound."""
        rendered = self.rendered(planned.notes)
        return play(planned, rendered, self.checkpoint.rate_hz, self.recipe, self.map_, self.progress)


@dataclass(frozen=True)
class Previewed:
    """A timbre within a preview."""

    name: str
    origin: str
    start_s: float


def clip_of(recipe: Recipe, midi: Path, name: str, **how: Any) -> Recipe:
    """A recipe with one clip: a MIDI file played by its timbres.

    Args:
        recipe: whose timbres play.
        midi: the file.
        name: of the clip.
        how: `timbres`, names in order (all of the recipe's where there are none), and `places`, where they stand, as
            fractions of the clip; or `seconds_per_instrument` and `seed`; and `tracks`, `drums`, `slow`, as of `Clip`.

    Raises:
        InputError: one of them is wrong.
    """
    timbres, places = how.pop("timbres"), how.pop("places")
    if not how["seconds_per_instrument"]:
        names = list(timbres) or list(origins(recipe))
        if places and len(places) != len(names):
            raise InputError(f"there are {len(names)} timbres and {len(places)} places for them")
        how["timbres"] = [{"timbre": t} | ({"at": at} if places else {}) for t, at in zip_longest(names, places)]
    elif timbres or places:
        raise InputError("timbres are either named, or random every so many seconds")
    how["tracks"] = how["tracks"] or None
    try:
        clip = Clip.model_validate({"midi": midi, **how}, context={"timbres": frozenset(origins(recipe))})
    except ValidationError as error:
        raise InputError(*(Problem(_told(one)) for one in error.errors())) from None
    return recipe.model_copy(update={"clips": {name: clip}})


def key_points(studio: Studio, seeds: str, pitch: int) -> list[Latent]:
    """The latents that a walk goes through: of seeds such as `3,17,8`, or of all timbres of the recipe.

    Raises:
        InputError: the seeds aren't any, there are no timbres, or the checkpoint can't play the pitch.
    """
    check_pitches([pitch], studio.checkpoint)
    if not seeds:
        points = list(timbre_latents(studio.recipe, studio.checkpoint.latent_dim).values())
    else:
        points = [latent_from_seed(seed, studio.checkpoint.latent_dim) for seed in _seeds(seeds)]
    if not points:
        raise InputError("the recipe has no timbres; give --seeds")
    return points


def previewed_timbres(studio: Studio) -> list[tuple[str, str, Latent]]:
    """Name, origin and latent of all timbres of a recipe, its bank's too.

    Raises:
        InputError: there are none.
    """
    latents = timbre_latents(studio.recipe, studio.checkpoint.latent_dim)
    if not latents:
        raise InputError("the recipe has no timbres")
    return [(name, origin, latents[name]) for name, origin in origins(studio.recipe).items()]


def parsed_pitches(text: str, checkpoint: Checkpoint) -> list[int]:
    """Pitches such as `60,64,67`.

    Raises:
        InputError: they aren't any, or the checkpoint can't play one.
    """
    try:
        pitches = [int(pitch) for pitch in text.split(",")]
    except ValueError:
        raise InputError(f"'{text}' should be pitches such as 60,64,67") from None
    check_pitches(pitches, checkpoint)
    return pitches


def check_pitches(pitches: Sequence[int], checkpoint: Checkpoint) -> None:
    """Know that a checkpoint can play some pitches.

    Raises:
        InputError: it can't play one.
    """
    known = checkpoint.pitches
    if outside := [pitch for pitch in pitches if pitch not in known]:
        raise InputError(f"pitch {outside[0]} is outside what the checkpoint can play, {known[0]}-{known[-1]}")


def loaded_bank(seeds: str, checkpoint: str) -> LoadedRecipe:
    """A recipe with nothing but a bank of seeds.

    Raises:
        InputError: the seeds aren't any, or no checkpoint is called so.
    """
    found = library.find(checkpoint, Path())
    recipe = Recipe(recipe=1, name="Bank", checkpoint=CheckpointReference(path=checkpoint), bank=_bank(seeds))
    return LoadedRecipe(Path("bank.yaml"), b"", recipe, found)


def _bank(seeds: str) -> Bank:
    try:
        return Bank.model_validate({"seeds": seeds if "-" in seeds else _seeds(seeds)})
    except ValidationError as error:
        raise InputError(*(Problem(_told(one)) for one in error.errors())) from None


def _seeds(text: str) -> list[int]:
    written = [seed.strip() for seed in text.split(",")]
    if bad := [seed for seed in written if not (seed.isascii() and seed.isdecimal() and int(seed) < 2**32)]:
        raise InputError(f"'{bad[0]}' is no seed: they are whole numbers from 0 to 4294967295, such as 3,17,8")
    return [int(seed) for seed in written]


def _told(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else error["msg"]


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


def write_walk(studio: Studio, latents: Sequence[Latent], pitch: int, steps: Steps, output: Path) -> Audio:
    """Walk along latents into a sound file, and draw it; errors as of `write_clip`."""
    if len(latents) > _MOST_STEPS:
        raise InputError(f"a walk of {len(latents)} steps; it takes {_MOST_STEPS} at most")
    keys = [studio.key(z, pitch) for z in latents]
    notes = []
    for audio in in_tune_side_by_side(keys, studio.rendered(keys), studio.recipe.sound, studio.map_):
        notes.append(audio)
        studio.progress.done(1)
    walked = processed(blended(notes, steps), studio.recipe)
    write_sound(output, walked, studio.recipe)
    views.draw_sound(output.with_suffix(".png"), output.stem, walked)
    return walked


def write_instrument(audio: Audio, pitch: int, sound: Path) -> Path:
    """Write an instrument of one long sample beside its sound file, and say where.

    Raises:
        OSError: it can't be written.
    """
    zone = Zone(f"{sound.resolve().parent.name}/{sound.name}", audio.samples.shape[1], pitch, Range(0, 127))
    suffix, write_map = WRITERS["sfz"]
    path = sound.with_suffix(suffix)
    write_aside(path, write_map(Instrument(sound.stem, (zone,)), sound.parent))
    return path


def write_preview(
    studio: Studio,
    timbres: Sequence[tuple[str, str, Latent]],
    pitches: Sequence[int],
    chord: bool,
    output: Path,
) -> list[Previewed]:
    """Play timbres one after another into a sound file, with an index beside it; errors as of `write_clip`.

    Args:
        studio: what plays.
        timbres: name, origin and latent of each.
        pitches: what each plays: all at once, or one after another.
        chord: whether at once.
        output: the sound file; the index is called as it is, but `.csv`.
    """
    if len(timbres) * len(pitches) > _MOST_STEPS:
        raise InputError(
            f"a preview of {len(timbres)} timbres; with {len(pitches)} notes each it takes "
            f"{_MOST_STEPS // len(pitches)} at most"
        )
    notes, keys, index, time_s = [], [], list[Previewed](), 0.0
    for name, origin, z in timbres:
        index.append(Previewed(name, origin, time_s))
        for i, pitch in enumerate(pitches):
            starts_s = time_s if chord else time_s + i * _NOTE_S
            is_last = chord or i == len(pitches) - 1
            notes.append(PlayedNote(pitch, 100, starts_s, starts_s + (_CHORD_S if is_last else _NOTE_S)))
            keys.append(studio.key(z, pitch))
        time_s = notes[-1].end_s + _GAP_S
    along = tuple(i / max(len(notes) - 1, 1) for i in range(len(notes)))
    write_clip(studio, PlannedClip(output.stem, Score(tuple(notes), ()), along, tuple(keys)), output)
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["start_s", "name", "origin"])
    writer.writerows([f"{one.start_s:.2f}", one.name, one.origin] for one in index)
    write_aside(output.with_suffix(".csv"), table.getvalue().encode())
    return index


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
