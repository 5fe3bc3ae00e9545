"""Scores of MuseScore 3."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from samplepack.pack.hosts.track import Track

_MEASURE = 8
"""Lengths are counted in eighths; a measure has eight."""

_VALUES = {8: "whole", 4: "half", 2: "quarter", 1: "eighth"}
_LONGEST_EIGHTH_S, _LONGEST_MEASURE_S = 1.0, 3.0
_TONAL_CLASSES = (14, 21, 16, 11, 18, 13, 20, 15, 22, 17, 12, 19)
"""How MuseScore numbers the names of C, C sharp, D, E flat and so on: along the fifths, where C is 14."""


def project(name: str, tracks: Sequence[Track]) -> dict[str, bytes]:
    """A score with a part for each instrument, whose map MuseScore's own sampler, Zerberus, plays.

    Zerberus finds maps by the names of their files in MuseScore's folders of soundfonts. It has no crossfades: all
    layers of a morph sound at once.
    """
    root = Element("museScore", version="3.01")
    score = SubElement(root, "Score")
    synthesizer = SubElement(score, "Synthesizer")
    effects = SubElement(synthesizer, "master")
    for number in range(2):
        SubElement(effects, "val", id=str(number)).text = "NoEffect"
    sampler = SubElement(synthesizer, "Zerberus")
    for number, track in enumerate(tracks):
        SubElement(sampler, "val", id=str(number)).text = track.map_.name
    SubElement(score, "Division").text = "480"
    SubElement(score, "metaTag", name="workTitle").text = name
    for number, track in enumerate(tracks):
        part = SubElement(score, "Part")
        staff_type = SubElement(SubElement(part, "Staff", id=str(number + 1)), "StaffType", group="pitched")
        SubElement(staff_type, "name").text = "stdNormal"
        SubElement(part, "trackName").text = track.name
        instrument = SubElement(part, "Instrument")
        SubElement(instrument, "longName").text = track.name
        channel = SubElement(instrument, "Channel")
        SubElement(channel, "program", value=str(number))
        SubElement(channel, "synti").text = "Zerberus"
    staves = [SubElement(score, "Staff", id=str(number + 1)) for number in range(len(tracks))]
    for playing, track in enumerate(tracks):
        eighth_s = _eighth_s(track)
        for number, measure in enumerate(_measures(track, eighth_s)):
            for i, staff in enumerate(staves):
                voice = SubElement(SubElement(staff, "Measure"), "voice")
                if playing == number == 0:
                    signature = SubElement(voice, "TimeSig")
                    SubElement(signature, "sigN").text = SubElement(signature, "sigD").text = "4"
                if i == number == 0:
                    SubElement(SubElement(voice, "Tempo"), "tempo").text = f"{0.5 / eighth_s:.6f}"
                voice.extend(measure if i == playing else [_rest("measure")])
    indent(root)
    return {f"{name}.mscx": tostring(root, encoding="UTF-8", xml_declaration=True)}


def _eighth_s(track: Track) -> float:
    """The length of an eighth, so that short steps of a phrase are eighths and long ones whole measures, seconds."""
    times_s = sorted({round(time_s, 3) for note in track.notes for time_s in (note.start_s, note.end_s)})
    step_s = min(later - earlier for earlier, later in pairwise(times_s))
    return step_s if step_s <= _LONGEST_EIGHTH_S else step_s / (_MEASURE * math.ceil(step_s / _LONGEST_MEASURE_S))


def _measures(track: Track, eighth_s: float) -> list[list[Element]]:
    """The chords and rests of a phrase, measure by measure, and one more measure of rest.

    A chord that sounds when the next one begins is written up to there and, where it isn't tied, played as long as it
    is.
    """
    chords: dict[int, list[tuple[int, int]]] = {}
    ends: dict[int, int] = {}
    for note in track.notes:
        start, end = round(note.start_s / eighth_s), round(note.end_s / eighth_s)
        chords.setdefault(start, []).append((note.pitch, note.velocity))
        ends[start] = max(ends.get(start, 0), end)
    last = _MEASURE * -(-max(ends.values()) // _MEASURE)
    measures: list[list[Element]] = [[] for _ in range(last // _MEASURE)]
    at = 0
    for start, following in pairwise([*sorted(chords), last]):
        _add_rests(measures, at, start)
        at = min(ends[start], following)
        pieces = list(_values(start, at))
        for i, (begin, length) in enumerate(pieces):
            element = Element("Chord")
            SubElement(element, "durationType").text = _VALUES[length]
            for pitch, velocity in sorted(chords[start]):
                head = SubElement(element, "Note")
                for name, other in (("prev", i - 1), ("next", i + 1)):
                    if 0 <= other < len(pieces):
                        _tie(head, name, begin, pieces[other][0])
                if len(pieces) == 1:
                    event = SubElement(SubElement(head, "Events"), "Event")
                    SubElement(event, "len").text = str(1000 * (ends[start] - start) // length)
                for field, value in (("pitch", pitch), ("tpc", _TONAL_CLASSES[pitch % 12]), ("velocity", velocity)):
                    SubElement(head, field).text = str(value)
                SubElement(head, "veloType").text = "user"
            measures[begin // _MEASURE].append(element)
    _add_rests(measures, at, last)
    return [*measures, [_rest("measure")]]


def _add_rests(measures: list[list[Element]], start: int, end: int) -> None:
    for begin, length in _values(start, end):
        measures[begin // _MEASURE].append(_rest(_VALUES[length]))


def _rest(value: str) -> Element:
    rest = Element("Rest")
    SubElement(rest, "durationType").text = value
    if value == "measure":
        SubElement(rest, "duration").text = "4/4"
    return rest


def _values(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The notes, tied to each other, that fill a time: where each begins, and its length."""
    while start < end:
        length = max(value for value in _VALUES if value <= min(end, start // _MEASURE * _MEASURE + _MEASURE) - start)
        yield start, length
        start += length


def _tie(note: Element, name: str, begin: int, other: int) -> None:
    """Tie a note to the one before it or after it."""
    spanner = SubElement(note, "Spanner", type="Tie")
    if name == "next":
        SubElement(spanner, "Tie")
    location = SubElement(SubElement(spanner, name), "location")
    measures, eighths = other // _MEASURE - begin // _MEASURE, other % _MEASURE - begin % _MEASURE
    if measures:
        SubElement(location, "measures").text = str(measures)
    if eighths:
        SubElement(location, "fractions").text = f"{eighths}/{_MEASURE}"
