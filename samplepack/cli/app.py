"""The command line: parse, one library call, print. Everything heavy is imported inside the commands."""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import click

from samplepack.base.errors import InputError, Problem, SamplepackError
from samplepack.base.progress import SILENT
from samplepack.base.version import __version__
from samplepack.clips.score import left_out

if TYPE_CHECKING:
    from samplepack.clips.studio import Studio
    from samplepack.datasets.dataset import Contents
    from samplepack.models.checkpoint import Checkpoint
    from samplepack.pack.lock import Lock
    from samplepack.recipe import LoadedRecipe

_ALLOW_PLUGINS = click.option(
    "--allow-plugins", is_flag=True, help="Let recipes load VST3 plugins, which are programs."
)
_DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="What the network runs on.",
)
_RECIPES = click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True, type=click.Path(path_type=Path))


class _Commands(click.Group):
    """A group whose commands end in an exit code and a line a problem, never in a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            super().main(*args, **{**kwargs, "standalone_mode": False})
            code = 0
        except InputError as error:
            code = _complain(2, *(str(problem) for problem in error.problems))
        except SamplepackError as error:
            code = _complain(1, *str(error).splitlines())
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            code = _complain(2, f"samplepack: {error.format_message()}")
        except (KeyboardInterrupt, click.Abort):
            code = _complain(130, "samplepack: interrupted; nothing is half-written")
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            code = _complain(1, f"samplepack: {place}{error.strerror or error}")
        sys.exit(code)


def _complain(code: int, *lines: str) -> int:
    for line in lines:
        click.echo(line, err=True)
    return code


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="samplepack %(version)s")
def main() -> None:
    """Sampler instruments from recipes in git.

    A recipe names timbres of a GANSynth checkpoint and effects; a build turns it into instruments that any sampler
    loads. The same recipe gives the same pack, byte for byte.

    \b
    Examples:
      samplepack build recipes/first-light.yaml
      samplepack check recipes/*.yaml
      samplepack plan recipes/first-light.yaml

    \b
    Exit codes: 0 done; 1 ran and failed; 2 what was given is wrong; 130 interrupted.
    """
    atexit.register(gc.freeze)  # or the last collections look through all of TensorFlow, for 0.8 s


@main.command()
@_RECIPES
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="output",
    show_default=True,
    help="Folder that packs go into.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    help="Notes processed side by side.  [default: all cores]",
)
@_DEVICE
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Of the network; bfloat16 is for drafts, which leave the lock file alone.",
)
@click.option("--locked", is_flag=True, help="Build nothing but what the lock files say, and compare every byte.")
@_ALLOW_PLUGINS
@click.option("--quiet", is_flag=True, help="Print nothing but problems.")
@click.option("--json", "as_json", is_flag=True, help="Print what was built as JSON.")
def build(
    recipes: tuple[Path, ...],
    output: Path,
    workers: int | None,
    device: Literal["auto", "cpu", "gpu"],
    precision: Literal["float32", "bfloat16"],
    locked: bool,
    allow_plugins: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Make the packs of recipes.

    Every recipe is checked before the first one is built. A pack that is there already, from the same recipe and
    versions, is left as it is; notes that were rendered before come from a cache.

    Beside each recipe its lock file is written, which says by digests what went in and what came out. Commit it:
    with --locked, a build elsewhere refuses other inputs and says whether every byte agrees.

    \b
    Examples:
      samplepack build recipes/first-light.yaml
      samplepack build recipes/*.yaml --output ~/Samples --workers 4
      samplepack build recipes/first-light.yaml --locked
      samplepack build recipes/first-light.yaml --precision bfloat16 --output drafts
    """
    from samplepack.base import parallel
    from samplepack.base.files import user_folder
    from samplepack.clips.clip import check_clips
    from samplepack.models.backend import device_of
    from samplepack.models.engine import Engine
    from samplepack.pack import build as building
    from samplepack.pack import lock
    from samplepack.pack.write import summary
    from samplepack.rendering.cache import Cache

    if locked and precision != "float32":
        raise click.UsageError("--locked judges packs in float32; leave --precision out")
    loaded = _load_all(recipes, allow_plugins)
    check_clips(loaded)
    engine = Engine(precision, device_of(device))
    planned = [lock.outline(one, engine) for one in loaded]
    locks = lock.required(loaded, planned) if locked else []
    map_ = parallel.threads(workers or os.cpu_count() or 1)
    cache = Cache(user_folder("notes"))
    results: list[dict[str, Any]] = []
    disagreeing: list[str] = []
    for i, one in enumerate(loaded):
        if sys.stderr.isatty() and not quiet:
            with _Bar(one.recipe.name) as bar:
                built = building.build(one, output, cache, map_, bar, engine)
        else:
            built = building.build(one, output, cache, map_, engine=engine)
        made = lock.completed(planned[i], built.manifest)
        judgement = lock.judge(made, locks[i]) if locked else None
        if judgement is None and precision == "float32":
            _write_lock(lock.lock_file(one.path), made)
        instruments = built.manifest.says["instruments"]
        notes = sum(len(instrument["notes"]) for instrument in instruments)
        results.append(
            {
                "recipe": str(one.path),
                "pack": str(built.folder),
                "instruments": len(instruments),
                "notes": notes,
                "unchanged": built.unchanged,
                **({} if judgement is None else {"agrees": judgement.good, "differing": judgement.differing}),
            }
        )
        if judgement and not judgement.good:
            disagreeing += [f"{one.path}: {line}" for line in judgement.lines()]
        if not quiet and not as_json:
            unchanged = "unchanged: " if built.unchanged else ""
            click.echo(f"{built.folder}: {unchanged}{len(instruments)} instruments, {notes} notes")
            for instrument in instruments:
                click.echo(f"  {instrument['name']}: {summary(instrument['notes'])}")
            for played in built.manifest.says["clips"]:
                about = f"{played['notes']} notes, {played['length_s']:.0f} s{left_out(played['dropped'])}"
                click.echo(f"  {played['name']}: {about}")
            for line in judgement.lines() if judgement and judgement.good else ():
                click.echo(f"  {line}")
    if cache.trouble:
        _complain(0, f"samplepack: built without keeping all notes in the cache: {cache.trouble}")
    if as_json:
        click.echo(json.dumps(results, indent=1))
    if disagreeing:
        raise SamplepackError("\n".join(disagreeing))


def _write_lock(path: Path, made: Lock) -> None:
    from samplepack.pack.lock import write_lock

    try:
        write_lock(path, made)
    except OSError as error:  # the pack is there, and counts
        _complain(0, f"samplepack: {path} can't be written: {error.strerror}")


@main.command()
@_RECIPES
@_ALLOW_PLUGINS
def check(recipes: tuple[Path, ...], allow_plugins: bool) -> None:
    """Check recipes: every problem, each with file:line:column.

    Renders nothing. Exit code 2 if anything is wrong.

    \b
    Example:
      samplepack check recipes/*.yaml
    """
    loaded = _load_all(recipes, allow_plugins)
    if any(one.recipe.clips for one in loaded):
        from samplepack.clips.clip import check_clips

        check_clips(loaded)
    for one in loaded:
        click.echo(f"{one.path}: good")


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@_ALLOW_PLUGINS
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(recipe: Path, allow_plugins: bool, as_json: bool) -> None:
    """Show what a build would make: instruments, notes, and what the cache holds already.

    \b
    Example:
      samplepack plan recipes/first-light.yaml
    """
    from samplepack.base.files import user_folder
    from samplepack.pack.build import describe_plan
    from samplepack.rendering.cache import Cache

    (loaded,) = _load_all((recipe,), allow_plugins)
    described = describe_plan(loaded, Cache(user_folder("notes")))
    if as_json:
        click.echo(json.dumps(described, indent=1, ensure_ascii=False))
        return
    click.echo(f"{described['name']}: {len(described['instruments'])} instruments from {described['checkpoint']}")
    for instrument in described["instruments"]:
        notes, cached = instrument["notes"], instrument["cached"]
        click.echo(f"  {instrument['name']}: {notes} notes, {cached} of them in the cache ({instrument['origin']})")
    for played in described["clips"]:
        about = f"{played['notes']} notes, {played['cached']} of them in the cache{left_out(played['dropped'])}"
        click.echo(f"  {played['name']}: {about}")
    click.echo(f"to render: {described['to_render']} notes")


@main.command()
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@_ALLOW_PLUGINS
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def diff(one: str, two: str, allow_plugins: bool, as_json: bool) -> None:
    """Say what changed from A to B, in a musician's words.

    A and B are recipes, lock files, folders of packs, or any of these in a revision of git: REVISION:PATH, with the
    path from the top of the repository, or from here where it starts with ./

    \b
    Examples:
      samplepack diff HEAD~1:recipes/first-light.yaml recipes/first-light.yaml
      samplepack diff recipes/first-light.lock output/first-light
    """
    from samplepack.pack.diff import changes, read

    found = changes(read(one, allow_plugins), read(two, allow_plugins))
    if as_json:
        click.echo(json.dumps(vars(found), indent=1, ensure_ascii=False))
        return
    for heading in ("instruments", "clips", "effects", "settings", "files"):
        lines: list[str] = getattr(found, heading)
        if lines:
            click.echo(f"{heading}:")
        for line in lines:
            click.echo(_printable(f"  {line}"))
    if not any((found.instruments, found.clips, found.effects, found.settings, found.files)):
        click.echo("nothing differs")
    click.echo(f"notes: {found.to_render} to render anew, {found.notes - found.to_render} as before")


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Make a folder for recipes in git.

    A first recipe, the schema that editors complete it with, what git should ignore and how it should treat sounds,
    and a GitHub workflow that checks every recipe and rebuilds every pack from its lock file. What is there already
    stays as it is.

    \b
    Example:
      samplepack init my-instruments
    """
    from samplepack.recipe.repository import write_repository

    for path in write_repository(folder):
        click.echo(str(path))
    click.echo(f"next: cd {folder}; samplepack build recipes/first.yaml")


@main.group()
def cache() -> None:
    """See and clear the cache of rendered notes."""


@cache.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def cache_info(as_json: bool) -> None:
    """Say where the cache is, what it holds and how large it may grow.

    The environment variable SAMPLEPACK_CACHE_GB sets the limit; what wasn't used for longest goes first.

    \b
    Example:
      samplepack cache info
    """
    from samplepack.base.files import user_folder
    from samplepack.rendering.cache import Cache

    held = Cache(user_folder("notes")).info()
    if as_json:
        click.echo(json.dumps({**vars(held), "folder": str(held.folder)}, indent=1))
    else:
        click.echo(f"{held.folder}: {held.notes} notes, {held.size_bytes / 1e6:.1f} of {held.limit_bytes / 1e6:.0f} MB")


@cache.command("clear")
def cache_clear() -> None:
    """Drop all rendered notes; what is needed is rendered again.

    \b
    Example:
      samplepack cache clear
    """
    from samplepack.base.files import user_folder
    from samplepack.rendering.cache import Cache

    notes = Cache(user_folder("notes"))
    held = notes.info()
    notes.clear()
    click.echo(f"{held.folder}: {held.notes} notes dropped, {held.size_bytes / 1e6:.1f} MB")


@main.command()
@click.argument("sources", metavar="RECIPE|SOUND...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--checkpoint", default="starter", show_default=True, help="Whose latent, where sounds are given.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=None,
    help="The .npy to write, where sounds are given.",
)
@_ALLOW_PLUGINS
@click.option("--json", "as_json", is_flag=True, help="Print what was fitted as JSON.")
def fit(sources: tuple[Path, ...], checkpoint: str, output: Path | None, allow_plugins: bool, as_json: bool) -> None:
    """Find the latents that sound most like given sounds.

    With a recipe: fits every timbre that says `like` and has no latent for its sounds yet, and keeps the latents in
    NAME.fit.json beside the recipe, where `build` reads them. Commit that file: a build never fits.

    With sounds (files of one note each, or folders of them) and --output: fits one latent and writes it as .npy, for
    `latent:` in a recipe.

    A note's pitch is taken from its file's name (mine_60.wav, mine C#4.wav; C4 is 60), else measured.

    \b
    Examples:
      samplepack fit mine.yaml
      samplepack fit sounds/mine_*.wav --checkpoint starter --output latents/mine.npy
    """
    from samplepack.fitting.fit import fit_recipe, fit_sounds

    with _FitBar() as bar:
        if output is not None:
            reports = [fit_sounds(sources, checkpoint, output, bar.heard)]
        else:
            reports = [report for recipe in sources for report in fit_recipe(recipe, bar.heard, allow_plugins)]
    if as_json:
        click.echo(json.dumps([vars(report) for report in reports], indent=1, ensure_ascii=False))
        return
    for report in reports:
        click.echo(
            f"{report.name}: nearest is {report.nearest}, {report.nearest_db:.1f} dB away; "
            f"fitted to {report.notes} notes: {report.fitted_db:.1f} dB"
        )
    if not reports:
        click.echo("everything is fitted already")


@main.command()
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("--player", is_flag=True, help="Also play every key in sfizz (needs pysfizz).")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
def verify(pack: Path, player: bool, as_json: bool) -> None:
    """Measure a built pack, from its files alone, and say what falls short.

    Tuning, loops, levels, true peaks, root keys, and that every file is there as it was built. Exit code 1 if
    anything falls short.

    \b
    Examples:
      samplepack verify output/first-light
      samplepack verify output/first-light --player
    """
    from samplepack.base import parallel
    from samplepack.pack import verify
    from samplepack.pack.write import summary

    reports = verify.verify(pack, parallel.threads(os.cpu_count() or 1), player)
    problems = [f"{report.name}: {problem}" for report in reports for problem in report.problems]
    if as_json:
        click.echo(json.dumps([{"name": r.name, "notes": r.notes, "problems": r.problems} for r in reports], indent=1))
    else:
        for report in reports:
            if report.notes:
                click.echo(f"{report.name}: {summary(report.notes)}")
        click.echo("nothing falls short" if not problems else f"{len(problems)} problems")
    if problems:
        raise SamplepackError("\n".join(problems))


_OUTPUT_SOUND = click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The sound file, .wav or .flac; a picture is put beside it.",
)


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.argument("midi", type=click.Path(path_type=Path))
@_OUTPUT_SOUND
@click.option("--timbre", "timbres", multiple=True, help="One on the way, in order.  [default: all of the recipe]")
@click.option("--at", "places", type=float, multiple=True, help="Where each stands, 0 to 1.  [default: evenly]")
@click.option("--seconds-per-instrument", type=float, help="Random timbres instead, so far apart.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the random timbres.")
@click.option(
    "--track", "tracks", type=int, multiple=True, help="One to play, from 1, as they begin to sound.  [default: all]"
)
@click.option("--drums", is_flag=True, help="Play the notes of drums too.")
@click.option("--slow", type=float, default=1.0, show_default=True, help="By how much to stretch time.")
@_DEVICE
@_ALLOW_PLUGINS
@click.option("--quiet", is_flag=True, help="Print nothing but problems.")
def clip(
    recipe: Path,
    midi: Path,
    output: Path,
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    quiet: bool,
    **how: Any,
) -> None:
    """Play a MIDI file along a path of a recipe's timbres.

    Each note has the timbre of its place in time, on the arc between the timbres before and after it; the recipe says
    how the clip is processed. A recipe with `clips:` has them in its pack.

    \b
    Examples:
      samplepack clip recipes/first-light.yaml recipes/midi/bwv1007-1.mid -o prelude.wav
      samplepack clip recipes/bank.yaml song.mid -o song.wav --seconds-per-instrument 5 --seed 3 --slow 1.3
    """
    from samplepack.clips.clip import plan_clips, recipe_with_clip
    from samplepack.clips.output import prepare_output, write_clip

    prepare_output(output, ".png")
    (loaded,) = _load_all((recipe,), allow_plugins)
    with _studio(loaded, output.name, device, quiet) as studio:
        (planned,) = plan_clips(
            recipe_with_clip(studio.recipe, midi, output.stem, **how), studio.checkpoint, studio.engine
        )
        audio = write_clip(studio, planned, output)
    if not quiet:
        click.echo(f"{output}: {len(planned.notes)} notes, {audio.duration_s:.1f} s")
        for dropped in planned.score.dropped:
            click.echo(f"  left out: {dropped}")


@main.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@_OUTPUT_SOUND
@click.option("--seeds", default="", help="Key points, such as 3,17,8.  [default: the recipe's timbres]")
@click.option("--steps", type=click.IntRange(1, 1000), default=8, show_default=True, help="From each to the next.")
@click.option("--pitch", type=int, default=48, show_default=True, help="MIDI.")
@click.option("--spacing", type=click.FloatRange(0.01, 10), default=0.4, show_default=True, help="Seconds a step.")
@click.option("--trim", type=click.FloatRange(0.05, 4), default=2.0, show_default=True, help="Seconds of each note.")
@click.option("--attack", type=click.FloatRange(0, 4), default=0.6, show_default=True, help="Seconds it fades in.")
@click.option("--sustain", type=click.FloatRange(0, 4), default=0.4, show_default=True, help="Seconds it holds.")
@click.option("--decay", type=click.FloatRange(0, 4), default=0.8, show_default=True, help="Seconds it fades out.")
@click.option("--instrument", is_flag=True, help="Also write an SFZ that plays the whole sound on every key.")
@_DEVICE
@_ALLOW_PLUGINS
@click.option("--quiet", is_flag=True, help="Print nothing but problems.")
def walk(
    recipe: Path,
    output: Path,
    seeds: str,
    steps: int,
    pitch: int,
    instrument: bool,
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    quiet: bool,
    **seconds: float,
) -> None:
    """Wander through latent space at one pitch: a long sound that never stands still.

    From key point to key point in even steps, each step a note that blends into the next one.

    \b
    Examples:
      samplepack walk recipes/first-light.yaml -o walk.wav
      samplepack walk recipes/first-light.yaml -o drone.wav --seeds 3,17,8 --steps 40 --pitch 40 --instrument
    """
    from samplepack.clips.output import prepare_output
    from samplepack.clips.walk import GrainEnvelope, key_points, walk_latents, write_walk, write_walk_instrument

    prepare_output(output, ".png", *[".sfz"] * instrument)
    envelope = GrainEnvelope(**{f"{name}_s": value for name, value in seconds.items()})
    (loaded,) = _load_all((recipe,), allow_plugins)
    with _studio(loaded, output.name, device, quiet) as studio:
        latents = walk_latents(key_points(studio, seeds, pitch), steps)
        audio = write_walk(studio, latents, pitch, envelope, output)
    if not quiet:
        click.echo(f"{output}: {len(latents)} steps, {audio.duration_s:.1f} s")
    if instrument:
        written = write_walk_instrument(audio, pitch, output)
        if not quiet:
            click.echo(str(written))


@main.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@_OUTPUT_SOUND
@click.option("--bank", default="", help="Seeds such as 100-131, instead of a recipe.")
@click.option("--checkpoint", help="Of the bank.  [default: starter]")
@click.option("--pitches", default="60", show_default=True, help="What each timbre plays, such as 60,64,67.")
@click.option("--chord", is_flag=True, help="Play them at once, not one after another.")
@_DEVICE
@_ALLOW_PLUGINS
@click.option("--quiet", is_flag=True, help="Print nothing but problems.")
def preview(
    recipe: Path | None,
    output: Path,
    bank: str,
    checkpoint: str | None,
    pitches: str,
    chord: bool,
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    quiet: bool,
) -> None:
    """Hear every timbre of a recipe, or of a bank of seeds, one after another in one file.

    An index beside it, as .csv, says when which one begins.

    \b
    Examples:
      samplepack preview recipes/first-light.yaml -o preview.wav
      samplepack preview --bank 100-131 -o bank.wav --pitches 48,60,67 --chord
    """
    from samplepack.clips.output import prepare_output
    from samplepack.clips.preview import bank_recipe, previewed_timbres, write_preview
    from samplepack.clips.studio import parse_pitches

    if (recipe is None) == (not bank) or (recipe and checkpoint):
        raise click.UsageError("give a recipe, or --bank with seeds such as 100-131, and then --checkpoint if you like")
    prepare_output(output, ".png", ".csv")
    loaded = bank_recipe(bank, checkpoint or "starter") if recipe is None else _load_all((recipe,), allow_plugins)[0]
    with _studio(loaded, output.name, device, quiet) as studio:
        played = parse_pitches(pitches, studio.checkpoint)
        index = write_preview(studio, previewed_timbres(studio), played, chord, output)
    if not quiet:
        for entry in index:
            click.echo(f"{entry.start_s:7.2f} s  {entry.name} ({entry.origin})")
        click.echo(f"{output}: {len(index)} timbres")


@contextmanager
def _studio(loaded: LoadedRecipe, name: str, device: Literal["auto", "cpu", "gpu"], quiet: bool) -> Iterator[Studio]:
    from samplepack.base import parallel
    from samplepack.base.files import user_folder
    from samplepack.clips.studio import Studio
    from samplepack.models.backend import device_of
    from samplepack.models.engine import Engine
    from samplepack.rendering.cache import Cache

    cache = Cache(user_folder("notes"))
    engine = Engine(device=device_of(device))
    with ExitStack() as stack:
        shown = stack.enter_context(_Bar(name)) if sys.stderr.isatty() and not quiet else SILENT
        map_ = parallel.threads(os.cpu_count() or 1)
        yield Studio(loaded.recipe, loaded.native_checkpoint(), cache, map_, shown, engine)
    cache.trim()
    if cache.trouble:
        _complain(0, f"samplepack: notes were not kept in the cache: {cache.trouble}")


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run.  [default: runs/ and the training's name]",
)
@click.option(
    "--save-every",
    "save_every_s",
    type=click.FloatRange(min=1.0),
    default=300.0,
    show_default=True,
    help="Seconds between two saves of the state, each with pictures and sounds.",
)
@click.option("--quiet", is_flag=True, help="Print nothing but problems.")
def train(config: Path, output: Path | None, save_every_s: float, quiet: bool) -> None:
    """Train a checkpoint of your own on a prepared set.

    CONFIG is a YAML file that says on what and how; recipes/training/ has examples. The run's folder holds its log as
    CSV, the loss as a picture, real notes beside the network's as a picture and as sound, and in the end `checkpoint`,
    which recipes can name. A run that was interrupted goes on where its state was saved last.

    \b
    Examples:
      samplepack train recipes/training/starter.yaml
      samplepack train mine.yaml --output runs/second-try --save-every 60
    """
    from samplepack.models.backend import start_backend

    start_backend()
    from samplepack.training import config as training
    from samplepack.training import run

    loaded = training.load_training(config)
    folder = output or Path("runs") / loaded.training.name
    with _TrainingBar(quiet) as bar:
        trained = run.train(loaded, folder, save_every_s, bar)
    if not quiet:
        click.echo(f"{trained.folder}" + ("" if trained.steps else " (had been finished before)"))


@main.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="SET", required=True, type=click.Path(path_type=Path), help="The set's folder.")
@click.option("--rate-hz", type=click.IntRange(8000, 48000), default=16000, show_default=True, help="Of the set.")
@click.option("--seconds", type=click.FloatRange(0.5, 30), default=4.0, show_default=True, help="Of each note.")
@click.option("--pitches", default="24-84", show_default=True, help="Others are left out.")
@click.option("--instrument", default="", help="One name for all.  [default: as files, folders or presets say]")
@click.option("--title", default="", help="Of the set.  [default: what the source calls itself]")
@click.option("--license", default="", help="Terms and notices of the sounds.  [default: what the source says]")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    help="Sounds prepared side by side.  [default: all cores]",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was taken and dropped as JSON.")
def dataset(source: Path, output: Path, workers: int | None, as_json: bool, pitches: str, **about: Any) -> None:
    """Prepare a set of notes to train with.

    SOURCE is a folder of sound files (the pitch in their names, in a smpl chunk, or else heard), an SFZ file or a
    folder of them, a folder in NSynth's layout, a soundfont (its bank 0, played by FluidSynth), or one recording,
    which is cut into its notes.

    \b
    Examples:
      samplepack dataset ~/Samples/cello -o sets/cello
      samplepack dataset /usr/share/sounds/sf2/FluidR3_GM.sf2 -o sets/fluid
    """
    from samplepack.base import parallel
    from samplepack.datasets.prepare import parse_pitches, prepare

    about["pitches"] = parse_pitches(pitches)
    map_ = parallel.threads(workers or os.cpu_count() or 1)
    if sys.stderr.isatty():
        with _Bar(source.name) as bar:
            contents = prepare(source, output, map_, **about, progress=bar)
    else:
        contents = prepare(source, output, map_, **about)
    if as_json:
        click.echo(json.dumps(contents.model_dump(mode="json"), indent=1, ensure_ascii=False))
    else:
        _print_contents(output, contents)


def _print_contents(folder: Path, contents: Contents) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from samplepack.datasets.report import dropped_by_reason, rows

    instruments = rows(contents)
    click.echo(f"{folder}: {len(contents.notes)} notes of {len(instruments)} instruments")
    table = Table("instrument", box=None, pad_edge=True)
    for heading in ("notes", "pitches", "missing"):
        table.add_column(heading, justify="right")
    for row in instruments:
        table.add_row(
            Text(_printable(row.instrument)), str(row.notes), f"{row.lowest}-{row.highest}", str(row.missing or "")
        )
    Console().print(table)
    if contents.dropped:
        click.echo(f"dropped: {len(contents.dropped)}, each with its reason in {folder / 'dataset.json'}")
    for reason, group in dropped_by_reason(contents.dropped).items():
        click.echo(f"  {reason}: {len(group)}")
        for one in group[:3]:
            click.echo(_printable(f"    {one.source}: {one.why.removeprefix(f'{reason}: ')}"))
    for remark in contents.remarks:
        click.echo(_printable(remark))


def _printable(text: str) -> str:
    """Text from a user's files, without what would steer a terminal."""
    return str(Problem(text))


@main.command()
@click.argument("checkpoint")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Prepared set of real notes to judge it by.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that evaluation.json and pictures go into.",
)
def evaluate(checkpoint: str, data: Path, as_json: bool, output: Path | None) -> None:
    """Judge a checkpoint by real notes: pitch, likeness, variety.

    CHECKPOINT is a name or a path, as in recipes. Each figure stands beside that of real notes, or of what the
    checkpoint's spectrograms could reach at best.

    \b
    Examples:
      samplepack evaluate starter --data sets/fluid
      samplepack evaluate ./runs/mine/checkpoint --data sets/mine --output runs/mine/evaluation
    """
    from samplepack.checkpoints import library
    from samplepack.datasets.dataset import read_dataset
    from samplepack.evaluation import evaluate as evaluation
    from samplepack.evaluation import report

    dataset = read_dataset(data)
    opened = library.as_native(library.resolve(checkpoint, Path()))
    with ExitStack() as stack:
        write = stack.enter_context(report.writing(output)) if output is not None else None
        progress = stack.enter_context(_Bar(checkpoint)) if sys.stderr.isatty() else SILENT
        done = evaluation.evaluate(opened, dataset, progress=progress)
        if write:
            write(done)
    if as_json:
        click.echo(done.figures.model_dump_json(indent=1))
        return
    click.echo(f"{done.figures.checkpoint} against {done.figures.dataset}")
    table = report.rows(done.figures)
    what, measured = (max(len(row[column]) for row in table) for column in (0, 1))
    for row in table:
        click.echo(f"  {row.what:{what}}  {row.measured:{measured}}  {row.beside}".rstrip())
    for remark in done.figures.remarks:
        click.echo(f"note: {remark}")


@main.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors.

    \b
    Example:
      samplepack schema > recipe.schema.json
    """
    from samplepack.recipe import json_schema

    click.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


@main.group()
def checkpoints() -> None:
    """See and import the checkpoints that recipes can name."""


@checkpoints.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_(as_json: bool) -> None:
    """List the checkpoints on this machine.

    \b
    Example:
      samplepack checkpoints list
    """
    from samplepack.checkpoints import library
    from samplepack.models.checkpoint import read_checkpoint

    listed, lines = [], []
    for name, folder in library.names().items():
        entry: dict[str, str] = {"name": name, "folder": str(folder)}
        try:
            found = read_checkpoint(folder, name)
        except InputError as error:  # one that is damaged doesn't hide the others
            listed.append({**entry, "problem": str(error)})
            lines += [str(problem) for problem in error.problems]
        else:
            listed.append({**entry, "digest": found.digest})
            lines.append(f"{name}: {_summary(found)}")
    click.echo(json.dumps(listed, indent=1) if as_json else "\n".join(lines))


@checkpoints.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known as JSON.")
def info(name: str, as_json: bool) -> None:
    """Say what a checkpoint is. NAME is a name, or a path to a folder or zip; one of Magenta's is converted for
    it, as for a build, and the conversion kept in the cache.

    \b
    Examples:
      samplepack checkpoints info starter
      samplepack checkpoints info ./acoustic_only.zip
    """
    from samplepack.checkpoints import library

    checkpoint = library.as_native(library.resolve(name, Path()))
    config = checkpoint.config.model_dump(mode="json", exclude_none=True)
    if as_json:
        click.echo(json.dumps(config, indent=1, ensure_ascii=False))
        return
    click.echo(f"{name}: {_summary(checkpoint)}")
    for key, value in config.items():
        if key == "instruments":
            value = f"{len(value)}: {', '.join(value)}" if value else "unknown"
        click.echo(f"  {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


@checkpoints.command()
@click.argument("name")
@click.option("--offline", is_flag=True, help="Open no connection: take the zip from the downloads folder.")
def fetch(name: str, offline: bool) -> None:
    """Download one of Magenta's checkpoints: acoustic_only or all_instruments.

    A download that breaks off goes on where it was. The environment variable SAMPLEPACK_MIRROR names another address
    that the zips lie at. No other command opens a connection.

    \b
    Examples:
      samplepack checkpoints fetch acoustic_only
      SAMPLEPACK_MIRROR=https://mirror.example/gansynth samplepack checkpoints fetch all_instruments
    """
    from samplepack.checkpoints import library

    with _DownloadBar(name) as bar:
        checkpoint = library.fetch(name, bar.heard, offline)
    click.echo(f"{name}: {_summary(checkpoint)}")
    click.echo(f"in a recipe: checkpoint: {name}")


@checkpoints.command("import")
@click.argument("source", metavar="FOLDER_OR_ZIP", type=click.Path(path_type=Path))
@click.argument("name")
def import_(source: Path, name: str) -> None:
    """Convert a Magenta checkpoint once, so that recipes can name it.

    FOLDER_OR_ZIP is a Magenta checkpoint as it is published, or one of samplepack's own.

    \b
    Example:
      samplepack checkpoints import ~/Downloads/acoustic_only.zip acoustic_only
    """
    from samplepack.checkpoints import library

    checkpoint = library.import_checkpoint(source, name)
    click.echo(f"{name}: {_summary(checkpoint)}")
    click.echo(f"in a recipe: checkpoint: {name}")


def _summary(checkpoint: Checkpoint) -> str:
    pitches = checkpoint.pitches
    return (
        f"{checkpoint.config.family}, latents of {checkpoint.latent_dim}, pitches {pitches[0]}-{pitches[-1]}, "
        f"{checkpoint.rate_hz} Hz, digest {checkpoint.digest}"
    )


def _load_all(recipes: tuple[Path, ...], allow_plugins: bool) -> list[LoadedRecipe]:
    """Every recipe, or the problems of all of them."""
    from samplepack.recipe import load_recipes

    return load_recipes(recipes, allow_plugins)


class _DownloadBar:
    """A progress bar on stderr: bytes, bytes a second, time left; none where stderr is no terminal."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.progress import TransferSpeedColumn as SpeedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            SpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(name, total=None)

    def __enter__(self) -> _DownloadBar:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def heard(self, received: int, of: int | None) -> None:
        self._bar.update(self._task, completed=received, total=of)


class _FitBar:
    """Progress bars on stderr, one for each thing that is fitted; none where stderr is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bars = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty())
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> _FitBar:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def heard(self, name: str, done: int, of: int) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=of)
        self._bars.update(self._tasks[name], completed=done)


class _Bar:
    """A progress bar on stderr: notes done, notes a second, time left."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._name = name
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("notes, {task.fields[rate]} a second,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=Console(stderr=True),
        )

    def __enter__(self) -> _Bar:
        self._bar.start()
        self._task = self._bar.add_task(self._name, total=None, rate="-")
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def started(self, notes: int | None) -> None:
        self._bar.update(self._task, total=notes, description=self._name)

    def waiting(self) -> None:
        self._bar.update(self._task, description=f"{self._name} (another build of it is under way)")

    def loading(self) -> None:
        self._bar.update(self._task, description=f"{self._name} (loading the network)")

    def done(self, notes: int) -> None:
        speed = self._bar.tasks[self._task].speed
        self._bar.update(self._task, advance=notes, description=self._name, rate=f"{speed:.1f}" if speed else "-")


class _TrainingBar:
    """How a training goes: a bar on stderr where that is a terminal, else a line every now and then."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._quiet = quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("left; {task.fields[told]}"),
            console=Console(stderr=True),
            disable=quiet or not sys.stderr.isatty(),
        )
        self._tasks: dict[str, Any] = {}
        self._told = 0.0

    def __enter__(self) -> _TrainingBar:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def analysing(self, done: int, notes: int) -> None:
        self._update("analysing notes", done, notes, "")

    def training(self, method: str, images: int, of: int, images_per_s: float, terms: Mapping[str, float]) -> None:
        loss = ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in terms.items())
        self._update(method, images, of, f"{images_per_s:.0f} images/s; {loss}")
        left_min = (of - images) / images_per_s / 60.0
        if self._bar.disable and not self._quiet and (time.monotonic() - self._told > 60.0 or images == of):
            self._told = time.monotonic()
            click.echo(f"{method}: {images} of {of} images, {left_min:.0f} min left; {loss}", err=True)

    def _update(self, name: str, done: int, of: int, told: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bar.add_task(name, total=of, told=told)
        self._bar.update(self._tasks[name], completed=done, told=told)
