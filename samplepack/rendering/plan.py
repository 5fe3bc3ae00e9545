"""`Recipe` + `Checkpoint` → the instruments to build and the notes to render. Pure: no disk, clock or TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from samplepack.models.latent import Latent, latent_from_seed, path_points, slerp
from samplepack.recipe import Recipe, point_names

Axis = Literal["none", "velocity", "wheel"]

_SIDEWAYS_SEED = 19
_SIDEWAYS = 0.1
"""How far left and right lie from the latent between them, as a share of the arc to a direction of their own."""


@dataclass(frozen=True, eq=False)
class Note:
    """One sound for the network to render."""

    pitch: int
    """MIDI."""

    z: Latent
    """float32, shape (latent_dim,)."""

    key: str
    """What the sound is, as a hash: the same key is the same sound."""


@dataclass(frozen=True, eq=False)
class PlannedInstrument:
    """One instrument to build."""

    name: str
    origin: str
    """Where it lies, as the recipe says it."""

    axis: Axis
    """What its layers lie along."""

    layers: tuple[Latent, ...]
    """From the softest, or from the mod wheel's lower end; float32, shape (latent_dim,)."""

    keys: tuple[tuple[Note, ...], ...]
    """For each pitch, from the lowest, a note for each layer; in stereo its left and its right one."""


def make_plan(recipe: Recipe, latent_dim: int, digest: str, engine: str) -> tuple[PlannedInstrument, ...]:
    """Every instrument of a recipe: timbres in their order, then the bank, then the paths.

    Args:
        recipe: known to make sense.
        latent_dim: the checkpoint's.
        digest: the checkpoint's.
        engine: what renders; `Engine` in words.
    """

    def instrument(name: str, origin: str, axis: Axis, layers: Sequence[Latent]) -> PlannedInstrument:
        heard = [z for layer in layers for z in (sides(layer) if recipe.sound.channels == "stereo" else [layer])]
        keys = tuple(
            tuple(Note(pitch, z, note_key(engine, digest, z, pitch)) for z in heard) for pitch in recipe.pitches
        )
        return PlannedInstrument(name, origin, axis, tuple(layers), keys)

    latents = timbre_latents(recipe, latent_dim)
    soft = latents[recipe.velocity.toward] if recipe.velocity and recipe.velocity.toward else None
    points = {name: (origin, latents[name]) for name, origin in origins(recipe).items()}
    morphs = []
    for name, path in recipe.paths.items():
        origin = f"path: {', '.join(path.through)}"
        through = [latents[timbre] for timbre in path.through]
        stations = path_points(through, path.steps, path.spacing, path.interpolation)
        if path.as_ == "morph":
            morphs.append(instrument(name, origin, "wheel", stations))
        else:
            points.update((name, (origin, z)) for name, z in zip(point_names(name, path.steps), stations, strict=True))
    single = []
    for name, (origin, z) in points.items():
        if recipe.velocity and soft is not None:
            single.append(instrument(name, origin, "velocity", path_points([soft, z], recipe.velocity.layers)))
        else:
            single.append(instrument(name, origin, "velocity" if recipe.velocity else "none", [z]))
    return (*single, *morphs)


def origins(recipe: Recipe) -> dict[str, str]:
    """Where each timbre and each of the bank lies, as the recipe says it."""
    of_bank = {recipe.bank.timbre(seed): f"seed: {seed}" for seed in recipe.bank.seeds} if recipe.bank else {}
    return {name: timbre.origin for name, timbre in recipe.timbres.items()} | of_bank


def sides(z: Latent) -> list[Latent]:
    """Latents for left and right: a little to either side of a latent, in a direction that is always the same."""
    direction = latent_from_seed(_SIDEWAYS_SEED, len(z))
    return [slerp(z, side, _SIDEWAYS) for side in (direction, -direction)]


def timbre_latents(recipe: Recipe, latent_dim: int) -> dict[str, Latent]:
    """The latent of each timbre and of each of the bank, in their order."""
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
    """The latent of a timbre, on the arc from its origin to the timbre that it lies toward, if any."""
    timbre = recipe.timbres.get(name)
    if timbre is None or timbre.toward is None or timbre.at is None:
        return origin
    return slerp(origin, latents[timbre.toward], timbre.at)


def note_key(engine: str, digest: str, z: Latent, pitch: int) -> str:
    """A hash of all that changes a note's raw sound, and of nothing else."""
    sound = hashlib.sha256(f"{engine}\n{digest}\n{pitch}\n".encode())
    sound.update(z.astype("<f4").tobytes())
    return sound.hexdigest()
