"""Commands on networks: preparing training data, training and evaluating checkpoints, and fitting latents to sounds."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from samplepack.base.errors import counted, printable
from samplepack.cli.options import QUIET, WORKERS, allowances, complete_checkpoints
from samplepack.cli.terminal import print_json, print_line, progress_bars, progress_bars_or_lines

if TYPE_CHECKING:
    from samplepack.checkpoints.directions import Directions
    from samplepack.datasets.dataset import Contents


@click.command()
@click.argument("sources", metavar="RECIPE|SOUND...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--checkpoint",
    default="starter",
    show_default=True,
    shell_complete=complete_checkpoints,
    help="Checkpoint to fit a latent of, when sounds are given.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    default=None,
    help="File to write the latent to, .npy, when sounds are given.",
)
@allowances
@click.option("--json", "as_json", is_flag=True, help="Print the results of the fit as JSON.")
def fit(
    sources: tuple[Path, ...],
    checkpoint: str,
    output: Path | None,
    allow_plugins: bool,
    allow_reads: bool,
    as_json: bool,
) -> None:
    """Find the latents that sound most like given sounds.

    Given a recipe, the command fits every timbre that has `like` and no stored latent for its sounds yet, and stores
    the latents in NAME.fit.json beside the recipe, where `build` reads them. Commit that file: a build never fits.

    Given sounds (files of one note each, or folders of them) and --output, it fits one latent to all of them and
    writes it as .npy, for `latent:` in a recipe.

    The pitch of a note is taken from the file name (mine_60.wav, mine C#4.wav; C4 is 60), else it is measured.

    \b
    Examples:
      samplepack fit mine.yaml
      samplepack fit sounds/mine_*.wav --checkpoint starter --output latents/mine.npy
    """
    from samplepack.fitting.fit import fit_recipe, fit_sounds

    with progress_bars("steps") as progress:
        if output is not None:
            reports = [fit_sounds(sources, checkpoint, output, progress)]
        else:
            reports = [
                report for recipe in sources for report in fit_recipe(recipe, progress, allow_plugins, allow_reads)
            ]
    if as_json:
        print_json([vars(report) for report in reports])
        return
    for report in reports:
        print_line(
            f"{report.name}: nearest is {report.nearest}, {report.nearest_db:.1f} dB away; "
            f"fitted to {counted(report.notes, 'note')}: {report.fitted_db:.1f} dB"
        )
    if not reports:
        click.echo("everything is fitted already")


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="SET", required=True, type=click.Path(path_type=Path), help="Folder to write the set to."
)
@click.option(
    "--rate-hz",
    type=click.IntRange(8000, 48000),
    default=16000,
    show_default=True,
    help="Sample rate of the prepared notes, Hz.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.5, 30),
    default=4.0,
    show_default=True,
    help="Length of each prepared note, seconds.",
)
@click.option("--pitches", default="24-84", show_default=True, help="Range of MIDI pitches to take.")
@click.option("--one-velocity", is_flag=True, help="Take one note of each pitch, that nearest to velocity 100.")
@click.option(
    "--instrument", default="", help="Instrument name of all notes.  [default: from file names, folders or presets]"
)
@click.option("--title", default="", help="Title of the set.  [default: title of the source]")
@click.option("--license", default="", help="License and notices of the sounds.  [default: those in the source]")
@WORKERS
@click.option("--json", "as_json", is_flag=True, help="Print the notes taken and the sounds dropped as JSON.")
def dataset(source: Path, output: Path, workers: int | None, as_json: bool, pitches: str, **about: Any) -> None:
    """Prepare a set of notes to train with.

    SOURCE is one of these: a folder of sound files (the pitch of each is taken from its name, else from its smpl chunk,
    else measured), an SFZ file or a folder of them, a folder in NSynth's layout, a soundfont (its bank 0 is rendered
    with FluidSynth at three velocities), or one recording of several notes, which is cut at their onsets. From a set
    with several velocities a network learns velocity.

    \b
    Examples:
      samplepack dataset ~/Samples/cello -o sets/cello
      samplepack dataset /usr/share/sounds/sf2/FluidR3_GM.sf2 -o sets/fluid
    """
    from samplepack.base import parallel
    from samplepack.datasets.prepare import parse_pitches, prepare

    about["pitches"] = parse_pitches(pitches)
    map_ = parallel.threads(workers or os.cpu_count() or 1)
    with progress_bars("notes") as progress:
        contents = prepare(source, output, map_, **about, progress=progress)
    if as_json:
        print_json(contents.model_dump(mode="json"))
    else:
        _print_contents(output, contents)


def _print_contents(folder: Path, contents: Contents) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from samplepack.datasets.report import dropped_by_reason, rows

    instruments = rows(contents)
    print_line(f"{folder}: {counted(len(contents.notes), 'note')} of {counted(len(instruments), 'instrument')}")
    table = Table("instrument", box=None, pad_edge=True)
    for heading in ("notes", "pitches", "missing"):
        table.add_column(heading, justify="right")
    for row in instruments:
        table.add_row(
            Text(printable(row.instrument)), str(row.notes), f"{row.lowest}-{row.highest}", str(row.missing or "")
        )
    Console().print(table)
    if contents.dropped:
        print_line(f"dropped: {len(contents.dropped)}, each with its reason in {folder / 'dataset.json'}")
    for reason, group in dropped_by_reason(contents.dropped).items():
        print_line(f"  {reason}: {len(group)}")
        for one in group[:3]:
            print_line(f"    {one.source}: {one.why.removeprefix(f'{reason}: ')}")
    for remark in contents.remarks:
        print_line(remark)


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run.  [default: runs/ and the name in CONFIG]",
)
@click.option(
    "--save-every",
    "save_every_s",
    type=click.FloatRange(min=1.0),
    default=300.0,
    show_default=True,
    help="Seconds from one save of the training state, with its pictures and sounds, to the next.",
)
@QUIET
def train(config: Path, output: Path | None, save_every_s: float, quiet: bool) -> None:
    """Train a checkpoint of your own on a prepared set.

    CONFIG is a YAML file with the prepared set, the network and the settings of the training; recipes/training/ has
    examples. The folder of the run contains a log in CSV, a plot of the loss, real notes beside those of the network as
    a picture and as sound, and in the end `checkpoint`, which recipes can name. An interrupted run resumes from
    its last saved state.

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
    with progress_bars_or_lines("images", quiet) as progress:
        trained = run.train(loaded, folder, save_every_s, progress)
    if not quiet:
        print_line(f"{trained.folder}" + ("" if trained.steps else " (had been finished before)"))


@click.command()
@click.argument("checkpoint", shell_complete=complete_checkpoints)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Prepared set of real notes to compare the checkpoint with.",
)
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write evaluation.json, pictures and the worst notes to.",
)
def evaluate(checkpoint: str, data: Path, as_json: bool, output: Path | None) -> None:
    """Evaluate a checkpoint against real notes: pitch, likeness, variety.

    CHECKPOINT is a name or a path, as in recipes. Beside each figure stands that of real notes, or the best value that
    the checkpoint's spectrograms allow. How much notes sound like the real ones has a score if Zimtohrli is installed
    (pip install zimtohrli), at the sample rate of the set, which may be higher than the checkpoint's.

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
        progress = stack.enter_context(progress_bars("notes"))
        done = evaluation.evaluate(opened, dataset, progress=progress)
        if write:
            write(done)
    if as_json:
        click.echo(done.figures.model_dump_json(indent=1))
        return
    print_line(f"{done.figures.checkpoint} against {done.figures.dataset}")
    table = report.rows(done.figures)
    what, measured = (max(len(row[column]) for row in table) for column in (0, 1))
    for row in table:
        print_line(f"  {row.what:{what}}  {row.measured:{measured}}  {row.beside}".rstrip())
    for remark in done.figures.remarks:
        print_line(f"note: {remark}")


@click.command()
@click.argument("checkpoint", shell_complete=complete_checkpoints)
@click.option("--again", is_flag=True, help="Find the directions anew, even if there are some already.")
@click.option(
    "--import",
    "import_",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the directions from this file, as the command writes it, in place of those that there are.",
)
@click.option(
    "--picture",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw what each direction moves, as a PNG or SVG file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the directions with all figures as JSON.")
@QUIET
def directions(
    checkpoint: str, again: bool, import_: Path | None, picture: Path | None, as_json: bool, quiet: bool
) -> None:
    """Find the directions that timbres can be moved along.

    CHECKPOINT is a name or a path, as in recipes. Named directions, such as brightness, move a figure that is measured
    in notes; pc1 to pc8 are the principal directions of the network's own features. The unit of a movement is one
    standard deviation. The table shows how well each holds on latents that took no part in finding it: how far they
    were moved, the correlation of the figure with that, how often it followed, the distance in timbre, and what one
    unit moves of other figures.

    The directions are written to directions.json in the folder of the checkpoint; where that can't be written, they are
    kept in the folder of SAMPLEPACK_HOME. A recipe moves a timbre by them: {seed: 7, move: {brightness: 1.5}}. If there
    are directions already, the command shows them.

    \b
    Examples:
      samplepack directions starter
      samplepack directions ./runs/mine/checkpoint --picture directions.png
    """
    from samplepack.fitting.directions import directions_of, draw_directions, import_directions

    written: Path | None
    if import_ is not None:
        shown, written = import_directions(checkpoint, import_)
    else:
        with progress_bars("notes", quiet) as progress:
            shown, written = directions_of(checkpoint, again, progress)
    if picture is not None:
        draw_directions(picture, shown)
    if as_json:
        click.echo(shown.model_dump_json(indent=1, exclude_none=True))
        return
    _print_directions(shown)
    if written:
        print_line(str(written))


def _print_directions(shown: Directions) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=True)
    table.add_column("direction", no_wrap=True)
    for heading in ("unit or share", "by", "corr.", "follows", "dB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("moves others")
    for one in shown.found:
        effect = one.effect
        unit = f"{one.deviation:.2f} {one.figure.split(', ')[-1]}" if one.deviation else ""
        unit = f"{one.share:.1%}" if one.share else unit
        if effect is None:
            table.add_row(one.name, unit)
            continue
        correlation = "" if effect.correlation is None else f"{effect.correlation:.2f}"
        follows = "" if effect.follows is None else f"{effect.follows:.0%}"
        others = ", ".join(f"{name} {by:+.1f}" for name, by in effect.strongest(besides=one.name))
        table.add_row(one.name, unit, f"±{effect.by:.1f}", correlation, follows, f"{effect.timbre_db:.1f}", others)
    console = Console()
    # Lines of a pipe or a file aren't folded, so that programs can read them.
    (console if console.is_terminal else Console(width=160)).print(table)
    for one in shown.found:
        if one.effect and one.effect.correlation is not None and one.effect.correlation < 0.5:
            print_line(f"note: {one.name} hardly holds with this checkpoint")


COMMANDS = (dataset, train, evaluate, fit, directions)
