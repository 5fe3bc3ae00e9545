"""The command that answers instruments of other programs: live."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import shutil
from pathlib import Path

import click

from samplepack.base.errors import InputError
from samplepack.cli.options import QUIET, allowances
from samplepack.cli.terminal import print_line

PATCHES = Path(__file__).parent.parent / "interactive" / "patches"
"""The folder of the patches for Pure Data, SuperCollider and Max."""


@click.command()
@click.argument("what", metavar="[RECIPE|CHECKPOINT]", default="starter")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="UDP port to listen on.")
@click.option(
    "--reply-port",
    type=click.IntRange(1, 65535),
    help="UDP port that answers go to, for programs that can't receive on the port that they send from.",
)
@click.option(
    "--patches",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy the patches for Pure Data, SuperCollider and Max into this folder, and end.",
)
@allowances
@QUIET
def live(
    what: str,
    port: int,
    reply_port: int | None,
    patches: Path | None,
    allow_plugins: bool,
    allow_reads: bool,
    quiet: bool,
) -> None:
    """Answer Pure Data, SuperCollider, Max and other programs over OSC.

    The process keeps the network loaded and listens on 127.0.0.1 until it is interrupted. Requests are messages such as
    /samplepack/render 1 Glass 60 100; answers are messages with the request's number and the path of a sound file that
    is finished as a build does it. All messages are in docs/how-to/play-live.md.

    \b
    Examples:
      samplepack live recipes/first-light.yaml
      samplepack live starter --port 9100
      samplepack live --patches my-patches
    """
    if patches is not None:
        for file in sorted(PATCHES.iterdir()):
            target = patches / file.name
            if target.exists() and target.read_bytes() != file.read_bytes():
                raise InputError(f"{target} is there already, with other content")
            patches.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            print_line(str(target))
        return
    if importlib.util.find_spec("pythonosc") is None:
        raise InputError("live needs python-osc; run: pip install 'gansynth-samplepack[live]'")
    if reply_port == port:
        raise click.UsageError("--reply-port should be another port than --port")
    from samplepack.interactive.engine import NoteEngine
    from samplepack.interactive.live import Live
    from samplepack.interactive.osc import HOST, OscServer

    # The parser of messages logs what it leaves out of each, though their senders get an error.
    logging.getLogger().addFilter(lambda record: "pythonosc" not in record.pathname)
    engine = NoteEngine()
    try:
        answering = Live(what, engine, allow_plugins, allow_reads)
        server = OscServer(answering, port, reply_port)
        if not quiet:
            print_line(f"{what}: listening on {HOST}:{server.port}; end with Ctrl-C")
        with contextlib.suppress(KeyboardInterrupt):
            server.serve()
        answering.remove_files()
    finally:
        engine.close()


COMMANDS = (live,)
