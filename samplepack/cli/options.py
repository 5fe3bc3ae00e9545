"""Options and arguments that several commands have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])

_LONGEST_SUMMARY = 200
"""Of the first sentence of a command's help, characters."""


class SummarisedGroup(click.Group):
    """A group whose help lists its commands with the whole first sentence of each; Click's own cuts them off."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        rows = [(name, self.commands[name].get_short_help_str(_LONGEST_SUMMARY)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


_ALLOW_PLUGINS = click.option(
    "--allow-plugins", is_flag=True, help="Let recipes load VST3 plugins, which are programs."
)

_ALLOW_READS = click.option(
    "--allow-reads", is_flag=True, help="Let recipes read the folders that they list under reads, wherever these lie."
)

DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Device that the network runs on.",
)

QUIET = click.option("--quiet", is_flag=True, help="Print problems only.")

RECIPES = click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True, type=click.Path(path_type=Path))

WORKERS = click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    help="Number of notes or sounds to process in parallel.  [default: number of cores]",
)


def allowances(command: _Command) -> _Command:
    """Options of commands that take recipes: what a recipe may do only if the user says so."""
    return _ALLOW_PLUGINS(_ALLOW_READS(command))


def complete_checkpoints(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Shell completion: the checkpoints on this machine."""
    from samplepack.checkpoints import library

    return [name for name in library.names() if name.startswith(incomplete)]


def complete_published(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Shell completion: the checkpoints that can be downloaded."""
    from samplepack.checkpoints import library

    return [name for name in library.PUBLISHED if name.startswith(incomplete)]


def complete_timbres(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Shell completion: the timbres of the recipe on the command line, which become its pack's instruments."""
    from samplepack.base.errors import InputError
    from samplepack.recipe import load_recipe
    from samplepack.rendering.plan import origins

    # Where the option that is being completed is the last word, Click hasn't sorted out the arguments before it.
    recipe = context.params.get("recipe") or next(iter(context.args), None)
    try:
        names = list(origins(load_recipe(Path(recipe)).recipe)) if recipe else []
    except InputError:
        return []
    return [name for name in names if name.startswith(incomplete)]
