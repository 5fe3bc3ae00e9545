"""Figures of an evaluation: plain data with units."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Pitch(_Figures):
    """Accuracy of the pitch of notes of one kind."""

    notes: int
    """Number of notes that were measured."""

    within_50_cents: float
    """Share of the notes whose measured pitch is within 50 cents of the intended pitch, in the right octave."""

    median_cents: float | None
    """Median magnitude of the errors of pitch, cents; None if no note had a measurable pitch."""

    heard: list[tuple[int, float | None]]
    """For each note, its intended MIDI pitch, and the cents by which the measured pitch lies above it, or None."""


class Modulation(_Figures):
    """The strongest regular change of a note's pitch (vibrato) or level (tremolo)."""

    rate_hz: float
    """Changes per second, from 3 to 12."""

    depth: float
    """Greatest deviation from the mean, half the distance between the extremes: cents of a vibrato, dB of a tremolo."""

    is_clear: bool
    """Whether it can be called a vibrato or a tremolo: it is at least 5 cents or 0.5 dB deep, and holds at least half
    of all changes at 3 to 12 Hz."""


class Judged(_Figures):
    """A real note compared with the note generated from the latent of its instrument at its pitch."""

    instrument: str
    pitch: int
    """MIDI pitch."""

    score: float | None = None
    """How much the generated note sounds like the real one, from 1 to 5, by `hearing.score`; some notes have none."""

    round_trip_score: float | None = None
    """The same of the real note's round trip through the spectrogram, which an exact network would have."""

    distance_db: float
    """Log-spectral distance of the generated note to the real one, dB."""

    floor_db: float
    """Log-spectral distance of the real note to its own round trip through the spectrogram, dB: the distance that an
    exact network would have."""

    loud_bins_db: float
    """Level of the generated note relative to the real one, whose peak is 0.8, in the bins within 20 dB of the real
    note's maximum, dB."""

    real_attack_ms: float
    """Duration of the attack of the real note, milliseconds; an instantaneous one measures about 10 ms."""

    attack_ms: float
    """Duration of the attack of the generated note, milliseconds."""

    real_flux: float
    """Spectral flux of the real note's onset: 1 if the whole spectrum is there 60 ms after it."""

    flux: float
    """Spectral flux of the generated note's onset."""

    real_vibrato: Modulation | None
    """Change of the real note's pitch; None if it sounds for too short a time."""

    vibrato: Modulation | None
    """Change of the generated note's pitch."""

    real_tremolo: Modulation | None
    """Change of the real note's level; None if it sounds for too short a time."""

    tremolo: Modulation | None
    """Change of the generated note's level."""

    real_treble_db: float | None
    """Level of the real note above 8 kHz relative to the whole note, dB; None if the checkpoint's notes end there."""

    treble_db: float | None
    """Level of the generated note above 8 kHz relative to the whole note, dB."""

    real_noise_db: float
    """Share of the real note's power that lies between its partials, dB; -60 dB is the lowest value."""

    noise_db: float
    """Share of the generated note's power that lies between its partials, dB."""

    rank: int | None = None
    """Number of instruments whose real notes at this pitch are nearer to the generated note than those of its own
    instrument: 0 if its own is the nearest. Only held-out notes have a rank."""


class Score(_Figures):
    """How much notes sound like the real ones, from 1 to 5: mean opinion scores as estimated by a model of hearing."""

    notes: int
    """Number of notes that have a score."""

    mean: float
    tenth_percentile: float
    """Score that nine of ten notes reach."""

    by_instrument: dict[str, float]
    """Mean score of each instrument, from the lowest."""


class Modulated(_Figures):
    """Vibrato or tremolo of generated notes whose real notes have it."""

    real_notes: int
    """Number of notes whose real note has it clearly."""

    notes: int
    """Number of those whose generated note has it clearly, too."""

    real_depth: float
    """Median depth in the real notes, cents or dB."""

    depth: float
    """Median depth in the generated notes, cents or dB."""

    real_rate_hz: float
    """Median rate in the real notes."""

    rate_hz: float | None
    """Median rate in the generated notes that have it clearly; None if there are none."""


class Treble(_Figures):
    """Levels above 8 kHz, relative to whole notes, of bright instruments: medians over instruments."""

    instruments: int
    """Number of bright instruments: those with a mean level of at least -50 dB in their real notes."""

    real_db: float
    """Median of the real levels, dB."""

    made_db: float
    """Median of the generated levels, dB."""

    error_db: float
    """Median magnitude of the difference between an instrument's generated and real level, dB."""


class Likeness(_Figures):
    """Likeness of generated notes to real ones: statistics over pairs of notes."""

    notes: list[Judged]

    score: Score | None
    """Scores of the generated notes; None without Zimtohrli."""

    round_trip_score: Score | None
    """Scores of the round trips of the same notes; None if they weren't heard."""

    distance_db: float
    """Mean log-spectral distance, dB."""

    floor_db: float
    """Mean of the pairs' `floor_db`, dB."""

    loud_bins_db: float
    """Median of the pairs' `loud_bins_db`, dB."""

    real_attack_ms: float
    """Median duration of the attacks of the real notes, milliseconds."""

    attack_ms: float
    """Median duration of the attacks of the generated notes, milliseconds."""

    attack_error_ms: float
    """Median magnitude of the difference between the attacks of a pair, milliseconds."""

    real_flux: float
    """Median spectral flux of the onsets of the real notes."""

    flux: float
    """Median spectral flux of the onsets of the generated notes."""

    flux_error: float
    """Median magnitude of the difference between the spectral flux of a pair."""

    vibrato: Modulated | None
    """Vibrato; None if no real note has it."""

    tremolo: Modulated | None
    """Tremolo; None if no real note has it."""

    treble: Treble | None
    """Level above 8 kHz; None if no instrument is bright, or the checkpoint's notes end there."""

    real_noise_db: float
    """Median of the noise of the real notes, dB."""

    noise_db: float
    """Median of the noise of the generated notes, dB."""

    noise_error_db: float
    """Median magnitude of the difference between the noise of a pair, dB."""


class Retrieval(_Figures):
    """Identification of the instruments of notes by the nearest real notes."""

    notes: int
    """Number of notes that have a rank."""

    top_1: float
    """Share of the notes whose own instrument is the nearest."""

    top_5: float
    """Share of the notes whose own instrument is among the five nearest."""


class AcrossKeys(_Figures):
    """Identification of instruments at one key, by the levels of their partials over time."""

    pitch: int
    """MIDI pitch of the key."""

    found: Retrieval
    """Generated notes of the key among real notes of the same key."""

    real_found: Retrieval | None
    """Real notes of each instrument's nearest other key among real notes of the key; None if there are none."""

    found_by_middle: Retrieval | None
    """Generated notes of the key among real notes of the middle pitch: whether the instrument is the same all over the
    keys; None for the middle pitch itself."""

    real_found_by_middle: Retrieval | None
    """The same of real notes of the key."""


class Velocity(_Figures):
    """What changes from the softest velocity to the hardest, in held-out notes: medians over pairs of notes."""

    pairs: int
    """Number of pairs of a soft and a hard note of one instrument and pitch."""

    real_louder_db: float
    """Level of the hard real notes relative to the soft ones, dB."""

    louder_db: float
    """The same of the generated notes."""

    level_error_db: float
    """Median magnitude of the difference between these levels of a pair's generated and real notes, dB."""

    real_brighter: float
    """Spectral centroid of the hard real notes relative to that of the soft ones."""

    brighter: float
    """The same of the generated notes."""

    brightness_error: float
    """Median magnitude of the relative difference between these ratios of a pair's generated and real notes."""


class Diversity(_Figures):
    """Diversity of timbres at one pitch: log-mel distances of all pairs of notes, at equal loudness."""

    pitch: int
    """MIDI pitch of the notes."""

    distances_db: dict[str, list[float]]
    """Distances of all pairs by kind: `real` instruments of the set; `trained`, `random` and `mixed` latents."""

    means_db: dict[str, float]
    """Mean of the distances by kind."""

    random_to_real: float | None
    """Mean distance of random latents relative to that of real instruments; None without two real ones."""


class Smoothness(_Figures):
    """Evenness of the changes of sound on walks between two latents."""

    pitch: int
    """MIDI pitch of the notes."""

    between: str
    """Kind of the latents at the ends of the walks: `trained` or `random`."""

    uniform_db: list[list[float]]
    """Log-mel distances of the steps of each walk, dB, when the steps are equal in latent space."""

    evened_db: list[list[float]]
    """Log-mel distances of the steps of each walk, dB, when the points are moved along it so that the distances in
    `uniform_db` would be equal."""

    uniform_largest: float
    """Largest step of a walk in `uniform_db` relative to its mean step, averaged over walks."""

    evened_largest: float
    """Largest step of a walk in `evened_db` relative to its mean step, averaged over walks."""


class Silence(_Figures):
    """Levels of notes that are generated from random latents."""

    pitch: int
    """MIDI pitch of the notes."""

    notes: int
    """Number of notes that were measured."""

    nearly_silent: int
    """Number of notes whose root mean square over their whole length is below -50 dBFS."""

    median_level_db: float
    """Median of the root mean square levels, dBFS."""


class Figures(_Figures):
    """All figures of the evaluation of a checkpoint."""

    checkpoint: str
    """Name of the checkpoint."""

    digest: str
    """Digest of the checkpoint."""

    dataset: str
    """Title of the prepared set."""

    dataset_digest: str
    """Digest of the prepared set, as in `Dataset.digest`."""

    seed: int
    """Seed of the random choice of notes and latents."""

    held_out_share: float
    """Share of the pairs of instrument and pitch that was held out from training."""

    pitch: dict[str, Pitch]
    """Accuracy of pitch by kind: `real` notes of the set, which show the accuracy of the measurement itself; notes of
    `trained`, `interpolated` (midway between two trained), `mixed` (of three trained) and `random` latents."""

    held_out: Likeness | None
    """Likeness to notes that were held out from training; None if there are none."""

    trained: Likeness | None
    """Likeness to notes that were trained on; None if there are none."""

    retrieval: Retrieval | None
    """Identification of the instruments of generated held-out notes among real notes of the same pitch; None if no
    held-out note could be ranked."""

    keys: list[AcrossKeys]
    """Identification of instruments at keys 36, 60 and 84; those keys only that could be judged."""

    velocity: Velocity | None
    """What velocity does; None if the network hasn't learned it, or the set has one velocity."""

    diversity: Diversity
    smoothness: Smoothness
    silence: Silence

    remarks: list[str]
    """Measurements that weren't possible, with the reasons, and assumptions that the figures depend on."""
