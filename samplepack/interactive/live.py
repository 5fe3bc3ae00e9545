"""What a musician plays live: latents by name, notes of them as files, and favourites, by verbs with arguments."""

from __future__ import annotations

import json
import math
import os
import secrets
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samplepack.base.errors import InputError
from samplepack.base.files import user_folder, write_aside
from samplepack.base.parallel import threads
from samplepack.checkpoints.directions import Directions, moved, read_directions, read_directions_file
from samplepack.checkpoints.instruments import find_instrument
from samplepack.clips.clip import process_and_level, tune_keys
from samplepack.clips.output import write_sound
from samplepack.clips.studio import Studio, check_pitches
from samplepack.clips.walk import GrainEnvelope, overlap_grains, walk_latents
from samplepack.formats.instrument import Zone, velocity_gain
from samplepack.interactive.engine import Heard, NoteEngine, Voice
from samplepack.models.latent import LARGEST_SEED, Latent, latent_from_seed, path_points, slerp
from samplepack.recipe import load_recipe
from samplepack.recipe.load import with_timbre
from samplepack.recipe.timbres import StoredLatent, Timbre
from samplepack.rendering.plan import timbre_latents
from samplepack.sound.audio import Audio

Value = int | float | str
"""An argument of a message."""

_MOST_LATENTS, _MOST_VOICES, _MOST_FILES = 1000, 64, 1000
_MOST_DRAWN = 1 << 24
"""Seeds are drawn below it, so that the floats of Pure Data hold them."""

_MOST_HALLUCINATED = 200
_PATH_POINTS = 1001
_LIVE = "Live"
_SAVED_LATENTS = "latents"


@dataclass(frozen=True, eq=False)
class _Named:
    """A latent that a client named."""

    z: Latent
    seed: int | None = None
    """The seed that it comes from; None for any other origin."""


@dataclass(frozen=True)
class Verb:
    """What a client can ask for."""

    form: str
    """Its arguments, in words."""

    answer: Callable[[Arguments], list[Value]]
    """Does it and gives the answer."""


class Arguments:
    """The arguments of a message, taken one after another.

    Args:
        form: the verb with its arguments in words, for messages.
        values: the arguments.
    """

    def __init__(self, form: str, values: Sequence[object]) -> None:
        self._form, self._values = form, list(values)

    @property
    def left(self) -> int:
        """How many arguments are left."""
        return len(self._values)

    def wrong(self, message: str) -> InputError:
        """An error that says what was wrong, and what the arguments should be."""
        return InputError(f"{message}; the form is: {self._form}")

    def value(self, what: str) -> Value:
        """The next argument, text or a number.

        Raises:
            InputError: there is none, or it is something else, such as infinity.
        """
        if not self._values:
            raise self.wrong(f"{what} is missing")
        value = self._values.pop(0)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise self.wrong(f"{what} should be text or a number")
        if isinstance(value, float) and not math.isfinite(value):
            raise self.wrong(f"{what} is {value}")
        return value

    def text(self, what: str) -> str:
        """The next argument as a name; a whole number is one, too."""
        value = self.value(what)
        named = value if isinstance(value, str) else str(int(value) if value == int(value) else value)
        if not named or len(named) > 1000 or not named.isprintable():
            raise self.wrong(f"{what} should be a name")
        return named

    def number(self, what: str, low: float, high: float) -> float:
        """The next argument as a number within a range."""
        value = self.value(what)
        if isinstance(value, str) or not low <= value <= high:
            raise self.wrong(f"{what} should be a number from {low:g} to {high:g}, not {value!r:.60}")
        return float(value)

    def whole(self, what: str, low: int, high: int) -> int:
        """The next argument as a whole number within a range; a float may hold it, as Pure Data's do."""
        number = self.number(what, low, high)
        if number != int(number):
            raise self.wrong(f"{what} should be a whole number, not {number:g}")
        return int(number)

    def end(self) -> None:
        """Check that no argument is left.

        Raises:
            InputError: some are left.
        """
        if self._values:
            raise self.wrong(f"{len(self._values)} arguments too many")


class Live:
    """Answers verbs by a note engine that keeps the network loaded.

    It may be used from one thread. Latents are kept by the names that clients give them, the last 1000.

    Args:
        what: the path of a recipe, or the name of a checkpoint.
        engine: renders and finishes notes.
        allow_plugins: whether a recipe's effects may be programs from elsewhere.
        allow_reads: whether `reads` of a recipe may name folders outside of its repository.

    Raises:
        InputError: the recipe is wrong, or there is no such checkpoint.
    """

    def __init__(self, what: str, engine: NoteEngine, allow_plugins: bool = False, allow_reads: bool = False) -> None:
        self.engine = engine
        self._allowed = (allow_plugins, allow_reads)
        self._latents: OrderedDict[str, _Named] = OrderedDict()
        self._voices: OrderedDict[str, Voice] = OrderedDict()
        self._strikes = 0
        self._folder = user_folder("live")
        self._files: OrderedDict[Path, None] = OrderedDict()
        self._load(what)
        self.verbs = {
            "load": Verb("load [checkpoint or recipe]", self._answer_load),
            "randomize_z": Verb("randomize_z z1 [z2 …]", self._randomize),
            "slerp_z": Verb("slerp_z z0 z1 destination amount", self._slerp),
            "set_z": Verb("set_z z number1 [number2 …]", self._set),
            "get_z": Verb("get_z z", self._get),
            "path": Verb("path destination position z1 z2 [z3 …]", self._path),
            "synthesize": Verb("synthesize z1 audio1 pitch1 [z2 audio2 pitch2 …]", self._synthesize),
            "synthesize_noz": Verb(
                "synthesize_noz audio1 pitch1 [edit1 edit2 …] [-- audio2 pitch2 [edit1 …]] [-- …]", self._without_z
            ),
            "hallucinate": Verb(
                "hallucinate audio notes steps [spacing trim attack sustain release [pitch]]", self._hallucinate
            ),
            "directions": Verb("directions", self._list_directions),
            "load_ganspace_components": Verb("load_ganspace_components [file]", self._load_directions),
            "move": Verb("move z destination direction1 amount1 [direction2 amount2 …]", self._move),
            "render": Verb("render timbre key [velocity]", self._render),
            "favourite": Verb("favourite z name", self._favourite),
        }
        """Name → what clients can ask for."""

    def answer(self, verb: str, values: Sequence[object]) -> list[Value]:
        """Do what a client asks for.

        Args:
            verb: one of `verbs`.
            values: its arguments.

        Returns:
            The arguments of the answer.

        Raises:
            InputError: there is no such verb, or its arguments are wrong; the message says what would be right.
            SamplepackError: the network made NaN or infinity.
            OSError: a file can't be written.
        """
        if verb not in self.verbs:
            raise InputError(f"there is no verb '{verb:.60}'; there are: {', '.join(self.verbs)}")
        return self.verbs[verb].answer(Arguments(self.verbs[verb].form, values))

    def _load(self, what: str) -> None:
        recipe: Path | None = None
        if what.endswith((".yaml", ".yml")):
            recipe = Path(what)
            loaded = load_recipe(recipe, *self._allowed)
        else:
            with tempfile.TemporaryDirectory() as folder:
                own = Path(folder, "live.yaml")
                text = f"recipe: 1\nname: Live\ncheckpoint: {json.dumps(what)}\nbank: {{seeds: [0]}}\n"
                own.write_text(text, "utf-8")
                try:
                    loaded = load_recipe(own)
                except InputError as error:
                    raise InputError(*(problem.message for problem in error.problems)) from None
        checkpoint = loaded.native_checkpoint()
        self.engine.load(checkpoint)
        self._what, self._loaded, self._recipe, self._checkpoint = what, loaded, recipe, checkpoint
        self._timbres = timbre_latents(loaded.recipe, checkpoint.latent_dim)
        self._directions: Directions | None = None
        self._latents.clear()
        self._voices.clear()

    def _answer_load(self, given: Arguments) -> list[Value]:
        what = given.text("what to load") if given.left else self._what
        given.end()
        self._load(what)
        pitches = self._checkpoint.pitches
        rate_hz = self._loaded.recipe.sound.rate_for(self._checkpoint.rate_hz)
        return [what, self._checkpoint.latent_dim, rate_hz, pitches[0], pitches[-1], *list(self._timbres)[:100]]

    def _keep(self, name: str, latent: _Named) -> None:
        self._latents[name] = latent
        self._latents.move_to_end(name)
        while len(self._latents) > _MOST_LATENTS:
            self._latents.popitem(last=False)

    def _named(self, given: Arguments, what: str) -> tuple[str | None, _Named]:
        """A timbre: a named latent, a timbre of the recipe (whose name is given, too), an instrument that the
        checkpoint knows, or a seed."""
        value = given.value(what)
        if isinstance(value, float) and value == int(value):
            value = int(value)
        name, dim = str(value), self._checkpoint.latent_dim
        if name in self._latents:
            self._latents.move_to_end(name)
            return None, self._latents[name]
        if name.isascii() and name.isdecimal() and int(name) <= LARGEST_SEED:
            return None, _Named(latent_from_seed(int(name), dim), int(name))
        if isinstance(value, str):
            if name in self._timbres:
                return name, _Named(self._timbres[name])
            with suppress(InputError):
                return None, _Named(find_instrument(name, self._checkpoint)[1])
        raise given.wrong(f"{what}: nothing is called '{name:.60}', and it is no seed")

    def _randomize(self, given: Arguments) -> list[Value]:
        names = [given.text("the name of a latent")]
        names += [given.text("the name of a latent") for _ in range(given.left)]
        seeds = [secrets.randbelow(_MOST_DRAWN) for _ in names]
        results: list[Value] = []
        for name, seed in zip(names, seeds, strict=True):
            self._keep(name, _Named(latent_from_seed(seed, self._checkpoint.latent_dim), seed))
            results += [name, seed]
        return results

    def _slerp(self, given: Arguments) -> list[Value]:
        (_, one), (_, two) = self._named(given, "z0"), self._named(given, "z1")
        destination, amount = given.text("the destination"), given.number("the amount", 0.0, 1.0)
        given.end()
        self._keep(destination, _Named(slerp(one.z, two.z, amount)))
        return [destination]

    def _set(self, given: Arguments) -> list[Value]:
        name = given.text("the name of a latent")
        drawn = [given.number("a number", -1e6, 1e6) for _ in range(max(given.left, 1))]
        dim = self._checkpoint.latent_dim
        values = np.interp(np.linspace(0.0, 1.0, dim), np.linspace(0.0, 1.0, len(drawn)), drawn)
        if not values.any():
            raise given.wrong("a latent of zeros has no direction")
        self._keep(name, _Named(values.astype(np.float32)))
        return [name, dim]

    def _get(self, given: Arguments) -> list[Value]:
        _, latent = self._named(given, "the latent")
        given.end()
        return [float(value) for value in latent.z]

    def _path(self, given: Arguments) -> list[Value]:
        destination, position = given.text("the destination"), given.number("the position", 0.0, 1.0)
        through = [self._named(given, "a timbre")[1].z for _ in range(max(given.left, 2))]
        points = path_points(through, _PATH_POINTS)
        self._keep(destination, _Named(points[round(position * (_PATH_POINTS - 1))]))
        return [destination]

    def _known_directions(self) -> Directions:
        self._directions = self._directions or read_directions(self._checkpoint)
        if self._directions is None:
            raise InputError(f"nobody has found directions yet; run: samplepack directions {self._checkpoint.name}")
        return self._directions

    def _list_directions(self, given: Arguments) -> list[Value]:
        given.end()
        return list(self._known_directions().named())

    def _load_directions(self, given: Arguments) -> list[Value]:
        if given.left:
            self._directions = read_directions_file(Path(given.text("the file")), self._checkpoint)
            given.end()
        return [len(self._known_directions().found)]

    def _move(self, given: Arguments) -> list[Value]:
        (_, latent), destination = self._named(given, "the latent"), given.text("the destination")
        amounts = {}
        for _ in range(max((given.left + 1) // 2, 1)):
            name = given.text("a direction")
            amounts[name] = given.number("an amount", -100.0, 100.0)
        self._keep(destination, _Named(self._moved(latent.z, amounts)))
        return [destination]

    def _moved(self, z: Latent, amounts: dict[str, float]) -> Latent:
        known = self._known_directions().named()
        if unknown := amounts.keys() - known.keys():
            raise InputError(f"no direction is called '{min(unknown):.60}'; there are: {', '.join(known)}")
        return moved(z, known, amounts)

    def _synthesize(self, given: Arguments) -> list[Value]:
        asked = []
        for _ in range(max(-(-given.left // 3), 1)):
            voice = self._voice(*self._named(given, "a latent"))
            asked.append((voice, given.text("the name of an audio"), self._pitch(given)))
        return [value for voice, audio, pitch in asked for value in (audio, str(self._file(voice, pitch)))]

    def _without_z(self, given: Arguments) -> list[Value]:
        """Audio of edits along the principal directions, from the latent that is called `noz`, or from seed 0."""
        origin = self._latents.get("noz") or _Named(latent_from_seed(0, self._checkpoint.latent_dim), 0)
        asked: list[tuple[Voice, str, int]] = []
        while given.left or not asked:
            audio, pitch, edits = given.text("the name of an audio"), self._pitch(given), dict[str, float]()
            while given.left:
                edit = given.value("an edit")
                if edit == "--":
                    break
                if isinstance(edit, str):
                    raise given.wrong(f"an edit should be a number, not '{edit:.60}'")
                edits[f"pc{len(edits) + 1}"] = float(edit)
            latent = replace(origin, z=self._moved(origin.z, edits), seed=None) if any(edits.values()) else origin
            asked.append((self._voice(None, latent), audio, pitch))
        return [value for voice, audio, pitch in asked for value in (audio, str(self._file(voice, pitch)))]

    def _pitch(self, given: Arguments) -> int:
        low, high = self._checkpoint.pitches[0], self._checkpoint.pitches[-1]
        return given.whole("the pitch", low, high)

    def _hallucinate(self, given: Arguments) -> list[Value]:
        """A walk through random timbres, as a file."""
        audio = given.text("the name of an audio")
        notes, steps = given.whole("the number of notes", 1, 100), given.whole("the number of steps", 0, 100)
        spacing, trim, attack, sustain, release = (
            given.number(f"the {name}, seconds", 0.0, 60.0) if given.left else default
            for name, default in (("spacing", 0.2), ("trim", 0.0), ("attack", 0.5), ("sustain", 0.5), ("release", 0.5))
        )
        pitch = self._pitch(given) if given.left else 60
        given.end()
        if (count := (notes - 1) * (steps + 1) + 1) > _MOST_HALLUCINATED:
            raise given.wrong(f"{count} notes are too many; there may be {_MOST_HALLUCINATED}")
        points = [latent_from_seed(secrets.randbelow(_MOST_DRAWN), self._checkpoint.latent_dim) for _ in range(notes)]
        latents = walk_latents(points, steps + 1)
        check_pitches([pitch], self._checkpoint)
        envelope = GrainEnvelope(spacing, 60.0, attack, sustain, release)
        recipe, load = self._loaded.recipe, partial(self.engine.load, self._checkpoint)
        map_ = threads(os.cpu_count() or 1)
        studio = Studio(recipe, self._checkpoint, self.engine.cache, map_, engine=self.engine.engine, load=load)
        keys = [studio.key(z, pitch) for z in latents]
        cut = []
        for note in tune_keys(keys, studio.render(keys), recipe.sound, map_):
            cut.append(Audio(note.samples[:, round(trim * note.rate_hz) :], note.rate_hz))
        walked = process_and_level(overlap_grains(cut, envelope), recipe)
        path = self._folder / f"hallucination-{secrets.token_hex(6)}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sound(path, walked, recipe)
        self._keep_file(path)
        return [audio, str(path), walked.duration_s]

    def _render(self, given: Arguments) -> list[Value]:
        name, latent = self._named(given, "the timbre")
        key = given.whole("the key", 0, 127)
        velocity = given.whole("the velocity", 1, 127) if given.left else 127
        given.end()
        voice = self._voice(name, latent)
        heard = self.engine.heard(voice, key)
        if heard is None:
            raise given.wrong(f"key {key} is silent: it is too far from the keys that are rendered")
        zone = self._zone(heard, velocity)
        path, first, last = self._copy(heard, zone), -1, -1
        if zone.loop:
            first, last = zone.loop.start, zone.loop.end
        rate_hz = voice.plan.loaded.recipe.sound.rate_for(self._checkpoint.rate_hz)
        gain = round(_gain(heard, velocity), 4)
        return [str(path), key, zone.root, gain, rate_hz, zone.frames, first, last, int(heard.settled)]

    def _zone(self, heard: Heard, velocity: int) -> Zone:
        """The zone that is the loudest at a velocity, of the take whose turn it is."""
        self._strikes += 1
        zones = [zone for zone in heard.zones if zone.velocities.low <= velocity <= zone.velocities.high]
        zones = [zone for zone in zones if self._strikes % zone.turns == zone.turn - 1] or zones
        return min(zones, key=lambda zone: abs(velocity - 0.5 * (zone.velocities.low + zone.velocities.high)))

    def _voice(self, name: str | None, latent: _Named) -> Voice:
        """The instrument of a timbre of the recipe, or of another latent with the recipe's settings."""
        key = name or latent.z.tobytes().hex()
        if key not in self._voices:
            loaded = self._loaded
            if name is None:
                timbre = Timbre.model_construct(latent=StoredLatent(_LIVE, latent.z))
                recipe = loaded.recipe
                changes: dict[str, Any] = {"timbres": {**recipe.timbres, _LIVE: timbre}, "paths": {}, "clips": {}}
                if not (recipe.velocity and recipe.velocity.toward):
                    changes |= {"timbres": {_LIVE: timbre}, "bank": None}  # the others would be planned, too
                loaded = replace(loaded, recipe=recipe.model_copy(update=changes))
            self._voices[key] = self.engine.instrument(loaded, name or _LIVE)
        self._voices.move_to_end(key)
        while len(self._voices) > _MOST_VOICES:
            self._voices.popitem(last=False)
        return self._voices[key]

    def _file(self, voice: Voice, pitch: int) -> Path:
        """The file of a note, the hardest, finished as a build does."""
        heard = self.engine.heard(voice, pitch, ahead=False)
        if heard is None or heard.pitch != pitch:
            raise InputError(f"pitch {pitch} isn't among those that the recipe renders")
        return self._copy(heard, self._zone(heard, 127))

    def _copy(self, heard: Heard, zone: Zone) -> Path:
        """A sound in the live folder, which keeps the last 1000."""
        state = "whole" if heard.settled else "key"
        path = self._folder / f"{heard.voice.digest[:24]}-{state}-{Path(zone.file).name.replace(' ', '_')}"
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{secrets.token_hex(6)}")
            try:
                os.link(heard.folder / zone.file, aside)
            except OSError:  # another file system
                shutil.copyfile(heard.folder / zone.file, aside)
            os.replace(aside, path)
        self._keep_file(path)
        return path

    def _keep_file(self, path: Path) -> None:
        self._files[path] = None
        self._files.move_to_end(path)
        while len(self._files) > _MOST_FILES:
            self._files.popitem(last=False)[0].unlink(missing_ok=True)

    def remove_files(self) -> None:
        """Remove the files that were made for clients."""
        for path in self._files:
            path.unlink(missing_ok=True)
        self._files.clear()

    def _favourite(self, given: Arguments) -> list[Value]:
        """Write a timbre into the recipe, as a seed where it is one."""
        (_, latent), name = self._named(given, "the latent"), given.text("the name")
        given.end()
        if self._recipe is None:
            raise InputError("there is no recipe to write into; start the server with one, or load one")
        if name in self._timbres:
            raise InputError(f"the recipe has a timbre '{name}' already")
        with_timbre(self._loaded, name, 0)  # checks the name
        file = self._recipe.parent / _SAVED_LATENTS / f"{name}.npy"
        if latent.seed is None:
            if os.path.lexists(file):
                raise InputError(f"{file} is there already")
            file.parent.mkdir(exist_ok=True)
            with file.open("xb") as opened:
                np.save(opened, latent.z)
        from samplepack.interactive.edits import SetTimbre, edited

        written: dict[str, Any] | int = {"latent": f"{_SAVED_LATENTS}/{name}.npy"}
        if latent.seed is not None:
            written = latent.seed
        text = edited(self._recipe.read_bytes(), SetTimbre(op="timbre", name=name, timbre=written))
        write_aside(self._recipe, text)
        self._loaded = load_recipe(self._recipe, *self._allowed)
        self._timbres = timbre_latents(self._loaded.recipe, self._checkpoint.latent_dim)
        self._voices.clear()
        return [name, str(self._recipe)]


def _gain(heard: Heard, velocity: int) -> float:
    """The gain of a velocity, as players have it."""
    return velocity_gain(velocity, heard.packed.velocity_tracking_percent, heard.voice.playing.velocity_curve)
