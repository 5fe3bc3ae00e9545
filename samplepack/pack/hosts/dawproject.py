"""DAWproject, the open format by which Bitwig Studio, Studio One, Cubase and others exchange projects.

Source: the schemas Project.xsd and MetaData.xsd of version 1.0, https://github.com/bitwig/dawproject. No test opens the
files in these programs.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from itertools import count
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from samplepack.base.version import __version__
from samplepack.pack.hosts.track import BEATS_PER_S, Track

_FULL = 127
_ZIPPED_AT = (1980, 1, 1, 0, 0, 0)
"""The earliest time of a file in a ZIP, so that the same pack gives the same bytes."""


def project(name: str, tracks: Sequence[Track]) -> dict[str, bytes]:
    """A project with two tracks for each instrument: its preview, which is in the file, and the notes of the phrase,
    for a sampler that the user puts there."""
    import soundfile

    ids = (f"id{number}" for number in count())
    root = Element("Project", version="1.0")
    SubElement(root, "Application", name="samplepack", version=__version__)
    transport = SubElement(root, "Transport")
    SubElement(transport, "Tempo", unit="bpm", value=f"{60 * BEATS_PER_S:g}", id=next(ids), name="Tempo")
    SubElement(transport, "TimeSignature", denominator="4", numerator="4", id=next(ids))
    structure, master = SubElement(root, "Structure"), next(ids)
    arrangement = SubElement(root, "Arrangement", id=next(ids))
    lanes = SubElement(arrangement, "Lanes", timeUnit="beats", id=next(ids))
    archive: dict[str, bytes] = {}

    def clip(title: str, content: str, track: Track) -> Element:
        """A track with one clip."""
        track_id = next(ids)
        element = SubElement(structure, "Track", contentType=content, loaded="true", id=track_id, name=title)
        channel = SubElement(element, "Channel", audioChannels="2", destination=master, role="regular", id=next(ids))
        SubElement(channel, "Volume", max="2", min="0", unit="linear", value="1", id=next(ids), name="Volume")
        clips = SubElement(SubElement(lanes, "Lanes", track=track_id, id=next(ids)), "Clips", id=next(ids))
        time, duration = (f"{BEATS_PER_S * time_s:g}" for time_s in (track.start_s, track.length_s))
        return SubElement(clips, "Clip", time=time, duration=duration, playStart="0", name=title)

    for number, track in enumerate(tracks, start=1):
        assert track.preview is not None  # the host asks for previews
        file = f"audio/{number}{track.preview.suffix}"
        archive[file] = track.preview.read_bytes()
        header = soundfile.info(io.BytesIO(archive[file]))
        heard = clip(track.name, "audio", track)
        heard.set("contentTimeUnit", "seconds")
        length = {"duration": f"{header.duration:.6f}", "channels": str(header.channels)}
        audio = SubElement(heard, "Audio", {**length, "sampleRate": str(header.samplerate), "id": next(ids)})
        SubElement(audio, "File", path=file)
        inside = SubElement(clip(f"{track.name}, notes", "notes", track), "Lanes", id=next(ids))
        notes = SubElement(inside, "Notes", id=next(ids))
        for note in track.notes:
            time, duration = (BEATS_PER_S * time_s for time_s in (note.start_s, note.end_s - note.start_s))
            values = {"time": f"{time:g}", "duration": f"{duration:g}", "channel": "0", "key": str(note.pitch)}
            SubElement(notes, "Note", {**values, "vel": f"{note.velocity / _FULL:.4f}", "rel": "0.5"})
        if track.wheel:
            points = SubElement(inside, "Points", unit="normalized", id=next(ids))
            SubElement(points, "Target", expression="channelController", channel="0", controller="1")
            for at_s, position in track.wheel:
                place = {"time": f"{BEATS_PER_S * at_s:g}", "value": f"{position / _FULL:.4f}"}
                SubElement(points, "RealPoint", {**place, "interpolation": "linear"})
    element = SubElement(structure, "Track", contentType="audio notes", loaded="true", id=next(ids), name="Master")
    SubElement(element, "Channel", audioChannels="2", role="master", id=master)
    metadata = Element("MetaData")
    SubElement(metadata, "Title").text = name
    return {f"{name}.dawproject": _zipped({"project.xml": _xml(root), "metadata.xml": _xml(metadata), **archive})}


def _xml(root: Element) -> bytes:
    indent(root)
    return b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + tostring(root, encoding="unicode").encode()


def _zipped(files: dict[str, bytes]) -> bytes:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIPPED_AT), content)
    return zipped.getvalue()
