"""`.multisample`, the open format of Bitwig Studio and Studio One: map and sounds in one file.

Source: the README and the schema of github.com/bitwig/multisample, whose order of elements and attributes this keeps.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement

from samplepack.formats._xml import document
from samplepack.formats.instrument import Instrument, Range, Zone, switched_velocities

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX, _PLAIN_FILE = 3, 0o100644


def write(instrument: Instrument, pack: Path) -> bytes:
    """The bytes of a ZIP archive of the map and of each sound file once, uncompressed so that players can stream.

    Times, permissions and the system's name are constants, so that the same instrument gives the same bytes everywhere.
    Sound files have their base names in it, which are unique since they contain the timbre's name.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(_entry("multisample.xml"), document(_multisample(instrument)))
        for file in dict.fromkeys(zone.file for zone in _zones(instrument)):
            archive.writestr(_entry(_base_name(file)), (pack / file).read_bytes())
    return buffer.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = _UNIX
    entry.external_attr = _PLAIN_FILE << 16
    return entry


def _base_name(file: str) -> str:
    return PurePosixPath(file).name


def _multisample(instrument: Instrument) -> Element:
    root = Element("multisample", name=instrument.name)
    SubElement(root, "generator").text = "samplepack"
    about = instrument.about
    SubElement(root, "category").text = about.category or None
    SubElement(root, "creator").text = about.author or None
    if about.description:
        SubElement(root, "description").text = about.description
    if about.tags:
        keywords = SubElement(root, "keywords")
        for tag in about.tags:
            SubElement(keywords, "keyword").text = tag
    SubElement(root, "group", name=instrument.name)
    switched = switched_velocities(instrument.zones)
    for zone in _zones(instrument):
        _sample(root, zone, switched[zone.velocities.low, zone.velocities.high])
    return root


def _zones(instrument: Instrument) -> list[Zone]:
    """The zones that the format can hold.

    Of a morph that is the first turn only: sounds that overlap take turns here, and so would neighbours on the path.
    """
    return [zone for zone in instrument.zones if zone.turn == 1 or not zone.wheel]


def _sample(root: Element, zone: Zone, switched: Range) -> None:
    takes_turns = zone.turns > 1 and not zone.wheel
    velocities = switched if takes_turns else zone.velocities
    attributes = {
        "file": _base_name(zone.file),
        "gain": "0.00",
        "group": "0",
        "sample-start": "0.000",
        "sample-stop": f"{zone.frames:.3f}",
        "reverse": "false",
        "zone-logic": "round-robin" if takes_turns else "always-play",
    }
    sample = SubElement(root, "sample", attributes)
    SubElement(sample, "key", {**_range(zone.keys), "root": str(zone.root), "track": "1.0000", "tune": "0.00"})
    # The schema requires key, velocity and select; an empty one means all velocities, or all wheel positions.
    SubElement(sample, "velocity", {} if velocities == Range(1, 127) else _range(velocities))
    SubElement(sample, "select", _range(zone.wheel) if zone.wheel else {})
    if zone.loop:
        # `stop` is the frame after the last one, as `sample-stop` is in Bitwig's own files.
        start, stop = f"{zone.loop.start:.3f}", f"{zone.loop.end + 1:.3f}"
        SubElement(sample, "loop", mode="loop", start=start, stop=stop, fade="0.0000")


def _range(values: Range) -> dict[str, str]:
    attributes = {"low": str(values.low), "high": str(values.high)}
    if values.low_fade:
        attributes["low-fade"] = str(values.low_fade)
    if values.high_fade:
        attributes["high-fade"] = str(values.high_fade)
    return attributes
