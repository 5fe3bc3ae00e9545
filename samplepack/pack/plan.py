"""What a build of a recipe will make, known before anything renders."""

from __future__ import annotations

from dataclasses import dataclass

from samplepack.clips.clip import PlannedClip, plan_clips
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import Engine
from samplepack.pack.identity import inputs_digest
from samplepack.pack.recipes import CheckedRecipe
from samplepack.recipe import LoadedRecipe
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import (
    Note,
    PlannedInstrument,
    PlannedWavetable,
    layers_in_words,
    make_plan,
    plan_wavetables,
    rendered_velocities,
)


@dataclass(frozen=True, eq=False)
class PackPlan:
    """A recipe's pack, planned."""

    loaded: LoadedRecipe
    checkpoint: Checkpoint
    engine: Engine
    """What the notes are rendered on."""

    instruments: tuple[PlannedInstrument, ...]
    clips: tuple[PlannedClip, ...]
    wavetables: tuple[PlannedWavetable, ...]
    inputs: str
    """A hash of all that the pack is made from."""

    def key_notes(self) -> list[tuple[Note, ...]]:
        """The notes to render: those of each key of the instruments that have sound files of their own, then those of
        the wavetables' cycles, then those of each note of the clips."""
        of_instruments = [
            key for instrument in self.instruments if instrument.has_own_sounds for key in instrument.keys
        ]
        of_wavetables = [(note,) for wavetable in self.wavetables for note in wavetable.notes]
        return of_instruments + of_wavetables + [key for clip in self.clips for key in clip.notes]


def plan_pack(checked: CheckedRecipe, engine: Engine) -> PackPlan:
    """Plan the pack of a recipe. A Magenta checkpoint that was never used before is converted, which imports
    TensorFlow.

    Raises:
        InputError: the checkpoint is damaged.
    """
    loaded = checked.loaded
    checkpoint = loaded.native_checkpoint()
    inputs = inputs_digest(loaded, checkpoint, engine)
    instruments = make_plan(loaded.recipe, checkpoint, str(engine))
    clips = plan_clips(loaded.recipe, checkpoint, checked.scores, engine)
    wavetables = plan_wavetables(loaded.recipe, checkpoint, str(engine))
    return PackPlan(loaded, checkpoint, engine, instruments, clips, wavetables, inputs)


@dataclass(frozen=True)
class InstrumentSummary:
    """A planned instrument, and how much of it the cache holds."""

    name: str
    origin: str
    """The place of its timbre in latent space, in the recipe's words."""

    pitches: list[int]
    takes: int
    """How many renders of each pitch take turns."""

    notes: int
    """How many notes the network makes for it."""

    cached: int
    """How many of these notes the cache holds."""


@dataclass(frozen=True)
class ClipSummary:
    """A planned clip, and how much of it the cache holds."""

    name: str
    notes: int
    """How many notes it plays."""

    cached: int
    """How many of these notes the cache holds."""

    dropped: list[str]
    """Which notes of the MIDI file aren't played, and why."""


@dataclass(frozen=True)
class WavetableSummary:
    """A planned wavetable, and how much of it the cache holds."""

    name: str
    through: list[str]
    """The timbres that its path goes through."""

    pitch: int
    """The key of its notes, MIDI."""

    frames: int
    """How many cycles it has; each takes a note."""

    cached: int
    """How many of these notes the cache holds."""


@dataclass(frozen=True)
class PlanSummary:
    """A plan in numbers."""

    name: str
    checkpoint: str
    digest: str
    """Digest of the checkpoint."""

    loop: str
    """The recipe's `sound: {loop: …}`; with `auto` the notes decide whether an instrument sustains or decays."""

    remarks: list[str]
    """What the recipe's author should know, though nothing is wrong."""

    instruments: list[InstrumentSummary]
    clips: list[ClipSummary]
    wavetables: list[WavetableSummary]
    velocity: str
    """How many velocity layers the instruments have and how they are made; empty without layers."""

    to_render: int
    """How many different notes the cache doesn't hold yet."""


def summarise(plan: PackPlan, cache: Cache) -> PlanSummary:
    """What a build of a plan would make, and what the cache holds of it."""
    notes = {note.key for key in plan.key_notes() for note in key}
    cached = {key for key in notes if key in cache}
    instruments = [
        InstrumentSummary(
            name=planned.name,
            origin=planned.origin,
            pitches=[key[0].pitch for key in planned.keys[:: planned.takes]],
            takes=planned.takes,
            notes=sum(len(key) for key in planned.keys),
            cached=sum(note.key in cached for key in planned.keys for note in key),
        )
        for planned in plan.instruments
    ]
    clips = [
        ClipSummary(
            name=clip.name,
            notes=len(clip.notes),
            cached=sum(all(note.key in cached for note in key) for key in clip.notes),
            dropped=list(clip.score.dropped),
        )
        for clip in plan.clips
    ]
    wavetables = [
        WavetableSummary(
            name=planned.name,
            through=list(planned.path.through),
            pitch=planned.path.at,
            frames=len(planned.notes),
            cached=sum(note.key in cached for note in planned.notes),
        )
        for planned in plan.wavetables
    ]
    recipe, checkpoint = plan.loaded.recipe, plan.checkpoint
    return PlanSummary(
        name=recipe.name,
        checkpoint=checkpoint.name,
        digest=checkpoint.digest,
        loop=recipe.sound.loop,
        remarks=recipe.remarks,
        instruments=instruments,
        clips=clips,
        wavetables=wavetables,
        velocity=layers_in_words(recipe, rendered_velocities(recipe, checkpoint.config.velocities)),
        to_render=len(notes - cached),
    )
