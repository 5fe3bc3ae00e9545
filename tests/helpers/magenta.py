"""A tiny checkpoint as Magenta publishes them, its wrappings, and its conversion."""

from __future__ import annotations

import zipfile

from samplepack.checkpoints import library
from tests.helpers.places import FIXTURES

TINY = FIXTURES / "magenta-tiny"


def native(path, beside=FIXTURES):
    return library.as_native(library.resolve(str(path), beside))


def zipped(folder, path, prefix=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.name != "golden.npz":
                archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path
