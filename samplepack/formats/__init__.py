"""Sampler formats: a file each, by the name that recipes use."""

from __future__ import annotations

from collections.abc import Callable

from samplepack.formats import sfz
from samplepack.instrument import Instrument

WRITERS: dict[str, tuple[str, Callable[[Instrument], bytes]]] = {"sfz": (".sfz", sfz.write)}
"""Format → its files' suffix, and what writes an instrument's map; sound files are named relative to the map's folder,
`Instruments/`."""
