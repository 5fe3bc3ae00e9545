"""Sessions of Ardour 7."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import count
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from samplepack.pack.hosts.track import BEATS_PER_S, Track

_VERSION, _RATE_HZ = "7002", "48000"
_SUPERCLOCKS_PER_S, _TICKS_PER_BEAT = 282_240_000, 1920
"""Ardour's units of time: of places that stay where they are, and of those that follow the tempo."""

_TAIL_S = 4.0
"""How long the session goes on after the last key-up."""

_PLUGIN = "urn:ardour:a-fluidsynth"
_PREFIXES = """\
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix pset: <http://lv2plug.in/ns/ext/presets#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix state: <http://lv2plug.in/ns/ext/state#> .

"""


def project(name: str, tracks: Sequence[Track]) -> dict[str, bytes]:
    """A session with a MIDI track for each instrument, whose soundfont Ardour's own player, ACE Fluid Synth, plays."""
    ids = map(str, count(100))
    files = {f"{name}/{name}.ardour": b""}
    root = Element("Session", {"version": _VERSION, "name": name, "sample-rate": _RATE_HZ, "event-counter": "0"})
    SubElement(SubElement(root, "Config"), "Option", name="native-file-data-format", value="FormatFloat")
    SubElement(root, "Metadata")
    sources = SubElement(root, "Sources")
    SubElement(root, "Regions")
    end = round(_SUPERCLOCKS_PER_S * (max(track.start_s + track.length_s for track in tracks) + _TAIL_S))
    values = {"id": next(ids), "name": "session", "start": "a0", "end": f"a{end}", "flags": "IsSessionRange"}
    SubElement(SubElement(root, "Locations"), "Location", values)
    SubElement(root, "Bundles")
    routes, playlists = SubElement(root, "Routes"), SubElement(root, "Playlists")
    _master(routes, ids)
    for number, track in enumerate(tracks, start=1):
        plugin, playlist, source = next(ids), next(ids), f"{number}.mid"
        route = _track(routes, f"{number} {_port_name(track.name)}", number, playlist, plugin, ids)
        _region(sources, playlists, track, route, playlist, source, ids)
        files[f"{name}/interchange/{name}/midifiles/{source}"] = _midi_file(track)
        state = f"{name}/plugins/{plugin}/state1"
        files[f"{state}/manifest.ttl"] = (
            f"{_PREFIXES}<state.ttl>\n\tlv2:appliesTo <{_PLUGIN}> ;\n\ta pset:Preset ;\n\trdfs:seeAlso <state.ttl> .\n"
        ).encode()
        files[f"{state}/state.ttl"] = (
            f"{_PREFIXES}<>\n\ta pset:Preset ;\n\tlv2:appliesTo <{_PLUGIN}> ;\n"
            f"\tstate:state [\n\t\t<{_PLUGIN}:sf2file> <{track.map_.as_uri()}>\n\t] .\n"
        ).encode()
    SubElement(root, "RouteGroups")
    tempo = SubElement(root, "TempoMap", {"superclocks-per-second": str(_SUPERCLOCKS_PER_S)})
    npm, start = f"{60 * BEATS_PER_S:g}", {"sclock": "0", "quarters": "0:0", "bbt": "1|1|0"}
    values = {"npm": npm, "enpm": npm, "note-type": "4", "type": "Tempo::Constant", "active": "1"}
    SubElement(SubElement(tempo, "Tempos"), "Tempo", {**values, "locked-to-meter": "0", "continuing": "0", **start})
    SubElement(SubElement(tempo, "Meters"), "Meter", {"note-value": "4", "divisions-per-bar": "4", **start})
    root.set("id-counter", next(ids))
    indent(root)
    files[f"{name}/{name}.ardour"] = tostring(root, encoding="UTF-8", xml_declaration=True)
    return files


def _port_name(name: str) -> str:
    """A name for a track: ports of the audio system are named PROGRAM:TRACK/PORT."""
    return name.replace(":", "-").replace("/", "-")


def _master(routes: Element, ids: Iterator[str]) -> None:
    values = {"name": "Master", "default-type": "audio", "active": "1", "meter-point": "MeterOutput"}
    route = SubElement(routes, "Route", {"version": _VERSION, "id": next(ids), "strict-io": "1", **values})
    SubElement(route, "PresentationInfo", order="0", flags="MasterOut,OrderSet", color="0")
    into, out = (_io(route, "Master", direction, "audio", ids) for direction in ("Input", "Output"))
    for side in ("1", "2"):
        SubElement(into, "Port", type="audio", name=f"Master/audio_in {side}")
        port = SubElement(out, "Port", type="audio", name=f"Master/audio_out {side}")
        SubElement(port, "Connection", other=f"system:playback_{side}")
    _outputs(route, "Master", ids)


def _track(routes: Element, name: str, order: int, playlist: str, plugin: str, ids: Iterator[str]) -> str:
    """Add a MIDI track with the player of soundfonts; returns its id."""
    values = {"name": name, "default-type": "midi", "active": "1", "meter-point": "MeterPostFader"}
    values |= {"midi-playlist": playlist, "mode": "Normal", "strict-io": "1"}
    route_id = next(ids)
    route = SubElement(routes, "Route", {"version": _VERSION, "id": route_id, **values})
    SubElement(route, "PresentationInfo", order=str(order), flags="MidiTrack,OrderSet", color="0")
    into, out = (_io(route, name, direction, "midi", ids) for direction in ("Input", "Output"))
    SubElement(into, "Port", type="midi", name=f"{name}/midi_in 1")
    for side in ("1", "2"):
        port = SubElement(out, "Port", type="audio", name=f"{name}/audio_out {side}")
        SubElement(port, "Connection", other=f"Master/audio_in {side}")
    SubElement(out, "Port", type="midi", name=f"{name}/midi_out 1")
    SubElement(route, "Processor", id=next(ids), name=f"player:{name}", active="1", type="diskreader")
    values = {"name": "ACE Fluid Synth", "active": "1", "type": "lv2", "unique-id": _PLUGIN, "count": "1"}
    player = SubElement(route, "Processor", {"id": plugin, **values})
    lv2 = SubElement(player, "lv2", {"state-dir": "state1"})
    for effect in ("rev_enable", "chorus_enable"):
        SubElement(lv2, "Port", symbol=effect, value="0")
    _outputs(route, name, ids)
    return route_id


def _io(route: Element, name: str, direction: str, kind: str, ids: Iterator[str]) -> Element:
    values = {"name": name, "id": next(ids), "direction": direction, "default-type": kind}
    return SubElement(route, "IO", values)


def _outputs(route: Element, name: str, ids: Iterator[str]) -> None:
    """The end of a track's chain: fader, outputs and meter."""
    SubElement(route, "Processor", id=next(ids), name="Amp", active="1", type="amp")
    values = {"active": "1", "own-input": "1", "own-output": "0", "output": name, "type": "main-outs", "role": "Main"}
    SubElement(route, "Processor", {"id": next(ids), "name": name, **values})
    SubElement(route, "Processor", id=next(ids), name=f"meter-{name}", active="1", type="meter")


def _region(
    sources: Element, playlists: Element, track: Track, route: str, playlist: str, source: str, ids: Iterator[str]
) -> None:
    """Put the phrase of a track on the timeline."""
    source_id = next(ids)
    SubElement(sources, "Source", name=source, type="midi", flags="", id=source_id)
    start, length = (round(_TICKS_PER_BEAT * BEATS_PER_S * time_s) for time_s in (track.start_s, track.length_s))
    values = {"id": playlist, "name": track.name, "type": "midi", "orig-track-id": route, "frozen": "0"}
    extent = f"b{length}@b{start}"
    region = {
        "name": track.name, "id": next(ids), "type": "midi", "opaque": "1", "start": "b0", "length": extent,
        "ancestral-start": "b0", "ancestral-length": extent, "sync-position": "b0", "first-edit": "nothing",
        "layer": "0", "channels": "1", "source-0": source_id, "master-source-0": source_id,
    }  # fmt: skip
    SubElement(SubElement(playlists, "Playlist", values), "Region", region)


def _midi_file(track: Track) -> bytes:
    """The phrase as a MIDI file."""
    data, at = b"", 0
    for at_s, message in [*track.messages(), (track.length_s, b"\xff\x2f\0")]:
        tick = round(_TICKS_PER_BEAT * BEATS_PER_S * at_s)
        data += _quantity(tick - at) + message
        at = tick
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, _TICKS_PER_BEAT)
    return header + struct.pack(">4sI", b"MTrk", len(data)) + data


def _quantity(number: int) -> bytes:
    """A number as MIDI files hold them: seven bits a byte."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
