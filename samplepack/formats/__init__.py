"""Sampler formats: a file each, by the name that recipes use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from samplepack.formats import decentsampler, multisample, sfz
from samplepack.formats.instrument import Instrument

WRITERS: dict[str, tuple[str, Callable[[Instrument, Path], bytes]]] = {
    "sfz": (".sfz", sfz.write),
    "multisample": (".multisample", multisample.write),
    "decentsampler": (".dspreset", decentsampler.write),
}
"""Format → the suffix of its files, and what writes an instrument's map, given the folder of the pack, in which the
sound files lie already. Maps lie in `Instruments/`."""
