"""From a recipe to a pack: the stages in order."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from samplepack.base.files import aside_of, locked, settle
from samplepack.base.parallel import Map
from samplepack.base.progress import Progress, Task, silent
from samplepack.clips.clip import plan_clips, play
from samplepack.finishing import process
from samplepack.finishing.finish import Finishing, finish_key
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.pack import pictures as picture
from samplepack.pack import write as pack
from samplepack.pack.manifest import Manifest
from samplepack.recipe import LoadedRecipe, Recipe
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note, PlannedInstrument, make_plan
from samplepack.rendering.render import render
from samplepack.sound.audio import Audio
from samplepack.sound.fingerprint import fingerprint


@dataclass(frozen=True)
class Built:
    """What came of a build."""

    folder: Path
    """The pack."""

    manifest: Manifest
    """What its `pack.json` says."""

    unchanged: bool
    """The pack was there already, whole, from the same inputs."""


def build(
    loaded: LoadedRecipe,
    output: Path,
    cache: Cache,
    map_: Map,
    progress: Progress = silent,
    engine: Engine = DEFAULT_ENGINE,
) -> Built:
    """Make a recipe's pack, in a folder of its own in `output`.

    The pack is built aside and takes its place whole; an earlier one stays until then. The result depends on nothing
    but the recipe, the files that it names and the versions of what makes it: not on the cache, the map, the number of
    cores, or what stood there before.

    Raises:
        InputError: the checkpoint is damaged.
        SamplepackError: a note couldn't be made.
    """
    checkpoint = loaded.native_checkpoint()
    plan = make_plan(loaded.recipe, checkpoint.latent_dim, checkpoint.digest, str(engine))
    folder = output / loaded.recipe.slug
    inputs = pack.inputs_digest(loaded, checkpoint, str(engine))
    task = Task(loaded.recipe.name, progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, lambda: task.remark("another build of it is under way")):
        settle(folder)
        if (there := pack.read_built(folder, inputs, map_)) is not None:
            return Built(folder, there, unchanged=True)
        manifest = _build(loaded, checkpoint, plan, folder, inputs, cache, map_, task, engine)
    cache.trim()
    return Built(folder, manifest, unchanged=False)


def _build(
    loaded: LoadedRecipe,
    checkpoint: Checkpoint,
    plan: Sequence[PlannedInstrument],
    folder: Path,
    inputs: str,
    cache: Cache,
    map_: Map,
    task: Task,
    engine: Engine,
) -> Manifest:
    clips = plan_clips(loaded.recipe, checkpoint, engine)
    keys = [key for planned in plan for key in planned.keys]
    task.begin(sum(len(key) for key in keys) + sum(len(clip.notes) for clip in clips))
    notes = chain(chain.from_iterable(keys), *(chain.from_iterable(clip.notes) for clip in clips))
    with (
        closing(render(notes, checkpoint, cache, engine, task)) as rendered,
        aside_of(folder, pack.is_replaceable) as aside,
        tempfile.TemporaryDirectory(dir=aside, prefix=".spool") as spool,
        closing(
            map_(
                _finisher(loaded.recipe, checkpoint, Path(spool)),
                enumerate([next(rendered) for _ in key] for key in keys),
            )
        ) as finished,
    ):
        instruments, images = [], {}
        for planned in plan:
            done = []
            for key in islice(finished, len(planned.keys)):
                done.append(key)
                task.advance(len(planned.keys[0]))
            instruments.append((planned, [key.spooled for key in done]))
            images[planned.name] = picture.keyboard_image([key.column for key in done])
        written = pack.write_instruments(aside, instruments, loaded.recipe, map_)
        pitches = [key[0].pitch for key in plan[0].keys]
        about = picture.draw(aside, loaded.recipe.name, pitches, written, images)
        shutil.rmtree(spool)
        raws = (audio for _, audio in rendered)
        about_clips = [
            pack.write_clip(aside, planned, play(planned, raws, checkpoint.rate_hz, loaded.recipe, map_, task), loaded)
            for planned in clips
        ]
        return pack.write_about(aside, loaded, checkpoint, inputs, engine, about, about_clips)


@dataclass(frozen=True)
class _Finished:
    spooled: pack.SpooledKey
    column: picture.Column
    """How the last layer looks."""


def _finisher(
    recipe: Recipe, checkpoint: Checkpoint, spool: Path
) -> Callable[[tuple[int, list[tuple[Note, Audio]]]], _Finished]:
    """What finishes a numbered key, puts its layers aside until all levels are known, and looks at it."""
    rate_hz = recipe.sound.rate_for(checkpoint.rate_hz)
    how = Finishing(
        recipe.effects,
        rate_hz,
        process.tail_s(recipe.effects, rate_hz),
        recipe.sound.tune,
        recipe.sound.loop == "auto",
        recipe.velocity.layers if recipe.velocity else 1,
        2 if recipe.sound.channels == "stereo" else 1,
    )

    def finish_and_spool(numbered: tuple[int, list[tuple[Note, Audio]]]) -> _Finished:
        number, rendered = numbered
        done = finish_key([raw for _, raw in rendered], rendered[0][0].pitch, how)
        layers = []
        for note in done:
            file = spool / f"{number}-{note.layer}"
            file.write_bytes(note.looped.audio.samples.astype("<f4").tobytes())
            layers.append(pack.SpooledNote(note.without_samples(), file))
        prints = [fingerprint(raw.samples[0]) for _, raw in rendered]
        return _Finished(pack.SpooledKey(tuple(layers), " ".join(prints)), picture.spectrogram(done[-1].looped.audio))

    return finish_and_spool


def describe_plan(loaded: LoadedRecipe, cache: Cache, engine: Engine = DEFAULT_ENGINE) -> dict[str, Any]:
    """What a build would make and what the cache holds of it, as plain data. Only a Magenta checkpoint that was never
    used before makes this import TensorFlow.

    Raises:
        InputError: the checkpoint is damaged, or a MIDI file can't be played.
    """
    checkpoint = loaded.native_checkpoint()
    plan = make_plan(loaded.recipe, checkpoint.latent_dim, checkpoint.digest, str(engine))
    clips = plan_clips(loaded.recipe, checkpoint, engine)
    groups = [key for planned in plan for key in planned.keys] + [key for clip in clips for key in clip.notes]
    notes = {note.key for key in groups for note in key}
    cached = {key for key in notes if key in cache}
    return {
        "name": loaded.recipe.name,
        "checkpoint": checkpoint.name,
        "digest": checkpoint.digest,
        "instruments": [
            {
                "name": planned.name,
                "origin": planned.origin,
                "pitches": [key[0].pitch for key in planned.keys],
                "notes": sum(len(key) for key in planned.keys),
                "cached": sum(note.key in cached for key in planned.keys for note in key),
            }
            for planned in plan
        ],
        "clips": [
            {
                "name": clip.name,
                "notes": len(clip.notes),
                "cached": sum(all(note.key in cached for note in key) for key in clip.notes),
                "dropped": list(clip.score.dropped),
            }
            for clip in clips
        ],
        "to_render": len(notes - cached),
    }
