"""Wavetables of a pack: their files and pictures, what is measured of them, and what they fall short of."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from samplepack.base.plotting import draw
from samplepack.finishing import process
from samplepack.finishing.finish import in_tune
from samplepack.finishing.wavetable import FRAME, Frames, wavetable
from samplepack.formats import wavetable as formats
from samplepack.pack.manifest import PackedWavetable
from samplepack.recipe import Recipe
from samplepack.rendering.plan import PlannedWavetable
from samplepack.sound import riff
from samplepack.sound.audio import Audio, gain_to_db, read
from samplepack.sound.fingerprint import fingerprint
from samplepack.sound.loudness import loudness_lufs
from samplepack.sound.pitch import pitch_hz

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = "Wavetables"

_EVEN_DB = 0.5
"""The largest difference in loudness between cycles."""

_OFFSET_DB = -80.0
"""The largest constant offset (DC) of a cycle, relative to its level."""

_HEARD_DB = -80.0
_PLAYED_HZ = 48_000
_MOST_RIDGES = 32
_MOST_DRAWN, _RANGE_DB = 64, 70.0
_PEAK_TOLERANCE_DB = 0.01


def write_wavetable(
    folder: Path, planned: PlannedWavetable, rendered: Iterator[Audio], recipe: Recipe, native_hz: int
) -> PackedWavetable:
    """Make a wavetable of its notes, tuned and sent through the effects, and write its files and its picture.

    Args:
        folder: the pack's folder.
        planned: the wavetable.
        rendered: its notes as the network renders them, one channel each.
        recipe: says how notes are tuned and processed.
        native_hz: samples per second of the notes.
    """
    settings = recipe.sound.finishing(recipe.effects, native_hz)
    pitch, notes, fingerprints = planned.path.at, list[Audio](), list[str]()
    for _ in planned.notes:
        raw = next(rendered)
        fingerprints.append(fingerprint(raw.samples[0]))
        (note,), _ = in_tune([raw], pitch, settings.tune, 1)
        notes.append(process.apply_chain(note, settings.effects, settings.rate_hz, settings.tail_s))
    frames = wavetable(notes, pitch, recipe.sound.peak_db)
    (folder / FOLDER).mkdir(exist_ok=True)
    written = {".wav": formats.wav(frames), ".wt": formats.surge(frames)}
    for suffix, content in written.items():
        (folder / FOLDER / f"{planned.name}{suffix}").write_bytes(content)
    _draw(folder / FOLDER / f"{planned.name}.png", planned.name, frames)
    loudness = _loudness(frames, pitch)
    return PackedWavetable(
        name=planned.name,
        path=planned.path,
        files=tuple(f"{FOLDER}/{planned.name}{suffix}" for suffix in written),
        partials=_partials(frames),
        loudness_db=round(max(loudness) - min(loudness), 2) if loudness else 0.0,
        rendered=" ".join(fingerprints),
    )


def wavetable_shortfalls(folder: Path, packed: PackedWavetable, peak_db: float) -> list[str]:
    """What the files of a wavetable fall short of: that they can be read as such, hold the same cycles, and that these
    have no constant offset, are evenly loud, and stay below a peak."""
    wav, surge = (folder / file for file in packed.files)
    try:
        content, samples = wav.read_bytes(), read(wav).samples[0]
        header, cycles = surge.read_bytes()[:12], np.frombuffer(surge.read_bytes()[12:], "<f4")
    except (OSError, RuntimeError, ValueError) as error:
        return [f"cannot be read: {error}"]
    problems = []
    chunks = {chunk.name: content[chunk.start : chunk.start + chunk.size] for chunk in riff.chunks(io.BytesIO(content))}
    if not chunks.get(b"clm ", b"").startswith(b"<!>%d " % FRAME):
        problems.append(f"{wav.name} doesn't state the length of a cycle")
    if header != struct.pack("<4sIHH", b"vawt", FRAME, packed.path.frames, 0):
        problems.append(f"{surge.name} doesn't begin as Surge's format does")
    if len(samples) != packed.path.frames * FRAME:
        return [*problems, f"{wav.name} has {len(samples)} samples, not {packed.path.frames} cycles of {FRAME}"]
    if not np.array_equal(samples, cycles):
        problems.append("its files hold different cycles")
    frames = samples.reshape(-1, FRAME)
    levels = np.sqrt(np.mean(np.square(frames, dtype=np.float64), axis=1))
    if not levels.all():
        problems.append(f"cycle {int(np.argmin(levels)) + 1} is silent")
    offset = np.abs(np.mean(frames, axis=1, dtype=np.float64)) / np.maximum(levels, 1e-9)
    if gain_to_db(float(np.max(offset))) > _OFFSET_DB:
        problems.append(f"cycle {int(np.argmax(offset)) + 1} has a constant offset (DC)")
    loudness = _loudness(frames, packed.path.at)
    if loudness and max(loudness) - min(loudness) > _EVEN_DB:
        problems.append(f"its cycles differ by {max(loudness) - min(loudness):.1f} dB, more than {_EVEN_DB}")
    if gain_to_db(float(np.max(np.abs(frames)))) > peak_db + _PEAK_TOLERANCE_DB:
        problems.append(f"its peak is above {peak_db:.2f} dB")
    return problems


def play_cycle(cycle: Frames, pitch: int, seconds: float, rate_hz: int = _PLAYED_HZ) -> Audio:
    """A cycle as a synthesizer plays it at a key, with all partials below half the rate, one channel.

    Args:
        cycle: float32, shape (samples of a cycle,).
        pitch: MIDI.
        seconds: for how long.
        rate_hz: of the result.
    """
    spectrum = np.fft.rfft(cycle) * 2.0 / len(cycle)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    heard = [k for k in np.flatnonzero(np.abs(spectrum) > 1e-7) if k * pitch_hz(pitch) < rate_hz / 2]
    wave = np.zeros(len(time_s))
    for k in heard:
        wave += np.real(spectrum[k] * np.exp(2j * np.pi * k * pitch_hz(pitch) * time_s))
    return Audio(wave[np.newaxis].astype(np.float32), rate_hz)


def _loudness(frames: Frames, pitch: int) -> list[float]:
    """The loudness of the cycles at a key, LUFS; silent ones are left out."""
    measured = (loudness_lufs(play_cycle(cycle, pitch, 0.5)) for cycle in frames)
    return [loudness for loudness in measured if loudness is not None]


def _partials(frames: Frames) -> int:
    """The number of the highest partial within 80 dB of the strongest of its cycle."""
    magnitude = np.abs(np.fft.rfft(frames, axis=1))
    heard = magnitude > magnitude.max(axis=1, keepdims=True) * 10.0 ** (_HEARD_DB / 20.0)
    return int(np.max(np.flatnonzero(heard.any(axis=0)), initial=1))


def _draw(path: Path, title: str, frames: Frames) -> None:
    """Draw the cycles of a wavetable one behind the other, and the levels of their partials."""

    def content(figure: Figure) -> None:
        from matplotlib import colormaps

        figure.suptitle(title, parse_math=False)
        cycles, levels = figure.subplots(1, 2)
        shown = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), _MOST_RIDGES)).round().astype(int))
        for order, number in enumerate(reversed(shown)):
            wave = frames[number, ::4] * 4.0 * len(frames) / len(shown)
            colour = colormaps["viridis"](number / max(len(frames) - 1, 1))
            phase = np.linspace(0.0, 1.0, len(wave))
            cycles.fill_between(
                phase, number + wave, number - len(frames), color="white", linewidth=0.0, zorder=2 * order
            )
            cycles.plot(phase, number + wave, color=colour, linewidth=0.9, zorder=2 * order + 1)
        margin = 5.0 * len(frames) / len(shown)
        cycles.set(xlabel="time, periods", ylabel="cycle", xlim=(0.0, 1.0), ylim=(-margin, len(frames) - 1 + margin))
        cycles.set_yticks([0, len(frames) - 1], ["1", str(len(frames))])
        magnitude = np.abs(np.fft.rfft(frames, axis=1))[:, 1 : _MOST_DRAWN + 1]
        level_db = 20.0 * np.log10(np.maximum(magnitude / max(float(magnitude.max()), 1e-12), 1e-6))
        extent = (0.5, level_db.shape[1] + 0.5, 0.5, len(frames) + 0.5)
        image = levels.imshow(
            level_db,
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            extent=extent,
            cmap="magma",
            vmin=-_RANGE_DB,
            vmax=0.0,
        )
        levels.set(xlabel="partial", ylabel="cycle")
        figure.colorbar(image, ax=levels, label="level, dB", pad=0.01)

    draw(path, (12, 5), content)
