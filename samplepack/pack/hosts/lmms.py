"""Projects of LMMS 1.2."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from samplepack.pack.hosts.track import BEATS_PER_S, Track

_TICKS_PER_S, _LOWEST_KEY, _FULL_VELOCITY = 48 * BEATS_PER_S, 12, 63
"""A quarter has 48 ticks; key 0 is MIDI note 12; and a note with the volume 100 has the velocity 63."""


def project(name: str, tracks: Sequence[Track]) -> dict[str, bytes]:
    """A song whose Sf2 Players, which have FluidSynth in them, load soundfonts.

    Songs of LMMS 1.2 hold no controllers: morphs stay at the wheel's lower end.
    """
    root = Element("lmms-project", version="1.0", creator="LMMS", creatorversion="1.2.2", type="song")
    settings = {"timesig_numerator": "4", "timesig_denominator": "4", "bpm": f"{60 * BEATS_PER_S:g}"}
    SubElement(root, "head", {**settings, "mastervol": "100", "masterpitch": "0"})
    container = SubElement(SubElement(root, "song"), "trackcontainer", type="song", visible="1")
    for track in tracks:
        element = SubElement(container, "track", name=track.name, type="0", muted="0", solo="0")
        voice = {"vol": "100", "pan": "0", "pitch": "0", "pitchrange": "1", "basenote": "57", "fxch": "0"}
        played = SubElement(element, "instrumenttrack", {**voice, "usemasterpitch": "1"})
        player = {"src": str(track.map_), "bank": "0", "patch": "0", "gain": "1", "reverbOn": "0", "chorusOn": "0"}
        SubElement(SubElement(played, "instrument", name="sf2player"), "sf2player", player)
        SubElement(played, "eldata", fcut="14000", fres="0.5", ftype="0", fwet="0")
        place = {"pos": str(_ticks(track.start_s)), "len": str(_ticks(track.length_s)), "steps": "16"}
        pattern = SubElement(element, "pattern", {"type": "1", "muted": "0", "name": track.name, **place})
        for note in track.notes:
            volume = min(round(100 * note.velocity / _FULL_VELOCITY), 200)
            start, end = _ticks(note.start_s), _ticks(note.end_s)
            values = {"key": note.pitch - _LOWEST_KEY, "vol": volume, "pan": 0, "pos": start, "len": end - start}
            SubElement(pattern, "note", {name: str(value) for name, value in values.items()})
    indent(root)
    text = f'<?xml version="1.0"?>\n<!DOCTYPE lmms-project>\n{tostring(root, encoding="unicode")}\n'
    return {f"{name}.mmp": text.encode()}


def _ticks(seconds: float) -> int:
    return round(seconds * _TICKS_PER_S)
