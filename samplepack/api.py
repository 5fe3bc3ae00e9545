"""samplepack from Python: load a checkpoint, render notes and clips as arrays, save them, hear and see them.

    >>> import samplepack
    >>> starter = samplepack.load("starter")
    >>> note = starter.render(7, pitch=60)
    >>> note.samples.shape, note.samples.dtype, note.sample_rate
    ((192000,), dtype('float32'), 48000)

A timbre is a seed, the name of an instrument that the checkpoint knows, or a latent:

    >>> viola = starter.render("viola", pitch=60)
    >>> halfway = starter.render(starter.between(7, "Viola", 0.5), pitch=60)

`render` gives a note as the network makes it, `note` as a sampler plays it:

    >>> finished = starter.note(7, pitch=60, effects=[{"Reverb": {"room_size": 0.4}}])
    >>> finished.sample_rate, finished.loop is not None, abs(finished.cents) < 3.0
    (48000, True, True)

Both are arrays for whatever takes arrays, and write themselves as sound files:

    >>> import numpy as np
    >>> float(np.abs(np.asarray(finished)).max()) < 1.0
    True
    >>> finished.save("glass.wav")
"""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from samplepack.base import parallel
from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.checkpoints import library
from samplepack.checkpoints.directions import Direction, moved, read_directions
from samplepack.checkpoints.instruments import find_instrument
from samplepack.clips import pictures
from samplepack.clips.clip import key_notes, plan_clip
from samplepack.clips.output import file_type_of
from samplepack.clips.path import TimbrePath, random_path
from samplepack.clips.score import playable_pitches, read_midi, score_of
from samplepack.clips.studio import Studio, check_pitches
from samplepack.documents.problems import messages_in
from samplepack.finishing import process
from samplepack.finishing.behaviour import behaviour_of, course
from samplepack.finishing.effects import Effect, Step
from samplepack.finishing.finish import finish_key
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import engine_on
from samplepack.models.latent import LARGEST_SEED, Latent, latent_from_seed, slerp
from samplepack.models.load import load_model
from samplepack.recipe import Recipe, Sound
from samplepack.rendering.cache import Cache
from samplepack.sound.audio import Audio, db_to_gain, encode
from samplepack.sound.loudness import true_peak_db
from samplepack.sound.riff import Loop, SamplerNote

Timbre = int | str | ArrayLike
"""A seed (0 to 4294967295), the name of an instrument that the checkpoint knows (in any case), or a latent: numbers of
shape (latent_dim,)."""

Channels = Literal["mono", "stereo"]

MOST_PEAK_DB = -1.0
"""The highest true peak of a sound, dB full scale; a louder one is turned down to it."""


@dataclass(frozen=True, eq=False, repr=False)
class Rendered:
    """A sound: an array for NumPy and soundfile, and in a notebook a player with a picture.

    >>> import numpy as np, samplepack, soundfile
    >>> sound = samplepack.load("starter").render(7)
    >>> sound
    <Rendered 'seed 7, pitch 60': 4.00 s, 48000 Hz, mono>
    >>> soundfile.write("glass.wav", sound, sound.sample_rate)
    >>> np.asarray(sound).shape, len(sound), sound.duration_s
    ((192000,), 192000, 4.0)
    """

    samples: NDArray[np.float32]
    """float32, shape (samples,) of a mono sound, (samples, 2) of a stereo one; the true peak is -1 dB full scale at
    most, so that neither players nor files clip."""

    sample_rate: int
    """Samples per second."""

    title: str
    """A line about the sound, written above its picture."""

    gain_db: float = 0.0
    """The gain that brought the true peak down to -1 dB, at most 0.0. Divided by `10 ** (gain_db / 20)`, a note's
    samples are those of the network, or of a pack before it is levelled. A clip is always levelled to -1 dB, and has
    0.0 here."""

    pitch: int | None = None
    """The pitch of a note, MIDI; None for a clip."""

    loop: tuple[int, int] | None = None
    """The first and the last frame of a finished note's loop, both included, as samplers count; None if it has none."""

    cents: float | None = None
    """How far a finished note is out of tune, cents; None for other sounds, and where no pitch is found."""

    picture: Callable[[Audio, Path | IO[bytes]], None] | None = None
    """Draws the sound; None for its spectrogram."""

    @property
    def duration_s(self) -> float:
        """Length, seconds."""
        return len(self) / self.sample_rate

    def __len__(self) -> int:
        return len(self.samples)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.samples, dtype) if copy else np.asarray(self.samples, dtype)

    def __repr__(self) -> str:
        channels = "mono" if self.samples.ndim == 1 else "stereo"
        return f"<Rendered '{self.title}': {self.duration_s:.2f} s, {self.sample_rate} Hz, {channels}>"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a sound file of 24 bits; that of a note tells samplers its root key and loop, if it is a WAV.

        Args:
            path: the file, .wav or .flac; one that is there is replaced.

        Raises:
            InputError: the file's name ends in neither .wav nor .flac.
            OSError: it can't be written.
        """
        note = None if self.pitch is None else SamplerNote(self.pitch, Loop(*self.loop) if self.loop else None)
        write_aside(Path(path), encode(self._audio(), file_type_of(Path(path)), 24, dither_seed=0, note=note))

    def draw(self, to: str | os.PathLike[str] | IO[bytes]) -> None:
        """Draw the sound: the rainbowgram of a note, the spectrogram and piano roll of a clip.

        Args:
            to: the picture's file, PNG or SVG, or a stream for a PNG.

        Raises:
            InputError: the file's name ends in neither .png nor .svg.
            OSError: it can't be written.
        """
        target = Path(to) if isinstance(to, str | os.PathLike) else to
        if self.picture:
            self.picture(self._audio(), target)
        else:
            pictures.draw_sound(target, self.title, self._audio())

    def _audio(self) -> Audio:
        return Audio(np.ascontiguousarray(np.atleast_2d(self.samples.T)), self.sample_rate)

    def _small_picture(self) -> bytes:
        """A PNG of 256 colours, which makes a notebook less than half as large."""
        from PIL import Image

        drawn, small = io.BytesIO(), io.BytesIO()
        self.draw(drawn)
        Image.open(drawn).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
        return small.getvalue()

    def _repr_html_(self) -> str:
        sound = base64.b64encode(encode(self._audio(), "flac", 16, dither_seed=0)).decode()
        image = base64.b64encode(self._small_picture()).decode()
        title = html.escape(self.title)
        return (
            f'<div><p>{title}</p><audio controls src="data:audio/flac;base64,{sound}"></audio><br>'
            f'<img alt="{title}" style="max-width: 100%" src="data:image/png;base64,{image}"></div>'
        )


def load(checkpoint: str | os.PathLike[str] = "starter") -> Player:
    """Load a checkpoint, to play it from Python.

        >>> import samplepack
        >>> samplepack.load("starter").render(7, pitch=60)
        <Rendered 'seed 7, pitch 60': 4.00 s, 48000 Hz, mono>

    Args:
        checkpoint: a name that `samplepack checkpoints list` shows; or a folder or zip, as a `Path`, or as a string
            that has a slash in it or ends in .zip.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    reference = checkpoint if isinstance(checkpoint, str) else os.path.join(".", checkpoint)
    return Player(library.as_native(library.resolve(reference, Path())))


class Player:
    """A checkpoint that is ready to play. Rendered notes are kept in the user's cache.

        >>> import samplepack
        >>> starter = samplepack.load("starter")
        >>> starter
        <Player 'starter': 111 instruments, pitches 24-84, 48000 Hz>
        >>> starter.instruments[:3]
        ['Acoustic Grand Piano', 'Bright Acoustic Piano', 'Electric Grand Piano']

    Args:
        checkpoint: renders the notes.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        engine = engine_on("auto")
        self._studio = Studio(
            Recipe(recipe=1, name="Notebook"),
            checkpoint,
            Cache.of_user(),
            parallel.threads(os.cpu_count() or 1),
            engine=engine,
            load=cache(lambda: load_model(checkpoint, engine)),
        )

    def __repr__(self) -> str:
        pitches = f"{self.pitches[0]}-{self.pitches[-1]}"
        count = len(self.instruments)
        instruments = f"{count} instrument{'s' * (count != 1)}"
        return f"<Player '{self.checkpoint.name}': {instruments}, pitches {pitches}, {self.checkpoint.rate_hz} Hz>"

    @property
    def instruments(self) -> list[str]:
        """Names of the instruments that the checkpoint knows."""
        return list(self.checkpoint.config.instruments)

    @property
    def pitches(self) -> range:
        """The pitches that the checkpoint can play, MIDI."""
        return self.checkpoint.pitches

    def latent(self, timbre: Timbre) -> Latent:
        """The latent of a timbre.

            >>> import samplepack
            >>> samplepack.load("starter").latent("Viola").shape
            (32,)

        Returns:
            float32, shape (latent_dim,).

        Raises:
            InputError: it is no seed, no known instrument's name and no latent of this checkpoint.
        """
        if isinstance(timbre, str):
            return find_instrument(timbre, self.checkpoint)[1]
        if isinstance(timbre, int | np.integer) and not isinstance(timbre, bool):
            if not 0 <= timbre <= LARGEST_SEED:
                raise InputError(f"seed {timbre} should be a whole number from 0 to {LARGEST_SEED}")
            return latent_from_seed(int(timbre), self.checkpoint.latent_dim)
        return self._checked_latent(timbre)

    def _checked_latent(self, timbre: ArrayLike) -> Latent:
        length = self.checkpoint.latent_dim
        wanted = f"a seed (a whole number), an instrument's name or a latent ({length} finite numbers)"
        try:
            with np.errstate(over="ignore"):
                z = np.asarray(timbre, np.float32)
        except (TypeError, ValueError):
            raise InputError(f"a timbre should be {wanted}, not {type(timbre).__name__}") from None
        if z.ndim == 0:
            raise InputError(f"a timbre should be {wanted}, not {timbre!r}")
        if z.shape != (length,):
            raise InputError(f"the latent has shape {z.shape}; it should have ({length},)")
        if not np.isfinite(z).all():
            raise InputError("the latent holds NaN or infinity, or a number that float32 can't hold")
        with np.errstate(over="ignore", under="ignore"):
            mean_square = np.mean(np.square(z))
        is_normalised = getattr(self.checkpoint.config, "latent_normalisation", "none") == "shell"
        if is_normalised and not 0.0 < mean_square < np.inf:
            raise InputError(
                f"the latent has a mean square of {mean_square}, and this checkpoint divides latents by its root"
            )
        return z

    def between(self, a: Timbre, b: Timbre, t: float) -> Latent:
        """A timbre on the arc from one timbre to another.

            >>> import numpy as np, samplepack
            >>> starter = samplepack.load("starter")
            >>> bool(np.allclose(starter.between(7, "Viola", 0.0), starter.latent(7), atol=1e-6))
            True

        It is a method since names and the length of latents are the checkpoint's.

        Args:
            a: where the arc begins.
            b: where it ends.
            t: position along the arc, 0.0 at `a` to 1.0 at `b`.

        Returns:
            float32, shape (latent_dim,): a timbre for `render`, `note`, `clip` and `between`.

        Raises:
            InputError: a timbre is wrong, one is a latent of zeros, or `t` isn't from 0 to 1.
        """
        if not 0.0 <= t <= 1.0:
            raise InputError(f"t is {t}; it should be from 0.0 to 1.0")
        return slerp(self._direction(a), self._direction(b), float(t))

    @property
    def directions(self) -> dict[str, Direction]:
        """The directions of the checkpoint by name; none where `samplepack directions` hasn't found any.

            >>> import samplepack
            >>> list(samplepack.load("starter@1").directions)[:3]
            ['brightness', 'hollowness', 'attack']

        Raises:
            InputError: the file of the directions is damaged.
        """
        directions = read_directions(self.checkpoint)
        return directions.named() if directions else {}

    def move(self, timbre: Timbre, amounts: Mapping[str, float]) -> Latent:
        """A timbre moved along directions of the checkpoint, as `move:` does in a recipe.

            >>> import samplepack
            >>> starter = samplepack.load("starter@1")
            >>> starter.render(starter.move(7, {"brightness": 1.5, "pc3": -0.8}))
            <Rendered 'latent, pitch 60': 4.00 s, 48000 Hz, mono>

        Args:
            timbre: a seed, an instrument's name or a latent.
            amounts: direction → how far, in units of it, negative for the opposite way.

        Returns:
            float32, shape (latent_dim,): a timbre for `render`, `note`, `clip` and `between`.

        Raises:
            InputError: the timbre is wrong, the checkpoint has no such direction, or an amount isn't a finite number.
        """
        known = self.directions
        for name, amount in amounts.items():
            if name not in known:
                raise InputError(f"no direction is called '{name}' (the checkpoint has {', '.join(known) or 'none'})")
            if not np.isfinite(amount):
                raise InputError(f"the amount of '{name}' should be a finite number, not {amount}")
        return moved(self.latent(timbre), known, amounts)

    def _direction(self, timbre: Timbre) -> Latent:
        """A latent that arcs can begin and end at."""
        z = self.latent(timbre)
        if not z.any():
            raise InputError("a latent of zeros has no direction: no arc leads to it")
        return z

    def render(self, timbre: Timbre, pitch: int = 60) -> Rendered:
        """Render a note as the network makes it, at the checkpoint's own rate: neither tuned nor looped.

            >>> import samplepack
            >>> note = samplepack.load("starter").render(4, pitch=60)
            >>> note.duration_s, round(note.gain_db, 1)  # the network's wave has a true peak of 0.3 dB
            (4.0, -1.3)

        Args:
            timbre: a seed, an instrument's name or a latent.
            pitch: MIDI.

        Returns:
            The note, mono. A true peak above -1 dB is brought down to that by one gain, `gain_db`.

        Raises:
            InputError: the timbre is wrong, or the checkpoint can't play the pitch.
            SamplepackError: the network made NaN or infinity.
        """
        pitch = self._checked_pitch(pitch)
        (audio,) = self._studio.render([self._studio.key(self.latent(timbre), pitch)])
        return _note(audio, _title(timbre, pitch), pitch)

    def note(
        self,
        timbre: Timbre,
        pitch: int = 60,
        effects: Sequence[str | Mapping[str, Any]] = (),
        channels: Channels = "mono",
    ) -> Rendered:
        """Render a note as a pack has it, at 48 kHz: cut at its onset, in tune, through effects, and looped.

            >>> import samplepack
            >>> starter = samplepack.load("starter")
            >>> note = starter.note("Viola", pitch=55, effects=[{"Reverb": {"room_size": 0.4}}], channels="stereo")
            >>> note.samples.shape[1], note.sample_rate
            (2, 48000)

        The samples are those of a pack before its levelling gain, whose recipe has the same timbre, this pitch,
        `process:` and `channels:`; only `gain_db` is added. In a pack of more pitches all decide together whether the
        instrument sustains, with loops, or decays.

        Args:
            timbre: a seed, an instrument's name or a latent.
            pitch: MIDI.
            effects: Pedalboard's effects in order, as in a recipe's `process:`.
            channels: `mono`, or `stereo`: left and right are two neighbouring latents.

        Returns:
            The note, with its `loop` and its `cents`. A true peak above -1 dB is brought down to that by `gain_db`.

        Raises:
            InputError: the timbre or an effect is wrong, or the checkpoint can't play the pitch.
            SamplepackError: the network made NaN or infinity.
        """
        pitch = self._checked_pitch(pitch)
        sound, chain = _checked_settings(effects, channels)
        key = key_notes(self.latent(timbre), pitch, sound, self.checkpoint.digest, self._studio.engine)
        raws = list(self._studio.render([key]))
        behaviour = behaviour_of([[course(raw) for raw in raws]], sound.loop)
        (finished,) = finish_key(raws, pitch, sound.finishing(chain, self.checkpoint.rate_hz), behaviour)
        loop = finished.looped.loop
        return _note(
            finished.looped.audio,
            _title(timbre, pitch),
            pitch,
            (loop.start, loop.end) if loop else None,
            finished.cents,
        )

    def clip(
        self,
        midi: Any,
        timbres: Sequence[Timbre] = (),
        at: Sequence[float] = (),
        seconds_per_instrument: float | None = None,
        seed: int = 0,
        slow: float = 1.0,
        tracks: Collection[int] | None = None,
        drums: bool = False,
    ) -> Rendered:
        """Play a MIDI file, or note_seq's `NoteSequence`, along a path of timbres, at 48 kHz.

        Args:
            midi: path of the file, or the sequence.
            timbres: the timbres of the path in order; a note lies on the arc between those before and after it.
            at: position of each timbre as a fraction of the clip, rising; left out, they stand at even distances.
            seconds_per_instrument: instead of `timbres`: random ones, so many seconds apart.
            seed: seed of the random timbres.
            slow: factor by which time is stretched.
            tracks: tracks to play, counted from 1; all of them, if left out.
            drums: whether to play the notes of drums.

        Returns:
            The clip, mono, with a true peak of -1 dB.

        Raises:
            InputError: note_seq isn't installed, the file can't be played, or the arguments give no path.
            SamplepackError: the network made NaN or infinity.
        """
        pitches = playable_pitches(self.checkpoint)
        if isinstance(midi, str | os.PathLike):
            score = read_midi(Path(midi), pitches, tracks, drums, slow)
        else:
            score = score_of(midi, pitches, tracks, drums, slow)
        path = self._path(score.length_s, timbres, at, seconds_per_instrument, seed)
        studio = self._studio
        planned = plan_clip("Clip", score, path, studio.recipe.sound, self.checkpoint.digest, studio.engine)
        audio = studio.play(planned)
        count = len(score.notes)
        title = f"{count} note{'s' * (count != 1)}" + "".join(f"; left out: {dropped}" for dropped in score.dropped)

        names = list(zip(path.times_s, map(_named, timbres), strict=False))  # none of random ones

        def draw(audio: Audio, to: Path | IO[bytes]) -> None:
            pictures.draw_clip(to, title, audio, score.notes, planned.path_positions, names)

        return Rendered(_as_soundfile_has_them(audio), audio.rate_hz, title, picture=draw)

    def _checked_pitch(self, pitch: int) -> int:
        if not isinstance(pitch, int | np.integer) or isinstance(pitch, bool):
            raise InputError(f"pitch {pitch!r} should be a whole number: MIDI's, in which 60 is middle C")
        check_pitches([int(pitch)], self.checkpoint)
        return int(pitch)

    def _path(
        self, length_s: float, timbres: Sequence[Timbre], at: Sequence[float], apart_s: float | None, seed: int
    ) -> TimbrePath:
        if bool(len(timbres)) == (apart_s is not None):
            raise InputError("give timbres, or seconds_per_instrument for random ones")
        if apart_s is not None:
            return random_path(length_s, apart_s, seed, self.checkpoint.latent_dim)
        places = list(at) or np.linspace(0.0, 1.0, len(timbres)).tolist()
        rising = all(a < b for a, b in zip([-1.0, *places], [*places, 2.0], strict=True))
        if len(places) != len(timbres) or not rising or not 0.0 <= places[0] <= places[-1] <= 1.0:
            raise InputError(f"'at' should give a rising fraction, 0 to 1, for each of the {len(timbres)} timbres")
        latents = tuple(self._direction(timbre) for timbre in timbres)
        return TimbrePath(tuple(place * length_s for place in places), latents)


class _Settings(BaseModel):
    """Arguments of `Player.note` that a recipe has too, under its own names but for `effects`."""

    model_config = ConfigDict(extra="forbid")

    effects: tuple[Step, ...]
    channels: Channels


def _checked_settings(
    effects: Sequence[str | Mapping[str, Any]], channels: Channels
) -> tuple[Sound, tuple[Effect, ...]]:
    if isinstance(effects, str) or not isinstance(effects, Sequence):
        raise InputError('effects should be a list of steps, such as [{"Reverb": {"room_size": 0.4}}]')
    sound = Sound()
    steps = [dict(step) if isinstance(step, Mapping) else step for step in effects]
    context = {"rate_hz": sound.rate_for(0)}
    try:
        settings = _Settings.model_validate({"effects": steps, "channels": channels}, context=context)
    except ValidationError as error:
        raise InputError(*messages_in(error, _Settings)) from None
    chain = tuple(step.effect for step in settings.effects)
    for i, effect in enumerate(chain):
        if reason := process.failure([effect], sound.rate_for(0)):
            raise InputError(f"effects[{i}]: {type(effect).__name__}: {reason}")
    return Sound(channels=settings.channels), chain


def _note(
    audio: Audio, title: str, pitch: int, loop: tuple[int, int] | None = None, cents: float | None = None
) -> Rendered:
    gain_db = min(0.0, MOST_PEAK_DB - true_peak_db(audio))
    samples = audio.samples * np.float32(db_to_gain(gain_db))

    def draw(audio: Audio, to: Path | IO[bytes]) -> None:
        pictures.draw_rainbowgram(to, title, audio)

    leveled = Audio(samples, audio.rate_hz)
    return Rendered(_as_soundfile_has_them(leveled), audio.rate_hz, title, gain_db, pitch, loop, cents, draw)


def _title(timbre: Timbre, pitch: int) -> str:
    return f"{_named(timbre)}, pitch {pitch}"


def _named(timbre: Timbre) -> str:
    """A timbre in words."""
    if isinstance(timbre, str):
        return timbre
    return f"seed {timbre}" if isinstance(timbre, int | np.integer) else "latent"


def _as_soundfile_has_them(audio: Audio) -> NDArray[np.float32]:
    """Samples of shape (samples,) if there is one channel, else (samples, channels)."""
    return np.array(audio.samples[0] if len(audio.samples) == 1 else audio.samples.T, np.float32, order="C")
