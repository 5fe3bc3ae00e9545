"""Planning: from a recipe and a checkpoint's properties to the instruments to build and the notes to render.

The functions are pure: they use neither files nor a clock nor TensorFlow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from samplepack.models.checkpoint import Checkpoint
from samplepack.models.latent import Latent, latent_from_seed, path_points, slerp
from samplepack.recipe import LatentPath, Recipe, point_names
from samplepack.recipe.model import MorphAxis

Axis = Literal["none", "velocity", "velocity path", "wheel", "keys"]
"""What selects among the latents of an instrument: `velocity` is that of a recipe's velocity layers, the last three are
those of morphs by velocity, wheel and keys."""

_AXES_OF_MORPHS: dict[MorphAxis, Axis] = {"wheel": "wheel", "velocity": "velocity path", "keys": "keys"}

_T = TypeVar("_T")

_SIDEWAYS_SEED = 19
_SIDEWAYS = 0.1
"""Distance of the left and the right latent from the one between them, as a fraction of the arc to a fixed latent."""


_FIRST_TAKE_SEED = 101
_BETWEEN_TAKES = 0.12
"""Distance of each further take of a round robin from the timbre, as a fraction of the arc to a fixed latent.

Measured on 12 timbres of the first starter at 3 pitches: takes lie 1.1 dB (log-mel) from their timbre in the median,
the nearest instrument that the starter knows 2.9 dB; at 0.05 takes would lie 0.5 dB away, at 0.3 as far as an
instrument."""


@dataclass(frozen=True, eq=False)
class Note:
    """A note for the network to render."""

    pitch: int
    """MIDI note number."""

    z: Latent
    """The latent, float32, shape (latent_dim,)."""

    velocity: int | None
    """MIDI velocity at which the network renders it; None: the hardest, or the network hasn't learned velocity."""

    key: str
    """The hash from `note_key`: notes with the same key sound the same, bit for bit."""


@dataclass(frozen=True, eq=False)
class PlannedInstrument:
    """An instrument to build."""

    name: str
    origin: str
    """The instrument's place in latent space, in the words of the recipe: `seed: 7, toward: Choir, at: 0.25`."""

    axis: Axis
    """What selects among the latents: velocity or the mod wheel among those of layers, the key, or nothing."""

    latents: tuple[Latent, ...]
    """The latent of each layer, float32, shape (latent_dim,), from the softest layer or the mod wheel's lower end; by
    keys, that of each pitch, from the lowest."""

    velocities: tuple[int, ...]
    """The MIDI velocity at which the network renders each layer; empty where it isn't asked for any."""

    takes: int
    """How many renders of each pitch take turns (round robin)."""

    keys: tuple[tuple[Note, ...], ...]
    """For each pitch, from the lowest, and each take of it, the notes of all layers in order; in stereo, left and right
    for each layer."""

    sounds: str
    """The name of the first instrument whose notes are the same: its sound files serve both."""

    @property
    def has_own_sounds(self) -> bool:
        """Whether no earlier instrument has the same notes."""
        return self.sounds == self.name


def make_plan(recipe: Recipe, checkpoint: Checkpoint, engine: str) -> tuple[PlannedInstrument, ...]:
    """The instruments of a recipe: those of timbres in their order, then those of the bank and of paths, then morphs.

    Args:
        recipe: the recipe, as `load_recipe` gives it.
        checkpoint: the checkpoint that renders.
        engine: the engine that renders, as `str(engine)`; it is part of the notes' keys.
    """
    learned = checkpoint.config.velocities
    named: dict[tuple[Axis, tuple[str, ...]], str] = {}

    def note(pitch: int, z: Latent, velocity: int) -> Note:
        given = None if learned is None or velocity >= learned[1] else velocity
        return Note(pitch, z, given, note_key(engine, checkpoint.digest, z, pitch, given))

    def instrument(
        name: str, origin: str, axis: Axis, latents: Sequence[Latent], velocities: Sequence[int] = ()
    ) -> PlannedInstrument:
        struck = list(zip(latents, velocities or [127] * len(latents), strict=True))
        takes = [
            [[(side, velocity) for side in channels(take(z, number))] for z, velocity in struck]
            for number in range(recipe.round_robin)
        ]
        layers_of_takes = (layers_of_keys(axis, one, len(recipe.pitches)) for one in takes)
        keys = tuple(
            tuple(note(pitch, z, velocity) for layer in layers for z, velocity in layer)
            for pitch, *of_takes in zip(recipe.pitches, *layers_of_takes, strict=True)
            for layers in of_takes
        )
        sounds = named.setdefault((axis, tuple(note.key for key in keys for note in key)), name)
        return PlannedInstrument(
            name, origin, axis, tuple(latents), tuple(velocities), recipe.round_robin, keys, sounds
        )

    def channels(z: Latent) -> list[Latent]:
        return sides(z) if recipe.sound.channels == "stereo" else [z]

    timbres = timbre_latents(recipe, checkpoint.latent_dim)
    soft = timbres[recipe.velocity.toward] if recipe.velocity and recipe.velocity.toward else None
    points = {name: (origin, timbres[name]) for name, origin in origins(recipe).items()}
    morphs = []
    for name, path in recipe.paths.items():
        if path.as_ == "wavetable":
            continue
        origin = f"path: {', '.join(path.through)}" + (f", by: {path.by}" if path.by != "wheel" else "")
        through = [timbres[timbre] for timbre in path.through]
        lowest, highest = recipe.pitches[0], recipe.pitches[-1]
        steps = path.steps or highest - lowest + 1
        stations = path_points(through, steps, path.spacing, path.interpolation)
        if path.as_ == "instruments":
            points.update((name, (origin, z)) for name, z in zip(point_names(name, steps), stations, strict=True))
        else:
            if path.by == "keys":
                stations = [stations[pitch - lowest] for pitch in recipe.pitches]
            morphs.append(instrument(name, origin, _AXES_OF_MORPHS[path.by], stations))
    single = []
    velocities = rendered_velocities(recipe, learned)
    for name, (origin, z) in points.items():
        if velocities:
            single.append(instrument(name, origin, "velocity", [z] * len(velocities), velocities))
        elif recipe.velocity and soft is not None:
            single.append(instrument(name, origin, "velocity", path_points([soft, z], recipe.velocity.layers)))
        else:
            single.append(instrument(name, origin, "velocity" if recipe.velocity else "none", [z]))
    return (*single, *morphs)


@dataclass(frozen=True, eq=False)
class PlannedWavetable:
    """A wavetable to build."""

    name: str
    path: LatentPath
    """The path that it follows."""

    notes: tuple[Note, ...]
    """The note of each cycle, in order; of the timbre itself, also where the pack is stereo or has takes."""


def plan_wavetables(recipe: Recipe, checkpoint: Checkpoint, engine: str) -> tuple[PlannedWavetable, ...]:
    """The wavetables of a recipe, in their order; arguments as for `make_plan`."""
    timbres = timbre_latents(recipe, checkpoint.latent_dim)
    planned = []
    for name, path in recipe.paths.items():
        if path.as_ == "wavetable":
            through = [timbres[timbre] for timbre in path.through]
            latents = path_points(through, path.frames, path.spacing, path.interpolation)
            notes = (Note(path.at, z, None, note_key(engine, checkpoint.digest, z, path.at)) for z in latents)
            planned.append(PlannedWavetable(name, path, tuple(notes)))
    return tuple(planned)


def layers_of_keys(axis: Axis, latents: Sequence[_T], keys: int) -> list[Sequence[_T]]:
    """The layers of each key: all latents of an instrument or, by keys, one of them.

    Args:
        axis: what selects among the latents.
        latents: the instrument's latents, or what belongs to each.
        keys: how many keys there are.
    """
    return [[one] for one in latents] if axis == "keys" else [latents] * keys


def rendered_velocities(recipe: Recipe, learned: tuple[int, int] | None) -> list[int]:
    """The MIDI velocities at which the network renders a recipe's velocity layers, the softest first.

    They lie at even distances from the lowest velocity that it has learned to the highest. Empty where layers are made
    in another way, or there are none.

    Args:
        recipe: the recipe.
        learned: the lowest and the highest MIDI velocity that the network has learned; None: it hasn't.
    """
    if not recipe.velocity or recipe.velocity.toward or learned is None:
        return []
    return [round(velocity) for velocity in np.linspace(*learned, recipe.velocity.layers)]


def layers_in_words(recipe: Recipe, velocities: Sequence[int]) -> str:
    """How many velocity layers the instruments of a recipe have, and how they are made; empty without layers.

    Args:
        recipe: the recipe.
        velocities: those at which the network renders the layers, as `rendered_velocities` gives them.
    """
    if not recipe.velocity:
        return ""
    if recipe.velocity.toward:
        how = f"the softer ones on the way to {recipe.velocity.toward}"
    elif velocities:
        how = f"rendered by the network at velocities {', '.join(map(str, velocities[:-1]))} and {velocities[-1]}"
    else:
        how = "the softer ones by a low-pass filter, since the checkpoint hasn't learned velocity"
    return f"{recipe.velocity.layers} velocity layers, {how}"


def origins(recipe: Recipe) -> dict[str, str]:
    """The place of each timbre in latent space, those of the bank included, in the words of the recipe."""
    bank_origins = {recipe.bank.timbre(seed): f"seed: {seed}" for seed in recipe.bank.seeds} if recipe.bank else {}
    return {name: timbre.origin for name, timbre in recipe.timbres.items()} | bank_origins


def sides(z: Latent) -> list[Latent]:
    """Latents for left and right: to either side of a latent, in a direction that is the same for all latents."""
    direction = latent_from_seed(_SIDEWAYS_SEED, len(z))
    return [slerp(z, side, _SIDEWAYS) for side in (direction, -direction)]


def take(z: Latent, number: int) -> Latent:
    """The latent of a take of a round robin, float32, shape (latent_dim,).

    Args:
        z: the timbre.
        number: 0 is the timbre itself; each further take lies beside it, in a direction of its own that is the same for
            all timbres.
    """
    if number == 0:
        return z
    return slerp(z, latent_from_seed(_FIRST_TAKE_SEED + number - 1, len(z)), _BETWEEN_TAKES)


def timbre_latents(recipe: Recipe, latent_dim: int) -> dict[str, Latent]:
    """The latent of each timbre by its name: those of `timbres` in their order, then those of the bank."""
    own = {name: timbre.own_latent(latent_dim) for name, timbre in recipe.timbres.items()}
    if recipe.bank:
        own |= {recipe.bank.timbre(seed): latent_from_seed(seed, latent_dim) for seed in recipe.bank.seeds}
    latents: dict[str, Latent] = {}
    for name in own:
        chain = [name]
        while (toward := _toward(recipe, chain[-1])) is not None and toward not in latents:
            chain.append(toward)
        for link in reversed(chain):
            latents[link] = _placed(recipe, link, own[link], latents)
    return {name: latents[name] for name in own}


def _toward(recipe: Recipe, name: str) -> str | None:
    timbre = recipe.timbres.get(name)
    return timbre.toward if timbre else None


def _placed(recipe: Recipe, name: str, origin: Latent, latents: Mapping[str, Latent]) -> Latent:
    """The latent of a timbre: its origin or, with `toward`, a point on the arc from there to the other timbre; then
    moved along directions."""
    timbre = recipe.timbres.get(name)
    if timbre is None:
        return origin
    if timbre.toward is None or timbre.at is None:
        return timbre.moved(origin)
    return timbre.moved(slerp(origin, latents[timbre.toward], timbre.at))


def note_key(engine: str, digest: str, z: Latent, pitch: int, velocity: int | None = None) -> str:
    """A hash of everything that a note's rendered sound depends on: engine, checkpoint, latent, pitch and velocity."""
    struck = "" if velocity is None else f" {velocity}"
    sound = hashlib.sha256(f"{engine}\n{digest}\n{pitch}{struck}\n".encode())
    sound.update(z.astype("<f4").tobytes())
    return sound.hexdigest()
