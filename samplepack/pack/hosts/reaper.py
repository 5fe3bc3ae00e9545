"""Projects of Reaper.

Written by the descriptions of its project files, not by Reaper itself: no test opens them there.

Source: Cockos' wiki, "State Chunk Definitions" and "State Chunk and RPP File MIDI Format".
"""

from __future__ import annotations

from collections.abc import Sequence

from samplepack.pack.hosts.track import BEATS_PER_S, Track

_TICKS_PER_BEAT = 960


def project(name: str, tracks: Sequence[Track]) -> dict[str, bytes]:
    """A project with two tracks for each instrument: its preview, which Reaper plays by itself, and below it the notes
    of the phrase, for a player of SFZ that the user puts there."""
    lines = [
        '<REAPER_PROJECT 0.1 "7.0" 0',
        "  <NOTES 0 2",
        f"    |{name}, a pack of samplepack.",
        "    |Each instrument has its phrase as sound, and as notes on the track below it. To play these, put sfizz or",
        "    |sforzando on that track, load the instrument there, and mute the sound:",
        *(f"    |  {track.map_}" for track in tracks),
        "  >",
        f"  TEMPO {60 * BEATS_PER_S:g} 4 4",
    ]
    for track in tracks:
        assert track.preview is not None  # the host asks for previews
        kind = "FLAC" if track.preview.suffix == ".flac" else "WAVE"
        source = [f"<SOURCE {kind}", f"  FILE {_quoted(str(track.preview))}", ">"]
        lines += _track(track.name, track, source)
        lines += _track(f"{track.name}, notes", track, _midi(track))
    return {f"{name}.rpp": "\r\n".join([*lines, ">", ""]).encode()}


def _track(name: str, track: Track, source: Sequence[str]) -> list[str]:
    item = [
        f"POSITION {track.start_s:g}",
        f"LENGTH {track.length_s:g}",
        "LOOP 0",
        f"NAME {_quoted(name)}",
        *source,
    ]
    return [
        "  <TRACK",
        f"    NAME {_quoted(name)}",
        "    <ITEM",
        *(f"      {line}" for line in item),
        "    >",
        "  >",
    ]


def _midi(track: Track) -> list[str]:
    lines, at = ["<SOURCE MIDI", f"  HASDATA 1 {_TICKS_PER_BEAT} QN"], 0
    # The last message, all notes off, says where the item ends.
    for at_s, message in [*track.messages(), (track.length_s, b"\xb0\x7b\x00")]:
        tick = round(_TICKS_PER_BEAT * BEATS_PER_S * at_s)
        lines.append(f"  E {tick - at} {message.hex(' ')}")
        at = tick
    return [*lines, ">"]


def _quoted(text: str) -> str:
    """A text between the quotation marks that it doesn't hold; where it holds all three, one of them is replaced."""
    mark = next((mark for mark in "\"'`" if mark not in text), "`")
    return f"{mark}{text.replace('`', chr(39)) if mark == '`' else text}{mark}"
