"""Packs: build, check, plan, diff, verify, and what recipes in git begin with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from samplepack.base.errors import SamplepackError
from samplepack.cli.options import ALLOW_PLUGINS, DEVICE, QUIET, RECIPES, WORKERS
from samplepack.cli.terminal import print_json, print_line, print_problems, progress_bars
from samplepack.clips.score import left_out

if TYPE_CHECKING:
    from samplepack.pack.lock import Lock


@click.command()
@RECIPES
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="output",
    show_default=True,
    help="Folder that packs go into.",
)
@WORKERS
@DEVICE
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    show_default=True,
    help="Of the network; bfloat16 is for drafts, which leave the lock file alone.",
)
@click.option("--locked", is_flag=True, help="Build nothing but what the lock files say, and compare every byte.")
@ALLOW_PLUGINS
@QUIET
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
    from samplepack.models.backend import device_of
    from samplepack.models.engine import Engine
    from samplepack.pack import build as building
    from samplepack.pack import lock
    from samplepack.pack.write import summary
    from samplepack.rendering.cache import Cache

    if locked and precision != "float32":
        raise click.UsageError("--locked judges packs in float32; leave --precision out")
    from samplepack.pack.recipes import check_recipes

    loaded = check_recipes(recipes, allow_plugins)
    engine = Engine(precision, device_of(device))
    planned = [lock.outline(one, engine) for one in loaded]
    locks = lock.required(loaded, planned) if locked else []
    map_ = parallel.threads(workers or os.cpu_count() or 1)
    cache = Cache(user_folder("notes"))
    results: list[dict[str, Any]] = []
    disagreeing: list[str] = []
    for i, one in enumerate(loaded):
        with progress_bars("notes", quiet) as progress:
            built = building.build(one, output, cache, map_, progress, engine)
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
            print_line(f"{built.folder}: {unchanged}{len(instruments)} instruments, {notes} notes")
            for instrument in instruments:
                print_line(f"  {instrument['name']}: {summary(instrument['notes'])}")
            for played in built.manifest.says["clips"]:
                about = f"{played['notes']} notes, {played['length_s']:.0f} s{left_out(played['dropped'])}"
                print_line(f"  {played['name']}: {about}")
            for line in judgement.lines() if judgement and judgement.good else ():
                print_line(f"  {line}")
    if cache.trouble:
        print_problems(f"samplepack: built without keeping all notes in the cache: {cache.trouble}")
    if as_json:
        print_json(results)
    if disagreeing:
        raise SamplepackError("\n".join(disagreeing))


def _write_lock(path: Path, made: Lock) -> None:
    from samplepack.pack.lock import write_lock

    try:
        write_lock(path, made)
    except OSError as error:  # the pack is there, and counts
        print_problems(f"samplepack: {path} can't be written: {error.strerror}")


@click.command()
@RECIPES
@ALLOW_PLUGINS
def check(recipes: tuple[Path, ...], allow_plugins: bool) -> None:
    """Check recipes: every problem, each with file:line:column.

    Renders nothing. Exit code 2 if anything is wrong.

    \b
    Example:
      samplepack check recipes/*.yaml
    """
    from samplepack.pack.recipes import check_recipes

    for recipe in check_recipes(recipes, allow_plugins):
        print_line(f"{recipe.path}: good")


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@ALLOW_PLUGINS
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(recipe: Path, allow_plugins: bool, as_json: bool) -> None:
    """Show what a build would make: instruments, notes, and what the cache holds already.

    \b
    Example:
      samplepack plan recipes/first-light.yaml
    """
    from samplepack.base.files import user_folder
    from samplepack.pack.build import describe_plan
    from samplepack.recipe import load_recipe
    from samplepack.rendering.cache import Cache

    loaded = load_recipe(recipe, allow_plugins)
    described = describe_plan(loaded, Cache(user_folder("notes")))
    if as_json:
        print_json(described)
        return
    print_line(f"{described['name']}: {len(described['instruments'])} instruments from {described['checkpoint']}")
    for instrument in described["instruments"]:
        notes, cached = instrument["notes"], instrument["cached"]
        print_line(f"  {instrument['name']}: {notes} notes, {cached} of them in the cache ({instrument['origin']})")
    for played in described["clips"]:
        about = f"{played['notes']} notes, {played['cached']} of them in the cache{left_out(played['dropped'])}"
        print_line(f"  {played['name']}: {about}")
    print_line(f"to render: {described['to_render']} notes")


@click.command()
@click.argument("one", metavar="A")
@click.argument("two", metavar="B")
@ALLOW_PLUGINS
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
        print_json(vars(found))
        return
    for heading in ("instruments", "clips", "effects", "settings", "files"):
        lines: list[str] = getattr(found, heading)
        if lines:
            print_line(f"{heading}:")
        for line in lines:
            print_line(f"  {line}")
    if not any((found.instruments, found.clips, found.effects, found.settings, found.files)):
        print_line("nothing differs")
    print_line(f"notes: {found.to_render} to render anew, {found.notes - found.to_render} as before")


@click.command()
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

    written = write_repository(folder)
    for path in written.files:
        print_line(shlex.quote(str(path)))
    if written.remark:
        print_line(written.remark)
    print_line(f"next: cd {shlex.quote(str(folder))}; samplepack build recipes/first.yaml")


@click.command()
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
        print_json([{"name": r.name, "notes": r.notes, "problems": r.problems} for r in reports])
    else:
        for report in reports:
            if report.notes:
                print_line(f"{report.name}: {summary(report.notes)}")
        print_line("nothing falls short" if not problems else f"{len(problems)} problems")
    if problems:
        raise SamplepackError("\n".join(problems))


@click.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors.

    \b
    Example:
      samplepack schema > recipe.schema.json
    """
    from samplepack.recipe import json_schema

    print_json(json_schema())


COMMANDS = (build, check, plan, diff, init, verify, schema)
