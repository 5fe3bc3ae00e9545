"""Whether the soundfonts of a pack hold what its manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samplepack.formats.instrument import Instrument
from samplepack.formats.sf2 import playable_zones, preset_names
from samplepack.formats.soundfont import PresetZone, read_presets
from samplepack.pack.manifest import Manifest, PackedInstrument
from samplepack.pack.readme import bank_file
from samplepack.pack.write import zones_of


def soundfont_problems(folder: Path, manifest: Manifest, instrument: PackedInstrument) -> list[str]:
    """What is wrong with the soundfont of an instrument: its preset, keys, lengths and loops.

    Args:
        folder: the pack's folder.
        manifest: its manifest.
        instrument: one of its instruments.
    """
    return _problems(folder, manifest, f"Instruments/{instrument.name}.sf2", [instrument])


def bank_problems(folder: Path, manifest: Manifest) -> list[str]:
    """What is wrong with the soundfont of all instruments, if the pack has one."""
    return _problems(folder, manifest, bank_file(manifest.name), manifest.instruments)


def _problems(folder: Path, manifest: Manifest, file: str, instruments: Sequence[PackedInstrument]) -> list[str]:
    if file not in manifest.files:
        return []
    try:
        presets = read_presets(folder / file)
    except (OSError, ValueError) as error:
        return [f"{file} can't be read: {error}"]
    names = preset_names([instrument.name for instrument in instruments])
    if list(presets) != names:
        return [f"{file}: its presets are {', '.join(presets) or 'none'}; should be {', '.join(names)}"]
    problems = []
    for instrument, (name, found) in zip(instruments, presets.items(), strict=True):
        zones = zones_of(instrument, manifest.play.stretch_keys)
        wanted = {
            PresetZone(zone.keys.low, zone.keys.high, zone.root, zone.frames, zone.loop)
            for zone in playable_zones(Instrument(instrument.name, zones, instrument.behaviour))
        }
        for root in sorted({zone.root for zone in wanted ^ found}):
            has, should = (sorted(str(z) for z in of if z.root == root) for of in (found - wanted, wanted - found))
            where = f"{name} in {file}" if len(instruments) > 1 else file
            problems.append(
                f"key {root}: {where} has {' and '.join(has) or 'too few sounds'}; "
                f"should be {' and '.join(should) or 'without it'}"
            )
    return problems
