"""samplepack's command line, with renderers on a cluster that write down what they render."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from samplepack.cli.app import main
from samplepack.rendering import cluster

RENDERED_VARIABLE = "SAMPLEPACK_TEST_RENDERED"
"""The file that the key of each note is written to when its rendering begins, a line each."""

VERSION_VARIABLE = "SAMPLEPACK_TEST_VERSION"
"""The version that the driver says it has, if it is set."""


class Counting(cluster.Renderer):
    def render(self, digest, files, notes):
        return np.concatenate([self._counted(digest, files, note) for note in notes])

    def _counted(self, digest, files, note):
        with Path(os.environ[RENDERED_VARIABLE]).open("a") as file:
            file.write(f"{note.key}\n")
        return super().render(digest, files, [note])


if __name__ == "__main__":
    from tests.helpers import counted

    cluster.Renderer = counted.Counting  # by its module's name, under which renderers find it
    cluster._LEAST_TOGETHER = 4
    cluster.__version__ = os.environ.get(VERSION_VARIABLE, cluster.__version__)
    main(sys.argv[1:])
