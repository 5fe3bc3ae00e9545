"""Sampler formats: one module each, and a table of them by the names that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from samplepack.formats import decentsampler, multisample, sf2, sfz
from samplepack.formats.instrument import Instrument

WRITERS: dict[str, tuple[str, Callable[[Instrument, Path], bytes]]] = {
    "sfz": (".sfz", sfz.write),
    "multisample": (".multisample", multisample.write),
    "decentsampler": (".dspreset", decentsampler.write),
    "sf2": (".sf2", sf2.write),
}
"""Format → the suffix of its files, and the function that returns the bytes of an instrument's map. The function takes
the instrument and the folder of the pack, where the sound files already lie; the map goes into `Instruments/`."""
