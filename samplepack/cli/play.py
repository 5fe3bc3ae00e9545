"""Commands that write one sound file each: clip, walk and preview."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from samplepack.base.errors import counted
from samplepack.cli.options import DEVICE, QUIET, allowances, complete_checkpoints, complete_timbres
from samplepack.cli.terminal import print_line, print_problems, progress_bars

if TYPE_CHECKING:
    from samplepack.clips.studio import Studio
    from samplepack.recipe import LoadedRecipe

_OUTPUT_SOUND = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Sound file to write, .wav or .flac; a picture is written beside it.",
)


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("midi", type=click.Path(path_type=Path))
@_OUTPUT_SOUND
@click.option(
    "--timbre",
    "timbres",
    multiple=True,
    shell_complete=complete_timbres,
    help="Timbre on the path; repeat for each, in order.  [default: all timbres of the recipe]",
)
@click.option(
    "--at",
    "places",
    type=float,
    multiple=True,
    help="Position of each timbre in the clip, 0 to 1.  [default: evenly spaced]",
)
@click.option("--seconds-per-instrument", type=float, help="Play random timbres instead, this many seconds apart.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the random timbres.")
@click.option(
    "--track",
    "tracks",
    type=int,
    multiple=True,
    help="Track to play, counted from 1 by first note; repeat for several.  [default: all tracks]",
)
@click.option("--drums", is_flag=True, help="Play the drum notes too.")
@click.option(
    "--slow", type=float, default=1.0, show_default=True, help="Factor by which time is stretched; 2 is half the tempo."
)
@DEVICE
@allowances
@QUIET
def clip(
    recipe: Path,
    midi: Path,
    output: Path,
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    allow_reads: bool,
    quiet: bool,
    **how: Any,
) -> None:
    """Play a MIDI file along a path through a recipe's timbres.

    The timbre of each note is interpolated, at the note's place in time, on the arc between the timbres before and
    after it. The recipe also sets how the clip is processed. Clips that a recipe lists under `clips:` are part of its
    pack.

    \b
    Examples:
      samplepack clip recipes/first-light.yaml recipes/midi/bwv1007-1.mid -o prelude.wav
      samplepack clip recipes/bank.yaml song.mid -o song.wav --seconds-per-instrument 5 --seed 3 --slow 1.3
    """
    from samplepack.clips.clip import plan_clips, recipe_with_clip
    from samplepack.clips.output import prepared, write_clip
    from samplepack.clips.score import read_score
    from samplepack.recipe import load_recipe

    with prepared(output, ".png"):
        loaded = load_recipe(recipe, allow_plugins, allow_reads)
        with _studio(loaded, output.name, device, quiet) as studio:
            of_clip = recipe_with_clip(studio.recipe, midi, output.stem, **how)
            scores = {name: read_score(one, studio.checkpoint) for name, one in of_clip.clips.items()}
            (planned,) = plan_clips(of_clip, studio.checkpoint, scores, studio.engine)
            audio = write_clip(studio, planned, output)
    if not quiet:
        print_line(f"{output}: {counted(len(planned.notes), 'note')}, {audio.duration_s:.1f} s")
        for dropped in planned.score.dropped:
            print_line(f"  left out: {dropped}")


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@_OUTPUT_SOUND
@click.option("--seeds", default="", help="Seeds of the key points, such as 3,17,8.  [default: timbres of the recipe]")
@click.option(
    "--steps",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Number of steps from each key point to the next.",
)
@click.option("--pitch", type=int, default=48, show_default=True, help="MIDI pitch of the walk.")
@click.option(
    "--spacing",
    type=click.FloatRange(0.01, 10),
    default=0.4,
    show_default=True,
    help="Seconds from the start of one step to the next.",
)
@click.option(
    "--trim",
    type=click.FloatRange(0.05, 4),
    default=2.0,
    show_default=True,
    help="Longest part of each note to use, seconds.",
)
@click.option(
    "--attack", type=click.FloatRange(0, 4), default=0.6, show_default=True, help="Fade-in of each note, seconds."
)
@click.option(
    "--sustain",
    type=click.FloatRange(0, 4),
    default=0.4,
    show_default=True,
    help="Time at full level of each note, seconds.",
)
@click.option(
    "--decay", type=click.FloatRange(0, 4), default=0.8, show_default=True, help="Fade-out of each note, seconds."
)
@click.option("--instrument", is_flag=True, help="Also write an SFZ that plays the whole sound on every key.")
@DEVICE
@allowances
@QUIET
def walk(
    recipe: Path,
    output: Path,
    seeds: str,
    steps: int,
    pitch: int,
    instrument: bool,
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    allow_reads: bool,
    quiet: bool,
    **seconds: float,
) -> None:
    """Render a walk through latent space at one pitch as one long sound.

    The walk goes from key point to key point in even steps. Each step is a note that blends into the next one.

    \b
    Examples:
      samplepack walk recipes/first-light.yaml -o walk.wav
      samplepack walk recipes/first-light.yaml -o drone.wav --seeds 3,17,8 --steps 40 --pitch 40 --instrument
    """
    from samplepack.clips.output import prepared
    from samplepack.clips.walk import GrainEnvelope, key_points, walk_latents, write_walk, write_walk_instrument
    from samplepack.recipe import load_recipe

    with prepared(output, ".png", *[".sfz"] * instrument):
        envelope = GrainEnvelope(**{f"{name}_s": value for name, value in seconds.items()})
        loaded = load_recipe(recipe, allow_plugins, allow_reads)
        with _studio(loaded, output.name, device, quiet) as studio:
            latents = walk_latents(key_points(studio, seeds, pitch), steps)
            audio = write_walk(studio, latents, pitch, envelope, output)
    if not quiet:
        print_line(f"{output}: {counted(len(latents), 'step')}, {audio.duration_s:.1f} s")
    if instrument:
        written = write_walk_instrument(audio, pitch, output)
        if not quiet:
            print_line(str(written))


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@_OUTPUT_SOUND
@click.option("--bank", default="", help="Seeds to preview instead of a recipe, such as 100-131.")
@click.option(
    "--checkpoint",
    shell_complete=complete_checkpoints,
    help="Checkpoint that plays the bank of seeds.  [default: starter]",
)
@click.option(
    "--pitches", default="60", show_default=True, help="MIDI pitches that each timbre plays, such as 60,64,67."
)
@click.option("--chord", is_flag=True, help="Play the pitches at once, not one after another.")
@DEVICE
@allowances
@QUIET
def preview(
    recipe: Path | None,
    output: Path,
    bank: str,
    checkpoint: str | None,
    pitches: str,
    chord: bool,
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    allow_reads: bool,
    quiet: bool,
) -> None:
    """Render every timbre of a recipe, or of a bank of seeds, one after another into one file.

    A .csv file beside it lists the timbres and the times at which they begin.

    \b
    Examples:
      samplepack preview recipes/first-light.yaml -o preview.wav
      samplepack preview --bank 100-131 -o bank.wav --pitches 48,60,67 --chord
    """
    from samplepack.clips.output import prepared
    from samplepack.clips.preview import bank_recipe, previewed_timbres, write_preview
    from samplepack.clips.studio import parse_pitches
    from samplepack.recipe import load_recipe

    if (recipe is None) == (not bank) or (recipe and checkpoint):
        raise click.UsageError("give a recipe, or --bank with seeds such as 100-131, and then --checkpoint if you like")
    with prepared(output, ".png", ".csv"):
        loaded = (
            bank_recipe(bank, checkpoint or "starter")
            if recipe is None
            else load_recipe(recipe, allow_plugins, allow_reads)
        )
        with _studio(loaded, output.name, device, quiet) as studio:
            played = parse_pitches(pitches, studio.checkpoint)
            index = write_preview(studio, previewed_timbres(studio), played, chord, output)
    if not quiet:
        for entry in index:
            print_line(f"{entry.start_s:7.2f} s  {entry.name} ({entry.origin})")
        print_line(f"{output}: {counted(len(index), 'timbre')}")


@contextmanager
def _studio(loaded: LoadedRecipe, name: str, device: Literal["auto", "cpu", "gpu"], quiet: bool) -> Iterator[Studio]:
    from samplepack.base import parallel
    from samplepack.base.progress import Task
    from samplepack.clips.studio import Studio
    from samplepack.models.engine import engine_on
    from samplepack.rendering.cache import Cache

    cache = Cache.of_user()
    engine = engine_on(device)
    map_ = parallel.threads(os.cpu_count() or 1)
    with progress_bars("notes", quiet) as progress:
        yield Studio(loaded.recipe, loaded.native_checkpoint(), cache, map_, Task(name, progress), engine)
    cache.trim()
    print_problems(*(f"samplepack: shared cache: {line}" for line in cache.store_trouble()))
    if cache.trouble:
        print_problems(f"samplepack: notes were not kept in the cache: {cache.trouble}")


COMMANDS = (clip, walk, preview)
