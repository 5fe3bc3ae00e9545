"""Commands on recipes and packs: build, check, plan, diff, verify, init, session, schema and page."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from samplepack.base.errors import SamplepackError, counted
from samplepack.cli.options import DEVICE, QUIET, RECIPES, WORKERS, allowances
from samplepack.cli.terminal import print_json, print_json_line, print_line, print_problems, progress_bars
from samplepack.clips.score import left_out

if TYPE_CHECKING:
    from samplepack.pack.build import Built, Failed


@click.command()
@RECIPES
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="output",
    show_default=True,
    help="Folder to write packs to.",
)
@WORKERS
@DEVICE
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Numeric precision of the network; bfloat16 is for drafts, which don't change the lock file.",
)
@click.option(
    "--locked", is_flag=True, help="Build from the inputs recorded in the lock files only, and compare every byte."
)
@click.option(
    "--update-lock",
    is_flag=True,
    help="Rewrite lock files that were written with other versions or on another kind of machine.",
)
@click.option(
    "--shard",
    metavar="K/N",
    help="Only render part K of N of the notes into the cache, so that N machines share the work, and build no pack.",
)
@click.option(
    "--cluster",
    metavar="auto|ADDRESS",
    help="Render and finish on the Ray cluster that this machine is a node of: auto, or its head's address, HOST:PORT.",
)
@click.option("--strict", is_flag=True, help="Exit with code 1 if a pack falls short of what verify requires.")
@click.option(
    "--zip", "archive", is_flag=True, help="Write each pack as a ZIP archive, too, and an entry for registries."
)
@allowances
@QUIET
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each pack, as soon as it is done.")
def build(
    recipes: tuple[Path, ...],
    output: Path,
    workers: int | None,
    device: Literal["auto", "cpu", "gpu"],
    precision: Literal["float32", "bfloat16"],
    locked: bool,
    update_lock: bool,
    archive: bool,
    shard: str | None,
    cluster: str | None,
    strict: bool,
    allow_plugins: bool,
    allow_reads: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Build the packs of recipes.

    Every recipe is checked before the first one is built. An existing pack from the same recipe and versions is left
    unchanged, and notes that were rendered before are read from a cache. If one of several packs can't be made, the
    others are built all the same; the exit code is 1 then.

    What a pack falls short of by its own figures is reported in lines on standard error, as verify would report it.

    A lock file is written beside each recipe; it records the digests of the inputs and of the built files. Commit it:
    with --locked, a build elsewhere refuses other inputs and reports whether every byte agrees. A lock file of the same
    inputs that was written with other versions or on another kind of machine is left unchanged, unless --update-lock is
    given.

    \b
    Examples:
      samplepack build recipes/first-light.yaml
      samplepack build recipes/*.yaml --output ~/Samples --workers 4
      samplepack build recipes/first-light.yaml --locked
      samplepack build recipes/first-light.yaml --precision bfloat16 --output drafts
      samplepack build recipes/*.yaml --shard 3/16
      samplepack build recipes/*.yaml --cluster auto
    """
    from samplepack.models.backend import device_of, lacks_bfloat16
    from samplepack.pack.build import build as build_packs

    if locked and precision != "float32":
        raise click.UsageError("--locked judges packs in float32; leave --precision out")
    if update_lock and (locked or precision != "float32"):
        raise click.UsageError("--update-lock goes with neither --locked nor --precision bfloat16")

    if shard:
        if locked or update_lock or archive or strict or cluster:
            raise click.UsageError(
                "--shard builds no pack: --locked, --update-lock, --zip, --strict and --cluster don't go with it"
            )
        _render_shard(recipes, shard, precision, device, allow_plugins, allow_reads, quiet, as_json)
        return

    failing, troubles, store_trouble, stdout = list[str](), list[str](), list[str](), sys.stdout

    def report(built: Built) -> None:
        if not quiet and not as_json:
            _print_built(built)
        for remark in [*built.remarks, *(built.lock.remarks if built.lock else ())]:
            print_problems(f"samplepack: {remark}")
        for shortfall in () if strict else built.shortfalls:
            print_problems(f"samplepack: {built.folder} falls short: {shortfall}")

    # Lines would be lost between bars that are drawn anew, so that they wait where there are bars; JSON doesn't.
    waiting: list[Built] = []
    has_bars = sys.stderr.isatty() and not quiet

    def on_built(built: Built) -> None:
        if as_json:
            print_json_line(_as_plain_data(built), stdout)
        if built.cache_trouble:
            troubles.append(built.cache_trouble)
        store_trouble[:] = built.store_trouble
        if built.comparison and not built.comparison.good:
            failing.extend(f"{built.recipe}: {line}" for line in built.comparison.lines())
        if strict:
            failing.extend(f"{built.folder} falls short: {line}" for line in built.shortfalls)
        (waiting.append if has_bars else report)(built)

    def on_failed(failed: Failed) -> None:
        if as_json:
            print_json_line({"recipe": str(failed.recipe), "problems": failed.problems}, stdout)
        failing.extend(failed.problems)

    try:
        with progress_bars("notes", quiet) as progress:
            build_packs(
                recipes,
                output,
                locked=locked,
                update_lock=update_lock,
                archive=archive,
                allow_plugins=allow_plugins,
                allow_reads=allow_reads,
                precision=precision,
                device=device,
                workers=workers,
                cluster=cluster,
                progress=progress,
                on_built=on_built,
                on_failed=on_failed,
            )
    finally:
        for built in waiting:
            report(built)
    if precision == "bfloat16" and device_of(device) == "cpu" and lacks_bfloat16():
        print_problems("samplepack: this processor has no bfloat16; in float32 a build is faster here, and smoother")
    if troubles:
        print_problems(f"samplepack: built without keeping all notes in the cache: {troubles[0]}")
    print_problems(*(f"samplepack: shared cache: {line}" for line in store_trouble))
    if failing:
        raise SamplepackError("\n".join(failing))


def _render_shard(
    recipes: tuple[Path, ...],
    shard: str,
    precision: Literal["float32", "bfloat16"],
    device: Literal["auto", "cpu", "gpu"],
    allow_plugins: bool,
    allow_reads: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    from samplepack.pack.shard import Shard, render_shard

    part = Shard.parse(shard)
    with progress_bars("notes", quiet) as progress:
        done = render_shard(
            recipes,
            part,
            allow_plugins=allow_plugins,
            allow_reads=allow_reads,
            precision=precision,
            device=device,
            progress=progress,
        )
    if as_json:
        print_json({**vars(done), "shard": str(done.shard)})
    elif not quiet:
        here = f"{done.notes} of {counted(done.of_notes, 'note')}"
        print_line(f"shard {done.shard}: {here}, {done.rendered} rendered now")


def _print_built(built: Built) -> None:
    from samplepack.pack.readme import clip_summary, summary, wavetable_summary

    manifest = built.manifest
    instruments = manifest.instruments
    unchanged = "unchanged: " if built.unchanged else ""
    notes = sum(len(instrument.notes) for instrument in instruments)
    print_line(f"{built.folder}: {unchanged}{counted(len(instruments), 'instrument')}, {counted(notes, 'note')}")
    for instrument in instruments:
        print_line(f"  {instrument.name}: {summary(instrument.notes)}")
    for wavetable in manifest.wavetables:
        print_line(f"  {wavetable.name}: {wavetable_summary(wavetable)}")
    for clip in manifest.clips:
        print_line(f"  {clip.name}: {clip_summary(clip)}")
    if built.archive:
        print_line(f"  {built.archive}")
    for line in built.comparison.lines() if built.comparison and built.comparison.good else ():
        print_line(f"  {line}")


def _as_plain_data(built: Built) -> dict[str, Any]:
    judged, instruments = built.comparison, built.manifest.instruments
    return {
        "recipe": str(built.recipe),
        "pack": str(built.folder),
        "instruments": len(instruments),
        "notes": sum(len(instrument.notes) for instrument in instruments),
        "unchanged": built.unchanged,
        **({"archive": str(built.archive)} if built.archive else {}),
        "shortfalls": built.shortfalls,
        **({"agrees": judged.good, "differing": judged.differing} if judged else {}),
    }


@click.command()
@RECIPES
@allowances
def check(recipes: tuple[Path, ...], allow_plugins: bool, allow_reads: bool) -> None:
    """Check recipes and list every problem with its file:line:column.

    Nothing is rendered. The exit code is 2 if there is any problem.

    \b
    Example:
      samplepack check recipes/first-light.yaml
    """
    from samplepack.pack.recipes import check_recipes

    for checked in check_recipes(recipes, allow_plugins, allow_reads):
        print_line(f"{checked.loaded.path}: good")
        for remark in checked.loaded.recipe.remarks:
            print_line(f"  {remark}")


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@allowances
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(recipe: Path, allow_plugins: bool, allow_reads: bool, as_json: bool) -> None:
    """Show what a build would contain: instruments, notes, and how many of these are cached.

    \b
    Example:
      samplepack plan recipes/first-light.yaml
    """
    from dataclasses import asdict

    from samplepack.models.engine import DEFAULT_ENGINE
    from samplepack.pack.plan import plan_pack, summarise
    from samplepack.pack.recipes import check_recipe
    from samplepack.rendering.cache import Cache

    planned = summarise(plan_pack(check_recipe(recipe, allow_plugins, allow_reads), DEFAULT_ENGINE), Cache.of_user())
    if as_json:
        print_json(asdict(planned))
        return
    print_line(f"{planned.name}: {counted(len(planned.instruments), 'instrument')} from {planned.checkpoint}")
    print_line(f"loop: {planned.loop}")
    for remark in planned.remarks:
        print_line(remark)
    for instrument in planned.instruments:
        held = f"{counted(instrument.notes, 'note')}, {instrument.cached} of them in the cache"
        turns = f", {instrument.takes} takes of each key" if instrument.takes > 1 else ""
        print_line(f"  {instrument.name}: {held}{turns} ({instrument.origin})")
    if planned.velocity:
        print_line(f"  {planned.velocity}")
    for table in planned.wavetables:
        held = f"{counted(table.frames, 'note')} of key {table.pitch}, {table.cached} of them in the cache"
        print_line(f"  {table.name}: wavetable, {held} (path: {', '.join(table.through)})")
    for clip in planned.clips:
        held = f"{counted(clip.notes, 'note')}, {clip.cached} of them in the cache"
        print_line(f"  {clip.name}: {held}{left_out(clip.dropped)}")
    print_line(f"to render: {counted(planned.to_render, 'note')}")


@click.command()
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@allowances
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
def diff(one: str, two: str, allow_plugins: bool, allow_reads: bool, as_json: bool) -> None:
    """Describe the changes from A to B in musical terms.

    A and B are recipes, lock files, folders of packs, or any of these in a git revision: REVISION:PATH, where PATH is
    relative to the top of the repository, or to the current folder if it starts with ./

    \b
    Examples:
      samplepack diff HEAD~1:recipes/first-light.yaml recipes/first-light.yaml
      samplepack diff recipes/first-light.lock output/first-light
    """
    from samplepack.pack.diff import diff as changes_between

    found = changes_between(one, two, allow_plugins, allow_reads)
    if as_json:
        print_json(vars(found))
        return
    for heading in ("instruments", "wavetables", "clips", "effects", "settings", "files"):
        lines: list[str] = getattr(found, heading)
        if lines:
            print_line(f"{heading}:")
        for line in lines:
            print_line(f"  {line}")
    if not any((found.instruments, found.wavetables, found.clips, found.effects, found.settings, found.files)):
        print_line("nothing differs")
    print_line(f"notes: {found.to_render} to render anew, {found.notes - found.to_render} as before")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default="index.yaml",
    show_default=True,
    help="YAML file to write.",
)
def index(folder: Path, output: Path) -> None:
    """Write a catalogue of the packs in a folder.

    The catalogue has an entry for each pack, in the fields of the Open Audio Stack's registry: name, author, licence,
    tags, preview and cover, and for packs that were built with --zip the size and the digest of the archive. Addresses
    are relative to the catalogue's folder.

    \b
    Example:
      samplepack index output -o output/index.yaml
    """
    from samplepack.pack.archive import write_index

    names = write_index(folder, output)
    print_line(f"{output}: {counted(len(names), 'pack')}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def init(folder: Path) -> None:
    """Create a folder for recipes in git.

    The folder gets a first recipe, the JSON Schema with which editors complete recipes, .gitignore, .gitattributes, and
    a GitHub workflow that checks every recipe and rebuilds every pack from its lock file. Existing files are left
    unchanged.

    \b
    Example:
      samplepack init my-instruments
    """
    from samplepack.recipe.repository import write_repository

    written = write_repository(folder)
    for path in written.files:
        print_line(shlex.quote(str(path)))
    if written.remark:
        print_line(written.remark)
    print_line(f"next: cd {shlex.quote(str(folder))}; samplepack build recipes/first.yaml")


@click.command()
@click.argument("pack", type=click.Path(path_type=Path))
@click.option("--player", is_flag=True, help="Also play the instruments, in sfizz and in FluidSynth.")
@click.option("--json", "as_json", is_flag=True, help="Print the measurements as JSON.")
def verify(pack: Path, player: bool, as_json: bool) -> None:
    """Measure a built pack from its files alone, and report what falls short.

    The command measures tuning, loops, decays, levels, true peaks, stereo, root keys and the cycles of wavetables, and
    checks that every file is there as it was built. With --player it also plays each instrument: held keys and chords,
    the mod wheel up and down, a phrase, repeated notes, soft and hard ones, the pedal, controllers and key-up under
    tails. sfizz (pip install pysfizz) plays the SFZ map; FluidSynth plays what Polyphone converts it to. One that isn't
    installed is left out, and a line says so. The exit code is 1 if anything falls short.

    \b
    Examples:
      samplepack verify output/first-light
      samplepack verify output/first-light --player
    """
    from samplepack.pack.players import players
    from samplepack.pack.readme import summary
    from samplepack.pack.verify import verify as measure

    found, missing = players() if player else ([], [])
    print_problems(*missing)
    if player and not found:
        raise SamplepackError("no player is installed")
    with progress_bars("performances", quiet=as_json) as progress:
        reports = measure(pack, found, progress=progress)
    problems = [f"{report.name}: {problem}" for report in reports for problem in report.problems]
    if as_json:
        print_json(
            [
                {"name": r.name, "notes": [n.model_dump(mode="json") for n in r.notes], "problems": r.problems}
                for r in reports
            ]
        )
    else:
        for report in reports:
            if report.notes:
                print_line(f"{report.name}: {summary(report.notes)}")
        print_line("nothing falls short" if not problems else counted(len(problems), "problem"))
    if problems:
        raise SamplepackError("\n".join(problems))


@click.command()
@click.argument("pack", type=click.Path(path_type=Path))
@click.option(
    "--host",
    type=click.Choice(["ardour", "dawproject", "lmms", "musescore", "reaper"]),
    required=True,
    help="Program to write the project for.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder of the project."
)
def session(pack: Path, host: str, output: Path) -> None:
    """Write a project that plays a built pack in a music program.

    It has a track for each instrument, and each plays its phrase after the one before. Ardour and LMMS load
    soundfonts, so the pack's recipe needs formats: [sfz, sf2]; MuseScore loads SFZ. Projects of Reaper and DAWprojects
    (Bitwig Studio, Studio One, Cubase) play the previews, with the notes on tracks for a plug-in that plays SFZ. The
    project names the pack's files by their absolute paths.

    \b
    Examples:
      samplepack session output/first-light --host musescore -o sessions
      samplepack session output/first-light --host ardour -o sessions
    """
    from samplepack.pack.session import write_session

    print_line(str(write_session(pack, host, output)))


@click.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors.

    \b
    Example:
      samplepack schema > recipe.schema.json
    """
    from samplepack.recipe import json_schema

    print_json(json_schema())


@click.command()
@click.argument("packs", metavar="PACK...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="site",
    show_default=True,
    help="Folder to write the site to; a site that is there is replaced.",
)
@click.option(
    "--before",
    type=click.Path(path_type=Path),
    help="The version before: a pack, or a folder of packs with the same folder names. "
    "Pages then say what changed, and play both.",
)
@click.option(
    "--audio",
    type=click.Choice(["opus", "flac"]),
    default="opus",
    show_default=True,
    help="How sounds are compressed; flac is lossless but for its 16 bits, and leaves out more keys.",
)
@WORKERS
@QUIET
def page(
    packs: tuple[Path, ...],
    output: Path,
    before: Path | None,
    audio: Literal["opus", "flac"],
    workers: int | None,
    quiet: bool,
) -> None:
    """Write web pages on which packs can be played.

    The site is made of files alone: any web server can serve it, such as GitHub Pages. Each pack has a page with a
    keyboard (mouse, touch, computer keys, MIDI), on which its instruments play as in a sampler, and with its pictures,
    figures and recipe. The sounds of an instrument take 3 MB at most; where it has more, some keys play their
    neighbours, too.

    Browsers run a page's scripts only from a server: to look at a site on your own machine, run python -m http.server
    in its folder.

    \b
    Examples:
      samplepack page output/first-light
      samplepack page output/*/ --output site --audio flac
      samplepack page output/*/ --before packs-of-last-week
    """
    from samplepack.web.site import write_site

    with progress_bars("instruments", quiet) as progress:
        pages = write_site(packs, output, before, audio, workers, progress)
    if not quiet:
        for written in pages:
            megabytes = sum(written.sound_bytes.values()) / 1e6
            count = counted(len(written.sound_bytes), "instrument")
            print_line(f"{output / written.address}: {count}, {megabytes:.1f} MB of sounds")


COMMANDS = (build, check, plan, diff, index, init, verify, session, schema, page)
