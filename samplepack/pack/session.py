"""Projects of music programs (hosts) that play a pack: a track for each instrument, with its phrase."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.clips.score import PlayedNote
from samplepack.formats.instrument import Instrument
from samplepack.pack.manifest import read_manifest
from samplepack.pack.previews import phrase
from samplepack.pack.write import zones_of

_BAR_S = 2.0
"""A bar of four quarters at 120 a minute."""

_REST_S = 1.0
"""The least time between the last note of an instrument and the first of the next one."""

_TICKS_PER_S, _LOWEST_KEY, _FULL_VELOCITY = 96, 12, 63
"""LMMS: 48 ticks a quarter; its key 0 is MIDI note 12; and a note with the volume 100 has the velocity 63."""


class Track(NamedTuple):
    """An instrument of a pack, and when it plays its phrase."""

    name: str
    map_: Path
    """The file that the host loads, an absolute path."""

    start_s: float
    notes: Sequence[PlayedNote]
    """Their times are relative to the start."""


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
        InputError: the folder is no pack, or the pack lacks the format that the host loads.
        OSError: the project can't be written.
    """
    folder, (suffix, format_name, project) = Path(pack), HOSTS[host]
    manifest = read_manifest(folder)
    if format_name not in manifest.formats:
        raise InputError(
            f"{folder}: {host} loads {format_name}, which this pack doesn't have; add it to formats in its recipe, and "
            "build again"
        )
    file = Path(output) / f"{manifest.name}{suffix}"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_aside(file, project(list(_tracks(folder, f".{format_name}"))))
    return file


def _tracks(folder: Path, suffix: str) -> Iterator[Track]:
    manifest, start_s = read_manifest(folder), 0.0
    for packed in manifest.instruments:
        zones = zones_of(packed, manifest.play.stretch_keys)
        notes = phrase(Instrument(packed.name, zones, packed.behaviour))
        map_ = folder / "Instruments" / f"{packed.name}{suffix}"
        yield Track(packed.name, Path(os.path.abspath(map_)), start_s, notes)
        end_s = start_s + max(note.end_s for note in notes) + _REST_S
        start_s = _BAR_S * -(-end_s // _BAR_S)


def _lmms(tracks: Sequence[Track]) -> bytes:
    """A project of LMMS 1.2, whose Sf2 Player has FluidSynth in it. Its songs hold no mod wheel: morphs stay at its
    lower end."""
    root = Element("lmms-project", version="1.0", creator="LMMS", creatorversion="1.2.2", type="song")
    settings = {"timesig_numerator": "4", "timesig_denominator": "4", "bpm": "120"}
    SubElement(root, "head", {**settings, "mastervol": "100", "masterpitch": "0"})
    container = SubElement(SubElement(root, "song"), "trackcontainer", type="song", visible="1")
    for track in tracks:
        element = SubElement(container, "track", name=track.name, type="0", muted="0", solo="0")
        voice = {"vol": "100", "pan": "0", "pitch": "0", "pitchrange": "1", "basenote": "57", "fxch": "0"}
        played = SubElement(element, "instrumenttrack", {**voice, "usemasterpitch": "1"})
        player = {"src": str(track.map_), "bank": "0", "patch": "0", "gain": "1", "reverbOn": "0", "chorusOn": "0"}
        SubElement(SubElement(played, "instrument", name="sf2player"), "sf2player", player)
        SubElement(played, "eldata", fcut="14000", fres="0.5", ftype="0", fwet="0")
        length = _ticks(max(note.end_s for note in track.notes))
        place = {"pos": str(_ticks(track.start_s)), "len": str(length), "steps": "16"}
        pattern = SubElement(element, "pattern", {"type": "1", "muted": "0", "name": track.name, **place})
        for note in track.notes:
            volume = min(round(100 * note.velocity / _FULL_VELOCITY), 200)
            start, end = _ticks(note.start_s), _ticks(note.end_s)
            values = {"key": note.pitch - _LOWEST_KEY, "vol": volume, "pan": 0, "pos": start, "len": end - start}
            SubElement(pattern, "note", {name: str(value) for name, value in values.items()})
    indent(root)
    return f'<?xml version="1.0"?>\n<!DOCTYPE lmms-project>\n{tostring(root, encoding="unicode")}\n'.encode()


def _ticks(seconds: float) -> int:
    return round(seconds * _TICKS_PER_S)


HOSTS: dict[str, tuple[str, str, Callable[[Sequence[Track]], bytes]]] = {"lmms": (".mmp", "sf2", _lmms)}
"""Host → the suffix of its projects, the format of instruments that it loads, and the function that returns the bytes
of a project."""
