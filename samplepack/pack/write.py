"""The files of a pack: sounds, maps, clips, and what tells about them."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from samplepack.base.files import sha256_of_file
from samplepack.base.parallel import Map
from samplepack.clips import pictures
from samplepack.clips.clip import PlannedClip
from samplepack.finishing.behaviour import Behaviour
from samplepack.finishing.brightness import even_cutoffs_hz
from samplepack.finishing.finish import FinishedNote
from samplepack.finishing.levels import even_gains_db, limited, matched_gains_db
from samplepack.formats import WRITERS, sf2
from samplepack.formats.instrument import (
    VELOCITY_TRACKING_PERCENT,
    About,
    Instrument,
    Playing,
    Range,
    Zone,
    key_ranges,
    path_ranges,
    velocity_ranges,
    velocity_tracking_percent,
)
from samplepack.pack.identity import plain_clips, plain_effects, versions
from samplepack.pack.manifest import (
    VERSION,
    Manifest,
    PackedCheckpoint,
    PackedClip,
    PackedInstrument,
    PackedLoop,
    PackedNote,
    PackedTuning,
    PackedWavetable,
    PackedWidth,
    write_manifest,
)
from samplepack.pack.plan import PackPlan
from samplepack.pack.previews import write_preview
from samplepack.pack.readme import bank_file, license_text, readme
from samplepack.recipe import LoadedRecipe, Recipe, Sound
from samplepack.rendering.plan import PlannedInstrument
from samplepack.sound.audio import Audio, db_to_gain, encode
from samplepack.sound.loudness import loudness_lufs, true_peak_db
from samplepack.sound.riff import SamplerNote


@dataclass(frozen=True)
class SpooledNote:
    """A finished note whose samples wait on disk until all levels are known."""

    finished: FinishedNote
    """Without its samples."""

    file: Path
    """Its samples, float32, channel by channel, without a header: NumPy's own files are read by Python's parser, which
    in Python 3.11 isn't safe in threads."""

    render_of: int | None
    """MIDI pitch of the key whose render it is, resampled; None for the note's own."""


@dataclass(frozen=True)
class SpooledKey:
    """The finished notes of one key, or of one take of it."""

    layers: tuple[SpooledNote, ...]
    fingerprints: str
    """The fingerprints of the notes as the network made them, before all processing."""

    quieter_db: float | None = None
    """By how much the network renders the softest layer quieter than the hardest; None where it wasn't asked for
    velocities, or a layer is silent."""


def pack_gains_db(instruments: Sequence[Sequence[SpooledKey]], sound: Sound, takes: int = 1) -> list[list[float]]:
    """The gain of each note of each instrument, key by key and layer by layer: keys are evened out if the recipe asks
    for it, and instruments brought to the recipe's loudness. All layers of a key, which are matched already, have one
    gain, and all takes of a key are brought to the loudness of the first.

    Args:
        instruments: the keys of each, from the lowest, take by take.
        sound: the recipe's settings.
        takes: how many takes each key has.
    """
    even: list[list[float]] = []
    for keys in instruments:
        loudness = [key.layers[-1].finished.loudness_lufs for key in keys]
        firsts = loudness[::takes]
        gains_db = even_gains_db(firsts) if sound.level == "even" else [0.0] * len(firsts)
        even.append([])
        for i, own in enumerate(loudness):
            first = firsts[i // takes]
            like_first_db = 0.0 if first is None or own is None else first - own
            even[-1].append(gains_db[i // takes] + like_first_db)
    middles, peaks_db = [], []
    for keys, gains_db in zip(instruments, even, strict=True):
        last = [(key.layers[-1].finished.loudness_lufs, gain) for key, gain in zip(keys, gains_db, strict=True)]
        audible = [loudness + gain for loudness, gain in last if loudness is not None]
        middles.append(median(audible) if audible else None)
        peaks_db.append(
            max(
                note.finished.held_peak_db + gain
                for key, gain in zip(keys, gains_db, strict=True)
                for note in key.layers
            )
        )
    matched = matched_gains_db(middles, peaks_db, sound.loudness_lufs, sound.peak_db)
    return [
        [gain + matched_db for key, gain in zip(keys, gains_db, strict=True) for _ in key.layers]
        for keys, gains_db, matched_db in zip(instruments, even, matched, strict=True)
    ]


def write_instrument(
    folder: Path,
    planned: PlannedInstrument,
    behaviour: Behaviour,
    keys: Sequence[SpooledKey],
    gains_db: Sequence[float],
    recipe: Recipe,
    playing: Playing,
    map_: Map,
) -> PackedInstrument:
    """Write the sound files of an instrument at their final level, its map in each format, and its preview.

    Arguments as for `write_sounds`, and `playing`: how the instrument answers to a player's hands.
    """
    packed = write_sounds(folder, planned, behaviour, keys, gains_db, recipe, map_)
    instrument = _write_maps(folder, packed, recipe, playing)
    return packed.model_copy(update={"preview": write_preview(folder, instrument, recipe.sound.peak_db)})


def write_sounds(
    folder: Path,
    planned: PlannedInstrument,
    behaviour: Behaviour,
    keys: Sequence[SpooledKey],
    gains_db: Sequence[float],
    recipe: Recipe,
    map_: Map,
) -> PackedInstrument:
    """Write the sound files of an instrument at their final level.

    Args:
        folder: the pack's folder.
        planned: the instrument.
        behaviour: whether it sustains or decays.
        keys: its finished keys, from the lowest, take by take.
        gains_db: of each note of each key, as `pack_gains_db` gives them.
        recipe: gives the formats, and how sound files are written.
        map_: writes sound files side by side.
    """
    layers = len(keys[0].layers)
    (folder / "Samples" / planned.name).mkdir(parents=True)
    write = partial(_write_note, folder, planned.name, recipe.sound, layers, planned.takes)
    spooled = ((i % planned.takes, note) for i, key in enumerate(keys) for note in key.layers)
    notes = tuple(map_(write, ((take, note, db) for (take, note), db in zip(spooled, gains_db, strict=True))))
    quieter_db = [key.quieter_db for key in keys if key.quieter_db is not None]
    tracking = VELOCITY_TRACKING_PERCENT
    if quieter_db:
        tracking = velocity_tracking_percent(median(quieter_db), planned.velocities[0], planned.velocities[-1])
    return PackedInstrument(
        name=planned.name,
        origin=planned.origin,
        axis=planned.axis,
        behaviour=behaviour,
        latents=tuple(tuple(float(str(value)) for value in z) for z in planned.latents),
        velocities=planned.velocities,
        velocity_tracking_percent=tracking,
        rendered={
            str(keys[i].layers[0].finished.pitch): " ".join(key.fingerprints for key in keys[i : i + planned.takes])
            for i in range(0, len(keys), planned.takes)
        },
        notes=notes,
    )


def write_twin(
    folder: Path, planned: PlannedInstrument, packed: PackedInstrument, recipe: Recipe, playing: Playing
) -> PackedInstrument:
    """Write the maps of an instrument that has the same notes as one that was written: they play its sound files, and
    it has the same preview."""
    twin = packed.model_copy(update={"name": planned.name, "origin": planned.origin})
    _write_maps(folder, twin, recipe, playing)
    return twin


def write_bank(folder: Path, instruments: Sequence[PackedInstrument], recipe: Recipe, playing: Playing) -> None:
    """Write a soundfont of all instruments, where the recipe asks for that format, there are several, and they fit."""
    if "sf2" in recipe.formats and len(instruments) > 1:
        presets = [_instrument_of(packed, recipe, playing) for packed in instruments]
        sf2.write_bank(recipe.name, _about(recipe), presets, folder, folder / bank_file(recipe.name))


def _write_maps(folder: Path, packed: PackedInstrument, recipe: Recipe, playing: Playing) -> Instrument:
    instrument = _instrument_of(packed, recipe, playing)
    for name in recipe.formats:
        suffix, write_map = WRITERS[name]
        (folder / "Instruments" / f"{packed.name}{suffix}").write_bytes(write_map(instrument, folder))
    return instrument


def _instrument_of(packed: PackedInstrument, recipe: Recipe, playing: Playing) -> Instrument:
    zones, picture = zones_of(packed, recipe.play.stretch_keys), f"Pictures/{packed.name}.png"
    tracking = packed.velocity_tracking_percent
    return Instrument(packed.name, zones, packed.behaviour, tracking, playing, _about(recipe), picture)


def _about(recipe: Recipe) -> About:
    return About(recipe.author, recipe.license, recipe.description, recipe.category, recipe.tags)


def zones_of(packed: PackedInstrument, stretch: int) -> tuple[Zone, ...]:
    """The keys, velocities and positions of the mod wheel that play each sound of an instrument.

    Args:
        packed: the instrument.
        stretch: how many keys beyond the lowest and the highest rendered one are played.
    """
    layers, takes = (
        1 + max(numbers) for numbers in zip(*((note.layer, note.take) for note in packed.notes), strict=True)
    )
    notes, axis = packed.notes, packed.axis
    # Velocity layers that the network rendered are darker by themselves. The layers of a morph, of which a filter would
    # take more from the brighter ones, must stay equally loud.
    darkened = (len(packed.latents) == 1 or axis == "keys") and not packed.velocities
    pitches = sorted({note.pitch for note in notes})
    keys = key_ranges(pitches, stretch)
    velocities: dict[tuple[int, int], Sequence[Range]] = {}
    wheel: dict[tuple[int, int], Sequence[Range | None]] = {}
    soft_cutoffs_hz: dict[tuple[int, int], float] = {}
    for pitch, take in {(note.pitch, note.take) for note in notes}:
        together = [note for note in notes if (note.pitch, note.take) == (pitch, take)]
        alike = [note.alike for note in together if note.alike is not None]
        velocities[pitch, take], wheel[pitch, take] = [Range(1, 127)] * layers, [None] * layers
        if axis == "wheel":
            wheel[pitch, take] = path_ranges(alike, axis)
        elif axis == "velocity path":
            velocities[pitch, take] = path_ranges(alike, axis)
        elif axis == "velocity":
            velocities[pitch, take] = velocity_ranges(layers)
    for take in range(takes if darkened else 0):
        # Layers that are mixed have one cutoff, since filters that differ would turn their phases apart.
        of_take = [
            median(note.soft_cutoff_hz for note in notes if (note.pitch, note.take) == (pitch, take))
            for pitch in pitches
        ]
        even_hz = even_cutoffs_hz(of_take, pitches)
        soft_cutoffs_hz.update(((pitch, take), hz) for pitch, hz in zip(pitches, even_hz, strict=True))
    return tuple(
        Zone(
            note.file,
            note.frames,
            note.pitch,
            keys[note.pitch],
            velocities[note.pitch, note.take][note.layer],
            wheel[note.pitch, note.take][note.layer],
            layer=note.layer,
            loop=note.loop.loop if note.loop else None,
            soft_cutoff_hz=soft_cutoffs_hz.get((note.pitch, note.take)),
            turn=note.take + 1,
            turns=takes,
        )
        for note in notes
    )


def _write_note(
    folder: Path, instrument: str, sound: Sound, layers: int, takes: int, leveled: tuple[int, SpooledNote, float]
) -> PackedNote:
    take, spooled, gain_db = leveled
    note, looped = spooled.finished, spooled.finished.looped
    samples = np.fromfile(spooled.file, "<f4").reshape(looped.audio.samples.shape[0], -1)
    audio = Audio(samples * np.float32(db_to_gain(gain_db)), looped.audio.rate_hz)
    peak_db = note.true_peak_db + gain_db
    loudness = None if note.loudness_lufs is None else note.loudness_lufs + gain_db
    if looped.loop and peak_db > sound.peak_db:
        audio = limited(audio, looped.loop.start, sound.peak_db)
        peak_db, loudness = true_peak_db(audio), loudness_lufs(audio)
    layer = f"_{note.layer + 1}" if layers > 1 else ""
    turn = f"_rr{take + 1}" if takes > 1 else ""
    file = f"Samples/{instrument}/{instrument}_{note.pitch:03d}{layer}{turn}.{sound.file}"
    encoded = encode(audio, sound.file, sound.bits, zlib.crc32(file.encode()), SamplerNote(note.pitch, looped.loop))
    (folder / file).write_bytes(encoded)
    loop = None
    if looped.loop and looped.seam:
        loop = PackedLoop(
            frames=(looped.loop.start, looped.loop.end),
            step=_rounded(looped.seam.step),
            flux=_rounded(looped.seam.flux),
            swing_db=_rounded(looped.seam.swing_db),
        )
    width = None
    if note.width:
        width = PackedWidth(correlation=_rounded(note.width.correlation), mono_db=_rounded(note.width.mono_db))
    tuning = None
    if note.tuning:
        off_cents = note.tuning.cents
        tuning = PackedTuning(state=note.tuning.state, was_off_cents=None if off_cents is None else _rounded(off_cents))
    return PackedNote(
        pitch=note.pitch,
        file=file,
        sha256=hashlib.sha256(encoded).hexdigest(),
        frames=audio.samples.shape[1],
        tuning=tuning,
        cents=None if note.cents is None else _rounded(note.cents),
        loop=loop,
        why_no_loop=looped.why_not,
        render_of=spooled.render_of,
        gain_db=_rounded(gain_db),
        layer=note.layer,
        take=take,
        alike=None if note.alike is None else _rounded(note.alike),
        soft_cutoff_hz=_rounded(note.soft_cutoff_hz),
        true_peak_db=_rounded(peak_db),
        decay_s=None if note.decay_s is None else _rounded(note.decay_s),
        offset_db=_rounded(note.offset_db),
        width=width,
        loudness_lufs=None if loudness is None else _rounded(loudness),
    )


def _rounded(value: float) -> float:
    """A measurement as `pack.json` keeps it."""
    return round(value, 2) + 0.0


def write_clip(folder: Path, planned: PlannedClip, audio: Audio, loaded: LoadedRecipe) -> PackedClip:
    """Write the sound file and the picture of a clip."""
    sound = loaded.recipe.sound
    file = f"Clips/{planned.name}.{sound.file}"
    (folder / "Clips").mkdir(exist_ok=True)
    (folder / file).write_bytes(encode(audio, sound.file, sound.bits, zlib.crc32(file.encode())))
    notes = planned.score.notes
    picture = folder / "Clips" / f"{planned.name}.png"
    pictures.draw_clip(picture, planned.name, audio, notes, planned.path_positions, planned.timbres)
    return PackedClip(
        name=planned.name,
        file=file,
        how=plain_clips(loaded)[planned.name],
        notes=len(notes),
        dropped=planned.score.dropped,
        length_s=_rounded(planned.score.length_s),
    )


def write_metadata(
    folder: Path,
    plan: PackPlan,
    instruments: Sequence[PackedInstrument],
    clips: Sequence[PackedClip],
    wavetables: Sequence[PackedWavetable],
) -> Manifest:
    """Write the recipe, README, licence, and last `pack.json`, over all files in the folder of a pack.

    Args:
        folder: holds everything else of the pack.
        plan: what was built.
        instruments: as they were written.
        clips: as they were written.
        wavetables: as they were written.
    """
    loaded, recipe, checkpoint = plan.loaded, plan.loaded.recipe, plan.checkpoint
    (folder / "recipe.yaml").write_bytes(loaded.text)
    has_bank = (folder / bank_file(recipe.name)).is_file()
    (folder / "README.md").write_text(readme(recipe, instruments, clips, wavetables, has_bank), encoding="utf-8")
    (folder / "LICENSE.txt").write_text(license_text(recipe, checkpoint), encoding="utf-8")
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    digests = {note.file: note.sha256 for instrument in instruments for note in instrument.notes}
    manifest = Manifest(
        pack=VERSION,
        name=recipe.name,
        description=recipe.description,
        author=recipe.author,
        license=recipe.license,
        category=recipe.category,
        tags=recipe.tags,
        versions=versions(plan.engine, recipe),
        precision=plan.engine.precision,
        checkpoint=PackedCheckpoint(
            name=Path(checkpoint.name).name, family=checkpoint.config.family, digest=checkpoint.digest
        ),
        inputs=plan.inputs,
        rate_hz=recipe.sound.rate_for(checkpoint.rate_hz),
        velocity=recipe.velocity,
        round_robin=recipe.round_robin,
        play=recipe.play,
        process=plain_effects(loaded),
        sound=recipe.sound,
        formats=recipe.formats,
        instruments=tuple(instruments),
        clips=tuple(clips),
        wavetables=tuple(wavetables),
        files={file: digests.get(file) or sha256_of_file(folder / file) for file in files},
    )
    write_manifest(folder, manifest)
    return manifest
