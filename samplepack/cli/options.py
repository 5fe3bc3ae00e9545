"""Options and arguments that several commands have in common."""

from __future__ import annotations

from pathlib import Path

import click

ALLOW_PLUGINS = click.option("--allow-plugins", is_flag=True, help="Let recipes load VST3 plugins, which are programs.")

DEVICE = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="What the network runs on.",
)

QUIET = click.option("--quiet", is_flag=True, help="Print nothing but problems.")

RECIPES = click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True, type=click.Path(path_type=Path))

WORKERS = click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=None,
    help="How many notes or sounds are processed side by side.  [default: all cores]",
)
