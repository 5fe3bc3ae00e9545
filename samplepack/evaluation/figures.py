"""What an evaluation says: plain data with units."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pitch(_Figures):
    """Whether notes have the pitch that was asked for."""

    notes: int

    within_50_cents: float
    """The share that is heard within 50 cents of its pitch, in the octave that it was meant in."""

    median_cents: float | None
    """Median magnitude of the errors; None where no pitch was heard at all."""

    heard: list[tuple[int, float | None]]
    """Of each note: its pitch, MIDI, and by how many cents it is heard above it; None where no pitch is heard."""


class Judged(_Figures):
    """A real note beside the one that its instrument's latent makes at its pitch."""

    instrument: str
    pitch: int

    distance_db: float
    """Log-spectral distance of the made note to the real one."""

    floor_db: float
    """That of the real note sent through the spectrogram and back, without the network: what the network can't beat."""

    loud_bins_db: float
    """How much louder the made note is in the bins within 20 dB of the real one's maximum, the real one's peak being
    0.8."""

    real_attack_ms: float
    attack_ms: float
    """How long the onset takes; a sudden one measures some 10 ms."""

    real_noise_db: float
    noise_db: float
    """How much of a note's power lies between its partials, -60 dB and less being none."""

    rank: int | None = None
    """How many instruments' real notes at this pitch lie nearer to the made note than its own instrument's: 0 where it
    is found first. Held-out notes alone are ranked."""


class Likeness(_Figures):
    """How like real notes the made ones are."""

    notes: list[Judged]

    distance_db: float
    """Mean log-spectral distance."""

    floor_db: float
    """Mean of the floors."""

    loud_bins_db: float
    """Median."""

    real_attack_ms: float
    attack_ms: float
    attack_error_ms: float
    """Medians: of the real notes, of the made ones, and of the magnitude of a pair's difference."""

    real_noise_db: float
    noise_db: float
    noise_error_db: float
    """Medians: of the real notes, of the made ones, and of the magnitude of a pair's difference."""


class Retrieval(_Figures):
    """Whether a made held-out note is nearest to the real note of its own instrument, of all real ones of its pitch."""

    notes: int

    top_1: float
    top_5: float
    """The share whose instrument is the nearest, and among the five nearest."""


class Diversity(_Figures):
    """How far instruments lie apart at one pitch: log-mel distances of all pairs, brought to one loudness."""

    pitch: int

    distances_db: dict[str, list[float]]
    """By what was compared: `real` instruments of the set, `trained`, `random` and `mixed` latents."""

    means_db: dict[str, float]

    random_to_real: float | None
    """How far random latents lie apart, real instruments' distance being 1; None without two real ones."""


class Smoothness(_Figures):
    """Whether a walk between two latents in equal steps changes the sound in equal steps."""

    pitch: int

    between: str
    """What the walks join: `trained` or `random` latents."""

    uniform_db: list[list[float]]
    """Log-mel distances of the steps of each walk, equal in latent space."""

    evened_db: list[list[float]]
    """The same, with the points moved along the walk so that the distances heard so far would be equal."""

    uniform_largest: float
    evened_largest: float
    """The largest step of a walk by its mean step: the mean over walks."""


class Silence(_Figures):
    """Whether random latents make sound."""

    pitch: int
    notes: int

    nearly_silent: int
    """How many have a root mean square below -50 dB of full scale over their whole length."""

    median_level_db: float
    """Of the root mean squares."""


class Figures(_Figures):
    """All that is measured of a checkpoint."""

    checkpoint: str
    digest: str
    dataset: str
    """Title of the prepared set."""

    dataset_digest: str
    seed: int
    """What the notes and latents were drawn with."""

    held_out_share: float
    """The share of the set's notes that was kept from training."""

    pitch: dict[str, Pitch]
    """By what was played: `real` notes of the set, which says how far the hearing is right, `trained`, `interpolated`
    (midway between two trained), `random` and `mixed` (of three trained) latents."""

    held_out: Likeness | None
    trained: Likeness | None
    retrieval: Retrieval | None
    diversity: Diversity
    smoothness: Smoothness
    silence: Silence

    remarks: list[str]
    """What couldn't be measured and why, and what the figures depend on."""
