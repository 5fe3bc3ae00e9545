"""Projects of music programs (hosts) that play a pack: a track for each instrument, with its phrase."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.formats.instrument import Instrument
from samplepack.pack.hosts import ardour, dawproject, lmms, musescore, reaper
from samplepack.pack.hosts.track import Track
from samplepack.pack.manifest import read_manifest
from samplepack.pack.previews import phrase
from samplepack.pack.write import zones_of

_BAR_S = 2.0
"""A bar of four quarters at 120 a minute."""

_REST_S = 1.0
"""The least time between the last note of an instrument and the first of the next one."""

_SWEEP_STEPS = 64
"""The steps in which the mod wheel travels up and down under the phrase of a morph."""


class Host(NamedTuple):
    """A program that projects are written for, or a format of several."""

    format_name: str
    """The format of instruments that it loads, by itself or in a plug-in."""

    project: Callable[[str, Sequence[Track]], dict[str, bytes]]
    """From the name of a pack and its tracks to the files of a project: their paths, relative to the folder of the
    project, and their bytes. The first one is to be opened."""

    plays_previews: bool = False
    """Whether the project plays sound files of the phrases."""


HOSTS = {
    "ardour": Host("sf2", ardour.project),
    "dawproject": Host("sfz", dawproject.project, plays_previews=True),
    "lmms": Host("sf2", lmms.project),
    "musescore": Host("sfz", musescore.project),
    "reaper": Host("sfz", reaper.project, plays_previews=True),
}
"""Name → host."""


def write_session(pack: str | Path, host: str, output: str | Path) -> Path:
    """Write a project that plays the instruments of a pack, one after the other, each the phrase of its preview.

    Args:
        pack: the folder of the pack. The project names its files by absolute paths, since hosts look for others in
            folders of their own.
        host: one of `HOSTS`.
        output: the folder that the project is written to, which is made if it isn't there.

    Returns:
        The file to open in the host.

    Raises:
        InputError: the folder is no pack, or the pack lacks what the host plays.
        OSError: the project can't be written.
    """
    folder, wanted = Path(pack), HOSTS[host]
    manifest = read_manifest(folder)
    if wanted.format_name not in manifest.formats:
        raise InputError(
            f"{folder}: {host} loads {wanted.format_name}, which this pack doesn't have; add it to formats in its "
            "recipe, and build again"
        )
    without = [packed.name for packed in manifest.instruments if not packed.preview]
    if wanted.plays_previews and without:
        raise InputError(f"{folder}: {host} plays previews, and {without[0]} has none; build the pack again")
    files = wanted.project(manifest.name, list(_tracks(folder, f".{wanted.format_name}")))
    for name, content in files.items():
        file = Path(output, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_aside(file, content)
    return Path(output, next(iter(files)))


def _tracks(folder: Path, suffix: str) -> Iterator[Track]:
    manifest, start_s = read_manifest(folder), 0.0
    root = Path(os.path.abspath(folder))
    for packed in manifest.instruments:
        instrument = Instrument(packed.name, zones_of(packed, manifest.play.stretch_keys), packed.behaviour)
        notes = phrase(instrument)
        end_s = max(note.end_s for note in notes)
        half = _SWEEP_STEPS // 2
        wheel = [(end_s * i / _SWEEP_STEPS, 127 * min(i, _SWEEP_STEPS - i) // half) for i in range(_SWEEP_STEPS + 1)]
        preview = root / packed.preview if packed.preview else None
        map_ = root / "Instruments" / f"{packed.name}{suffix}"
        yield Track(packed.name, map_, start_s, notes, wheel if instrument.is_morph else (), preview)
        start_s = _BAR_S * -(-(start_s + end_s + _REST_S) // _BAR_S)
