"""samplepack from Python: load a checkpoint, render notes and clips, and hear and see them in a notebook."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from samplepack.base import parallel
from samplepack.base.errors import InputError, did_you_mean
from samplepack.base.files import user_folder, write_aside
from samplepack.clips import pictures as views
from samplepack.clips.clip import plan_clip
from samplepack.clips.output import file_type_of
from samplepack.clips.path import TimbrePath, random_path
from samplepack.clips.score import playable_pitches, read_midi, score_of
from samplepack.clips.studio import Studio, check_pitches
from samplepack.models.backend import device_of
from samplepack.models.checkpoint import Checkpoint, read_instruments
from samplepack.models.engine import Engine
from samplepack.models.latent import Latent, latent_from_seed
from samplepack.recipe import Recipe
from samplepack.rendering.cache import Cache
from samplepack.sound.audio import Audio, encode

Timbre = int | str | Latent
"""A seed, the name of an instrument that the checkpoint knows, or a latent, float32, shape (latent_dim,)."""


@dataclass(frozen=True)
class Rendered:
    """A sound that a notebook shows as a player and a picture."""

    audio: Audio
    title: str
    picture: Callable[[Path | IO[bytes]], None]
    """What `draw` draws it with."""

    def save(self, path: str | Path) -> None:
        """Write it as a sound file, 24 bits.

        Raises:
            InputError: the file's name ends in neither .wav nor .flac.
            OSError: it can't be written.
        """
        write_aside(Path(path), encode(self.audio, file_type_of(Path(path)), 24, dither_seed=0))

    def draw(self, to: str | Path | IO[bytes]) -> None:
        """Draw it.

        Args:
            to: the picture's file, PNG or SVG, or a stream for a PNG.

        Raises:
            InputError: the file's name ends in neither .png nor .svg.
            OSError: it can't be written.
        """
        self.picture(Path(to) if isinstance(to, str) else to)

    def _repr_html_(self) -> str:
        picture = io.BytesIO()
        self.draw(picture)
        sound = base64.b64encode(encode(self.audio, "wav", 16, dither_seed=0)).decode()
        drawn = base64.b64encode(picture.getvalue()).decode()
        return (
            f"<div><p>{html.escape(self.title)}</p>"
            f'<audio controls src="data:audio/wav;base64,{sound}"></audio><br>'
            f'<img alt="{html.escape(self.title)}" style="max-width: 100%" src="data:image/png;base64,{drawn}"></div>'
        )


class Player:
    """A checkpoint that is ready to play; rendered notes are kept in the user's cache.

    Args:
        checkpoint: what renders.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        engine = Engine(device=device_of("auto"))
        map_ = parallel.threads(os.cpu_count() or 1)
        cache = Cache(user_folder("notes"))
        self._studio = Studio(Recipe(recipe=1, name="Notebook"), checkpoint, cache, map_, engine=engine)

    @property
    def instruments(self) -> list[str]:
        """Names of the instruments that it knows."""
        return list(read_instruments(self.checkpoint))

    def latent(self, timbre: Timbre) -> Latent:
        """The latent of a timbre, float32, shape (latent_dim,).

        Raises:
            InputError: no instrument is called so, or the latent has another length.
        """
        if isinstance(timbre, str):
            known = read_instruments(self.checkpoint)
            if timbre not in known:
                raise InputError(f"no instrument is called '{timbre}'{did_you_mean(timbre, known)}")
            return known[timbre]
        if isinstance(timbre, int | np.integer):
            if not 0 <= timbre < 2**32:
                raise InputError(f"seed {timbre} should be a whole number from 0 to 4294967295")
            return latent_from_seed(int(timbre), self.checkpoint.latent_dim)
        z = np.asarray(timbre, np.float32)
        if z.shape != (self.checkpoint.latent_dim,) or not np.isfinite(z).all():
            raise InputError(
                f"the latent has shape {z.shape}; it should be {self.checkpoint.latent_dim} finite numbers"
            )
        return z

    def render(self, seed: Timbre, pitch: int = 60) -> Rendered:
        """A note as the network makes it, with its rainbowgram.

        Args:
            seed: or another timbre.
            pitch: MIDI.

        Raises:
            InputError: the timbre or the pitch is none that the checkpoint knows.
        """
        check_pitches([pitch], self.checkpoint)
        (audio,) = self._studio.render([self._studio.key(self.latent(seed), pitch)])
        title = f"{seed if isinstance(seed, int | str) else 'latent'}, pitch {pitch}"
        return Rendered(audio, title, lambda to: views.draw_rainbowgram(to, title, audio))

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
        """A MIDI file, or note_seq's `NoteSequence`, played along a path of timbres.

        Args:
            midi: path of the file, or the sequence.
            timbres: in order; a note lies on the arc between the timbres before and after it.
            at: where each stands, as a fraction of the clip, rising; evenly, where left out.
            seconds_per_instrument: random timbres instead, so far apart.
            seed: of the random timbres.
            slow: by how much to stretch time.
            tracks: which to play, counted from 1; all, where left out.
            drums: whether to play the notes of drums.

        Raises:
            InputError: the file can't be played, or what is asked for makes no path.
        """
        if isinstance(midi, str | Path):
            score = read_midi(Path(midi), playable_pitches(self.checkpoint), tracks, drums, slow)
        else:
            score = score_of(midi, playable_pitches(self.checkpoint), tracks, drums, slow)
        path = self._path(score.length_s, timbres, at, seconds_per_instrument, seed)
        studio = self._studio
        planned = plan_clip("Clip", score, path, studio.recipe.sound, self.checkpoint.digest, studio.engine)
        audio = studio.play(planned)
        title = f"{len(score.notes)} notes" + "".join(f"; left out: {dropped}" for dropped in score.dropped)
        return Rendered(audio, title, lambda to: views.draw_clip(to, title, audio, score.notes, planned.path_positions))

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
        latents = tuple(self.latent(timbre) for timbre in timbres)
        return TimbrePath(tuple(place * length_s for place in places), latents)
