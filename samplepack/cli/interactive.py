"""Commands that keep a network loaded and answer at once: audition."""

from __future__ import annotations

import contextlib
import importlib.util
import webbrowser
from pathlib import Path

import click

from samplepack.base.errors import InputError, SamplepackError
from samplepack.cli.options import allowances, complete_checkpoints
from samplepack.cli.terminal import print_line

_NEEDED = ("ruamel.yaml", "starlette", "uvicorn", "websockets")


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False), default="audition.yaml")
@click.option(
    "--checkpoint",
    default="starter",
    show_default=True,
    shell_complete=complete_checkpoints,
    help="Checkpoint of a new recipe, by name or path.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of 127.0.0.1.  [default: a free one]")
@click.option("--no-browser", is_flag=True, help="Print the page's address without opening it.")
@allowances
def audition(
    recipe: Path, checkpoint: str, port: int, no_browser: bool, allow_plugins: bool, allow_reads: bool
) -> None:
    """Choose sounds by ear, on a page in the browser.

    The page plays the checkpoint's instruments and any seed, from a map or around a sound, through the effects of
    RECIPE, and writes what is kept into RECIPE. What it plays is what a build makes, and a build renders none of it
    again. RECIPE is audition.yaml if left out; a file that doesn't exist is written when it is saved.

    The page is served on this machine alone, at an address that changes each time. Ctrl+C ends it. It needs the extra
    `audition`.

    \b
    Examples:
      samplepack audition recipes/first.yaml
      samplepack audition new.yaml --checkpoint starter@1
      samplepack audition recipes/first.yaml --no-browser --port 8765
    """
    if missing := [name for name in _NEEDED if not _is_installed(name)]:
        raise SamplepackError(
            f"audition needs {', '.join(missing)}: pip install 'gansynth-samplepack[audition]', or pip install "
            + " ".join(missing)
        )
    from samplepack.interactive.engine import NoteEngine
    from samplepack.interactive.server import Server
    from samplepack.interactive.session import Session

    session = Session(recipe, checkpoint, allow_plugins, allow_reads)
    if not recipe.parent.is_dir():
        raise InputError(f"{recipe}: the folder {recipe.parent} doesn't exist")
    engine = NoteEngine()
    server = Server(session, engine)

    def on_ready() -> None:
        print_line(f"{server.address}  (Ctrl+C ends it)")
        if not no_browser:
            webbrowser.open(server.address)

    try:
        with contextlib.suppress(KeyboardInterrupt):
            server.run(port, on_ready)
    finally:
        engine.close()


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


COMMANDS = (audition,)
