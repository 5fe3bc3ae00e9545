"""`Recipe` + `Checkpoint` → the instruments to build and the notes to render. Pure: no disk, clock or TensorFlow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from samplepack.latent import INTERPOLATIONS, Latent, latent_from_seed, walk
from samplepack.recipe import Recipe, point_names


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
    z: Latent
    """float32, shape (latent_dim,)."""

    notes: tuple[Note, ...]
    """One for each pitch, from the lowest."""


def make_plan(recipe: Recipe, latent_dim: int, digest: str, engine: str) -> tuple[PlannedInstrument, ...]:
    """Every instrument of a recipe: timbres in their order, then the bank, then the points of the paths.

    Args:
        recipe: known to make sense.
        latent_dim: the checkpoint's.
        digest: the checkpoint's.
        engine: what renders; see `models.engine`.
    """
    latents = timbre_latents(recipe, latent_dim)
    points = dict(latents)
    for name, path in recipe.paths.items():
        through = [latents[timbre] for timbre in path.through]
        stations = walk(through, path.steps, path.spacing, path.interpolation)
        points.update(zip(point_names(name, path.steps), stations, strict=True))
    return tuple(
        PlannedInstrument(
            name, z, tuple(Note(pitch, z, note_key(engine, digest, z, pitch)) for pitch in recipe.pitches)
        )
        for name, z in points.items()
    )


def timbre_latents(recipe: Recipe, latent_dim: int) -> dict[str, Latent]:
    """The latent of each timbre and of each of the bank, in their order."""
    origins = {name: timbre.own_latent(latent_dim) for name, timbre in recipe.timbres.items()}
    if recipe.bank:
        origins |= {recipe.bank.timbre(seed): latent_from_seed(seed, latent_dim) for seed in recipe.bank.seeds}
    latents: dict[str, Latent] = {}

    def resolve(name: str) -> Latent:
        if name not in latents:
            timbre = recipe.timbres.get(name)
            z = origins[name]
            if timbre and timbre.toward is not None and timbre.at is not None:
                z = INTERPOLATIONS["slerp"](z, resolve(timbre.toward), timbre.at)
            latents[name] = z
        return latents[name]

    return {name: resolve(name) for name in origins}


def note_key(engine: str, digest: str, z: Latent, pitch: int) -> str:
    """A hash of all that changes a note's raw sound, and of nothing else."""
    sound = hashlib.sha256(f"{engine}\n{digest}\n{pitch}\nfloat32\n".encode())
    sound.update(z.astype("<f4").tobytes())
    return sound.hexdigest()
