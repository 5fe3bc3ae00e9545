"""Packs of tones that are known exactly, made without a network."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np

from samplepack.recipe.model import Sound
from samplepack.sound.audio import Audio, encode

RATE_HZ = 48_000
_START, _LENGTH = RATE_HZ // 2, 3 * RATE_HZ


def frequency_hz(key):
    return 440.0 * 2.0 ** ((key - 69) / 12.0)


def tone(key, partials):
    """A tone of partials (number → amplitude), in phase, and its loop, which ends where its wave begins anew."""
    lengths = np.arange(RATE_HZ, RATE_HZ + 4000)
    cycles = lengths * frequency_hz(key) / RATE_HZ
    loop = int(lengths[np.argmin(np.abs(cycles - np.rint(cycles)))])
    time_s = np.arange(_LENGTH) / RATE_HZ
    wave = sum(gain * np.sin(2.0 * np.pi * n * frequency_hz(key) * time_s) for n, gain in partials.items())
    return Audio(wave[None].astype(np.float32), RATE_HZ), (_START, _START + loop - 1)


def write_pack(folder, instruments, name="Tones", **fields):
    """Write a pack.

    Args:
        folder: its folder, which is made.
        instruments: name → (axis, keys, the partials of each layer, correlation of neighbouring layers).
        name: the pack's name.
        fields: further fields of `pack.json`.
    """
    packed = []
    for title, (axis, keys, layers, alike) in instruments.items():
        notes = []
        for key in keys:
            for layer, partials in enumerate(layers):
                audio, loop = tone(key, partials)
                file = f"Samples/{title}/{key:03d}_{layer}.wav"
                content = encode(audio, "wav", 24, 0)
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(content)
                notes.append(_note(key, layer, file, content, loop, alike if layer < len(layers) - 1 else None))
        packed.append(
            {"name": title, "origin": "a tone", "axis": axis, "behaviour": "sustain", "latents": [[0.0]] * len(layers),
             "rendered": {}, "notes": notes}
        )  # fmt: skip
    manifest = {
        "pack": 4, "name": name, "description": "", "author": "", "license": "", "versions": {},
        "precision": "float32", "checkpoint": {"name": "none", "family": "none", "digest": "0" * 64},
        "inputs": "0" * 64, "rate_hz": RATE_HZ, "velocity": None, "process": [], "sound": Sound().model_dump(),
        "formats": ["sfz"], "instruments": packed, "clips": [], "files": {},
    }  # fmt: skip
    (folder / "pack.json").write_text(json.dumps({**manifest, **fields}), encoding="utf-8")
    return folder


def _note(key, layer, file, content, loop, alike):
    return {
        "pitch": key, "file": file, "sha256": sha256(content).hexdigest(), "frames": _LENGTH, "tuning": None,
        "cents": 0.0, "loop": {"frames": loop, "step": 1.0, "flux": 1.0, "swing_db": 0.0}, "why_no_loop": None,
        "render_of": None, "gain_db": 0.0, "layer": layer, "alike": alike, "soft_cutoff_hz": 20000.0,
        "true_peak_db": -6.0, "decay_s": None, "offset_db": -120.0, "width": None, "loudness_lufs": -18.0,
    }  # fmt: skip
