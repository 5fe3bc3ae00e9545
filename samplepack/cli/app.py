"""Entry point of the command line. Commands import large libraries only when they run, so that `--help` is fast."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from typing import Any, NoReturn

import click

from samplepack.base.errors import InputError, SamplepackError, lines_of
from samplepack.base.version import __version__
from samplepack.cli import interactive, live, networks, packs, play, stores
from samplepack.cli.options import SummarisedGroup
from samplepack.cli.terminal import print_problems


class _Commands(SummarisedGroup):
    """A group that turns errors into an exit code and one line for each problem, never a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        code, lines = 0, list[str]()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal in Latin-1 gets \\u2192 for an arrow
        try:
            super().main(*args, **{**kwargs, "standalone_mode": False})
        except InputError as error:
            code, lines = 2, lines_of(error)
        except SamplepackError as error:
            code, lines = 1, lines_of(error)
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            code = 2
        except click.ClickException as error:
            code, lines = 2, [f"samplepack: {error.format_message()}"]
        except (KeyboardInterrupt, click.Abort):
            code, lines = 130, ["samplepack: interrupted; nothing is half-written"]
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except UnicodeEncodeError as error:
            name = error.object[error.start : error.end]
            code = 1
            lines = [f"samplepack: file names are encoded in {error.encoding}, which lacks '{name}'; set PYTHONUTF8=1"]
        except OSError as error:
            code, lines = 1, [f"samplepack: {line}" for line in lines_of(error)]
        print_problems(*lines)
        sys.exit(code)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="samplepack %(version)s")
def main() -> None:
    """Sampler instruments from recipes in git.

    A recipe lists timbres of a GANSynth checkpoint and effects; a build renders them as instruments that any sampler
    loads. The same recipe gives the same pack, byte for byte.

    \b
    Examples:
      samplepack build recipes/first-light.yaml
      samplepack check recipes/first-light.yaml
      samplepack plan recipes/first-light.yaml

    \b
    Exit codes: 0 success; 1 the command failed; 2 the input is wrong; 130 interrupted.
    """
    atexit.register(gc.freeze)  # without it, the last collections traverse all of TensorFlow, for 0.8 s


for _module in (packs, play, interactive, live, networks, stores):
    for _command in _module.COMMANDS:
        main.add_command(_command)
