"""What a pack tells people: its README, its licence, and a line for each instrument and clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from samplepack.base.errors import counted
from samplepack.base.version import __version__
from samplepack.clips.score import left_out
from samplepack.formats import sf2
from samplepack.models.checkpoint import Checkpoint
from samplepack.pack.manifest import (
    MANIFEST,
    PackedClip,
    PackedInstrument,
    PackedNote,
    PackedWavetable,
    middle_loudness,
)
from samplepack.recipe import Recipe
from samplepack.rendering.plan import layers_in_words

IN_TUNE_CENTS = 3.0
"""A key within this of its pitch is in tune."""


def summary(notes: Sequence[PackedNote]) -> str:
    """What the notes of an instrument measure, in a line."""
    off = [abs(note.cents) for note in notes if note.cents is not None]
    loops = [note.loop for note in notes if note.loop]
    reasons = [note.why_no_loop for note in notes if note.why_no_loop]
    keys, layers = len({note.pitch for note in notes}), 1 + max((note.layer for note in notes), default=0)
    takes = 1 + max((note.take for note in notes), default=0)
    parts = [counted(keys, "key") + (f" in {layers} layers" if layers > 1 else "")]
    if takes > 1:
        parts.append(f"{takes} takes of each")
    if off:
        parts.append(f"{sum(c <= IN_TUNE_CENTS for c in off)} of {len(off)} in tune (worst {max(off):.1f} cents)")
    if loops:
        parts.append(f"sustains: {counted(len(loops), 'loop')} (worst flux {max(loop.flux for loop in loops):.2f})")
    parts += [f"{reasons.count(reason)} unlooped ({reason})" for reason in sorted(set(reasons))]
    if decays_s := [note.decay_s for note in notes if note.decay_s is not None]:
        parts.append(f"decays by 20 dB in {min(decays_s):.1f} to {max(decays_s):.1f} s")
    if widths := [note.width for note in notes if note.width]:
        correlation, mono_db = min(width.correlation for width in widths), min(width.mono_db for width in widths)
        parts.append(f"left and right correlate by {correlation:.2f} or more (sum to mono {mono_db:.1f} dB)")
    if (loudness := middle_loudness(notes)) is not None:
        parts.append(f"{loudness:.1f} LUFS")
    return ", ".join([*parts, f"peak {max((note.true_peak_db for note in notes), default=-200.0):.1f} dBTP"])


def clip_summary(clip: PackedClip) -> str:
    """How long a clip is and what of its MIDI file was left out, in a line."""
    return f"{counted(clip.notes, 'note')}, {clip.length_s:.0f} s{left_out(clip.dropped)}"


_PLAYERS = {
    "sfz": "an .sfz loads into sforzando, sfizz, Bitwig, Ardour, Reaper (with sfizz or sforzando) and others",
    "multisample": "a .multisample loads into Bitwig and Studio One",
    "decentsampler": "a .dspreset loads into DecentSampler",
    "sf2": "an .sf2 loads into FluidSynth, LMMS, MuseScore, Ardour, Polyphone and others, and holds its own sounds",
}
"""Format → where its files can be played."""


def wavetable_summary(wavetable: PackedWavetable) -> str:
    """What a wavetable is made of and what was measured of it, in a line."""
    path = wavetable.path
    return (
        f"wavetable of {path.frames} cycles through {', '.join(path.through)}, {wavetable.partials} partials of key "
        f"{path.at}, evenly loud to {wavetable.loudness_db:.1f} dB"
    )


def bank_file(name: str) -> str:
    """The soundfont of all instruments of a pack with a name, in the pack's folder."""
    return f"{name}.sf2"


def readme(
    recipe: Recipe,
    instruments: Sequence[PackedInstrument],
    clips: Sequence[PackedClip],
    wavetables: Sequence[PackedWavetable],
    has_bank: bool,
) -> str:
    """The README of a pack.

    Args:
        recipe: the pack's.
        instruments: in the pack.
        clips: in the pack.
        wavetables: in the pack.
        has_bank: whether it has a soundfont of all instruments.
    """
    lines = [f"# {recipe.name}", ""]
    if recipe.description:
        lines += [recipe.description, ""]
    lines += [
        "![How the instruments sound over the keyboard](Pictures/overview.png)",
        "",
        f"{counted(len(instruments), 'sampler instrument')}, in `Instruments/`: "
        f"{', '.join(_PLAYERS[name] for name in recipe.formats if name in _PLAYERS)}.",
        "Keep the folders together, since the maps look for their sounds in `Samples/`.",
        "",
        "`Previews/` has a phrase of each, played by its own sounds.",
        "",
        "| instrument | what was measured |",
        "|---|---|",
    ]
    lines += [f"| {instrument.name} | {summary(instrument.notes)} |" for instrument in instruments]
    if layers := layers_in_words(recipe, next((i.velocities for i in instruments if i.velocities), ())):
        lines += ["", f"The instruments have {layers}."]
    if recipe.round_robin > 1:
        lines += [
            "",
            f"Each key has {recipe.round_robin} takes, which play in turn when it is struck again (round robin): the",
            "timbre itself, and neighbours of it. Their sounds are called `_rr1`, `_rr2` and so on.",
        ]
    if morphs := [instrument for instrument in instruments if instrument.axis == "wheel"]:
        voices = max(len(instrument.latents) for instrument in morphs)
        lines += [
            "",
            "In a morph the mod wheel (CC1) travels from timbre to timbre, also under held notes. All layers of a note",
            f"sound at once, so that it takes up to {voices} voices. The format .multisample has no controllers: there",
            "the layers lie along `select`.",
        ]
    if by_velocity := [instrument.name for instrument in instruments if instrument.axis == "velocity path"]:
        lines += [
            "",
            f"In {', '.join(by_velocity)} velocity travels from timbre to timbre: the path begins with the softest",
            "notes and ends with the hardest. Neighbouring layers crossfade, but in DecentSampler, which can't fade",
            "between velocities, they switch.",
        ]
    if by_keys := [instrument.name for instrument in instruments if instrument.axis == "keys"]:
        lines += [
            "",
            f"In {', '.join(by_keys)} each key has its own place on the way from timbre to timbre: the path begins",
            "with the lowest rendered key and ends with the highest.",
        ]
    if wavetables:
        lines += [
            "",
            "Single cycles for synthesizers, in `Wavetables/`: Serum, Vital, Surge and others load the .wav, Surge and",
            "Bitwig the .wt.",
            "",
        ]
        lines += [f"- {wavetable.name}: {wavetable_summary(wavetable)}" for wavetable in wavetables]
    if "sf2" in recipe.formats and (about := _about_sf2(recipe, instruments, has_bank)):
        lines += ["", *about]
    if clips:
        lines += ["", "Played along a path of timbres, in `Clips/`:", ""]
        lines += [f"- {clip.name}: {clip_summary(clip)}" for clip in clips]
    lines += [
        "",
        f"Made by samplepack {__version__} from `recipe.yaml`. What was measured stands in `{MANIFEST}`.",
        "",
    ]
    return "\n".join(lines)


def _about_sf2(recipe: Recipe, instruments: Sequence[PackedInstrument], has_bank: bool) -> list[str]:
    """What the soundfonts of a pack hold, and what of it the format can't."""
    lines = []
    if has_bank:
        lines.append(f"`{bank_file(recipe.name)}` has all instruments as presets, in the order of the table.")
    elif len(instruments) > 1:
        lines.append("There is no soundfont of all instruments: the format can't hold as much in one file.")
    if recipe.round_robin > 1:
        lines.append("Soundfonts have no round robin: each key plays its first take.")
    if most := max((len(i.latents) for i in instruments if i.axis == "wheel"), default=0):
        lines.append(
            "In a soundfont the fades between the timbres of a morph come close to those of the other formats."
        )
        if most > sf2.MOST_LAYERS:
            lines.append(
                f"It keeps {sf2.MOST_LAYERS} timbres of a morph apart on the wheel; of more, as many stand in it, at "
                "even distances."
            )
    return lines


def license_text(recipe: Recipe, checkpoint: Checkpoint) -> str:
    """The licence of a pack: the recipe's own, what its sounds come from, and the terms of its checkpoint."""
    config = checkpoint.config
    origins = (("trained_on", "trained on"), ("from", "going on from"), ("imported_from", "imported from"))
    origin = "".join(f", {words} {config.provenance[key]}" for key, words in origins if key in config.provenance)
    owner = f"by {recipe.author}" if recipe.author else "in this pack"
    lines = [f"The sounds {owner}: {recipe.license or 'no licence is stated; ask their author'}.", ""]
    lines += ["They were rendered by samplepack, which claims no rights in what its users make with it.", ""]
    lines += [f"Checkpoint '{Path(checkpoint.name).name}'{origin}, with the digest {checkpoint.digest}.", ""]
    lines += [config.license or "It states no terms; ask those who made it, and those of what it was trained on.", ""]
    return "\n".join(lines)
