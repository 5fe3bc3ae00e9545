"""Building small packs, listing what is in them, and playing them in sfizz."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysfizz

from samplepack.base import parallel
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.pack.build import build_pack
from samplepack.pack.manifest import Manifest
from samplepack.pack.plan import plan_pack
from samplepack.pack.recipes import check_recipe
from samplepack.rendering.cache import Cache
from samplepack.sound.audio import Audio


class Pack(NamedTuple):
    """What `build_pack` gives."""

    folder: Path
    manifest: Manifest
    unchanged: bool


def build(recipe, output, cache, workers=2):
    """Build a recipe's pack with a cache of the test's own."""
    plan = plan_pack(check_recipe(recipe), DEFAULT_ENGINE)
    return Pack(*build_pack(plan, output, Cache(cache), parallel.threads(workers)))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files(folder)}


def play(sfz, key, held_s=1.0, total_s=1.5, rate_hz=48000):
    """A key in sfizz, with samples in memory so that no note is cut short."""
    twin = sfz.with_name(f"_check_{sfz.name}")
    twin.write_text("<control> hint_ram_based=1\n" + sfz.read_text(encoding="utf-8"), encoding="utf-8")
    try:
        synth = pysfizz.Synth(sample_rate=rate_hz, block_size=256)
        assert synth.load_sfz_file(str(twin))
        return synth, Audio(np.array(synth.render_note(key, 100, held_s, total_s)), rate_hz)
    finally:
        twin.unlink()
