"""Commands on stored data: the checkpoints on this machine, and the cache of rendered notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from samplepack.base.errors import InputError, counted
from samplepack.cli.options import SummarisedGroup, complete_checkpoints, complete_published
from samplepack.cli.terminal import print_json, print_line, progress_bars

if TYPE_CHECKING:
    from samplepack.models.checkpoint import Checkpoint


@click.group(cls=SummarisedGroup)
def cache() -> None:
    """Show, trim or clear the cache of rendered notes."""


@cache.command("info")
@click.option("--json", "as_json", is_flag=True, help="Print the state of the cache as JSON.")
def cache_info(as_json: bool) -> None:
    """Show the folder of the cache, its size and its limit.

    The environment variable SAMPLEPACK_CACHE_GB sets the limit; the notes that weren't used for longest are deleted
    first.

    \b
    Example:
      samplepack cache info
    """
    from samplepack.rendering.cache import Cache

    held = Cache.of_user().info()
    if as_json:
        print_json({**vars(held), "folder": str(held.folder)})
    else:
        size_mb, limit_mb = held.size_bytes / 1e6, held.limit_bytes / 1e6
        print_line(f"{held.folder}: {counted(held.notes, 'note')}, {size_mb:.1f} of {limit_mb:.0f} MB")


@cache.command("clear")
def cache_clear() -> None:
    """Delete all rendered notes; a build renders those that it needs again.

    \b
    Example:
      samplepack cache clear
    """
    from samplepack.rendering.cache import Cache

    notes = Cache.of_user()
    held = notes.info()
    notes.clear()
    print_line(f"{held.folder}: {counted(held.notes, 'note')} dropped, {held.size_bytes / 1e6:.1f} MB")


@cache.command("trim")
@click.option("--days", type=click.IntRange(0), required=True, help="Age of what is deleted, days.")
def cache_trim(days: int) -> None:
    """Delete rendered notes by their age.

    On this machine, notes go that weren't used for so many days. Of a shared cache that SAMPLEPACK_CACHE names, those
    go that were written before, since it doesn't record their use.

    \b
    Example:
      samplepack cache trim --days 90
    """
    from samplepack.rendering.cache import Cache

    print_line(f"{counted(Cache.of_user().trim_by_age(days), 'note')} dropped")


@click.group(cls=SummarisedGroup)
def checkpoints() -> None:
    """List, describe, download and import checkpoints that recipes can name."""


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
        except InputError as error:  # a damaged checkpoint doesn't hide the others
            listed.append({**entry, "problem": str(error)})
            lines += [str(problem) for problem in error.problems]
        else:
            listed.append({**entry, "digest": found.digest})
            lines.append(f"{name}: {_summary(found)}")
    if as_json:
        print_json(listed)
    else:
        for line in lines:
            print_line(line)


@checkpoints.command()
@click.argument("name", shell_complete=complete_checkpoints)
@click.option("--json", "as_json", is_flag=True, help="Print the configuration of the checkpoint as JSON.")
def info(name: str, as_json: bool) -> None:
    """Describe a checkpoint.

    NAME is a name, or a path to a folder or zip. A checkpoint of Magenta's is converted first, as in a build, and the
    converted one is kept in the cache.

    \b
    Examples:
      samplepack checkpoints info starter
      samplepack checkpoints info ./acoustic_only.zip
    """
    from samplepack.checkpoints import library

    checkpoint = library.as_native(library.resolve(name, Path()))
    config = checkpoint.config.model_dump(mode="json", exclude_none=True)
    if as_json:
        print_json(config)
        return
    print_line(f"{name}: {_summary(checkpoint)}")
    for key, value in config.items():
        if key == "instruments":
            value = f"{len(value)}: {', '.join(value)}" if value else "unknown"
        print_line(f"  {key}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")


@checkpoints.command()
@click.argument("name", shell_complete=complete_published)
@click.option("--offline", is_flag=True, help="Open no connection; read the zip from the downloads folder.")
def fetch(name: str, offline: bool) -> None:
    """Download one of Magenta's checkpoints: acoustic_only or all_instruments.

    An interrupted download is resumed. The environment variable SAMPLEPACK_MIRROR sets another address to download the
    zips from. No other command opens a connection, unless SAMPLEPACK_CACHE or SAMPLEPACK_CACHE_READ names a shared
    cache.

    \b
    Examples:
      samplepack checkpoints fetch acoustic_only
      SAMPLEPACK_MIRROR=https://mirror.example/gansynth samplepack checkpoints fetch all_instruments
    """
    from samplepack.checkpoints import library

    with progress_bars("bytes") as progress:
        checkpoint = library.fetch(name, progress, offline)
    print_line(f"{name}: {_summary(checkpoint)}")
    print_line(f"in a recipe: checkpoint: {name}")


@checkpoints.command("import")
@click.argument("source", metavar="FOLDER_OR_ZIP", type=click.Path(path_type=Path))
@click.argument("name")
def import_(source: Path, name: str) -> None:
    """Convert a Magenta checkpoint once, so that recipes can name it.

    FOLDER_OR_ZIP is a Magenta checkpoint as published, or a checkpoint in samplepack's own format.

    \b
    Example:
      samplepack checkpoints import ~/Downloads/acoustic_only.zip acoustic_only
    """
    from samplepack.checkpoints import library

    checkpoint = library.import_checkpoint(source, name)
    print_line(f"{name}: {_summary(checkpoint)}")
    print_line(f"in a recipe: checkpoint: {name}")


def _summary(checkpoint: Checkpoint) -> str:
    pitches = checkpoint.pitches
    return (
        f"{checkpoint.config.family}, latents of {checkpoint.latent_dim}, pitches {pitches[0]}-{pitches[-1]}, "
        f"{checkpoint.rate_hz} Hz, digest {checkpoint.digest}"
    )


COMMANDS = (cache, checkpoints)
