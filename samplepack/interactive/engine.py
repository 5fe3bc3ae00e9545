"""Notes on demand: a process that keeps networks loaded and answers with the sounds that a pack would hold."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.progress import Task, silent
from samplepack.finishing.finish import Finishing
from samplepack.formats.instrument import Playing, Range, Zone, key_ranges
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import DEFAULT_ENGINE, Engine
from samplepack.models.load import load_model
from samplepack.pack.instrument import finish_instrument
from samplepack.pack.manifest import PackedInstrument
from samplepack.pack.plan import PackPlan
from samplepack.pack.write import pack_gains_db, write_sounds, zones_of
from samplepack.recipe import LoadedRecipe
from samplepack.recipe.load import with_timbre
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note, PlannedInstrument, make_plan
from samplepack.rendering.render import render, rendered_batch

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth

_T = TypeVar("_T")
_R = TypeVar("_R")

_ASKED, _NEAR, _WHOLE, _FINISHED, _BACKGROUND = range(5)
"""How urgent work is: a note that somebody waits for; its neighbours and octaves; the other keys of its instrument;
finishing the whole instrument; and what nobody listens to yet."""

_NEIGHBOURS = (1, -1, 2, -2)
_OCTAVES = (12, -12, 7, -7, 24, -24)
"""Distances in keys, in the order in which they are rendered ahead."""

_MOST_VOICES = 24
"""How many instruments have their finished sounds on disk, some 10 MB each; the longest unheard ones are removed."""

_MOST_WAITING = 2000


@dataclass(frozen=True, eq=False)
class Voice:
    """An instrument that a build would make of a timbre with the settings of its recipe."""

    plan: PackPlan
    planned: PlannedInstrument
    settings: Finishing
    """By which its notes are finished."""

    playing: Playing
    """How it answers to a player's hands."""

    digest: str
    """A hash of all that its sounds depend on."""

    @property
    def pitches(self) -> list[int]:
        """The keys that are rendered, MIDI, from the lowest."""
        return [key[0].pitch for key in self.planned.keys[:: self.planned.takes]]

    def pitch_for(self, key: int) -> int | None:
        """The rendered pitch whose sound a key plays; None for a key that is silent."""
        return next((pitch for pitch, keys in self._ranges().items() if keys.low <= key <= keys.high), None)

    def keys_with(self, key: int) -> Range:
        """The keys that play the same sounds as a key; that key alone, if it is silent."""
        return next((keys for keys in self._ranges().values() if keys.low <= key <= keys.high), Range(key, key))

    def _ranges(self) -> dict[int, Range]:
        return key_ranges(self.pitches, self.plan.loaded.recipe.play.stretch_keys)

    def notes_of(self, pitches: Iterable[int]) -> list[Note]:
        """The notes to render for some pitches, in the order of the pitches."""
        takes, of_pitch = self.planned.takes, {pitch: i for i, pitch in enumerate(self.pitches)}
        return [
            note
            for pitch in pitches
            for key in self.planned.keys[of_pitch[pitch] * takes : (of_pitch[pitch] + 1) * takes]
            for note in key
        ]

    def only(self, pitch: int) -> PlannedInstrument:
        """The instrument with a single key."""
        keys = tuple(key for key in self.planned.keys if key[0].pitch == pitch)
        return replace(self.planned, keys=keys, sounds=self.planned.name)


@dataclass(frozen=True, eq=False)
class Heard:
    """The sounds of one key: files, as a pack holds them, and how they are played."""

    voice: Voice
    pitch: int
    """The rendered pitch, MIDI."""

    settled: bool
    """Whether all keys of the instrument were finished together, as a build does. Until then the key is finished by
    itself: its level and whether it sustains or decays may still change."""

    packed: PackedInstrument
    """The instrument with the notes of this pitch alone."""

    zones: tuple[Zone, ...]
    """One for each of its notes."""

    folder: Path
    """What the files lie in."""

    def bytes_of(self, file: str) -> bytes:
        """The bytes of one of its sound files.

        Raises:
            OSError: the file was removed since, because many other sounds were heard.
        """
        return (self.folder / file).read_bytes()


class NoteEngine:
    """Keeps networks loaded, renders notes through the user's cache, and finishes them as a build does.

    It may be used from several threads. What was asked for last is rendered first; then the neighbours and octaves of
    what was heard, then its other keys; then the instrument is finished as a whole, and its keys settle. One thread
    renders nothing but what is asked for, so that it begins at once.

    Args:
        engine: precision and device.
        workers: how many notes are rendered side by side; None: one for each core.
        on_settled: called with the digest of each voice whose keys were finished together, in a thread of the engine.
    """

    def __init__(
        self,
        engine: Engine = DEFAULT_ENGINE,
        workers: int | None = None,
        on_settled: Callable[[str], None] = lambda digest: None,
    ) -> None:
        self.engine = engine
        self.on_settled = on_settled
        self.cache = Cache.of_user()
        self._folder = tempfile.TemporaryDirectory(prefix="samplepack-")
        self._queue = _Queue()
        self._models: dict[str, GANSynth] = {}
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._made: OrderedDict[str, dict[int | None, Heard | PackedInstrument]] = OrderedDict()
        self._settings: dict[str, tuple[Finishing, Playing]] = {}
        self._rendering: dict[str, Future[None]] = {}
        self._settling: set[str] = set()
        workers = workers or os.cpu_count() or 1
        self._workers = [
            threading.Thread(target=self._queue.work, args=(_ASKED if i == 0 and workers > 1 else _BACKGROUND,))
            for i in range(workers)
        ]
        for worker in self._workers:
            worker.daemon = True
            worker.start()

    def close(self) -> None:
        """End the threads and remove the finished sounds. Rendered notes stay in the user's cache."""
        self._queue.close()
        for worker in self._workers:
            worker.join()
        self._folder.cleanup()
        self.cache.trim()

    def load(self, checkpoint: Checkpoint) -> GANSynth:
        """The network of a checkpoint, which stays loaded.

        Raises:
            InputError: the checkpoint is damaged.
        """
        with self._loading:
            if checkpoint.digest not in self._models:
                self._models[checkpoint.digest] = load_model(checkpoint, self.engine)
            return self._models[checkpoint.digest]

    def is_loaded(self, checkpoint: Checkpoint) -> bool:
        """Whether the network of a checkpoint is loaded, so that notes come without delay."""
        return checkpoint.digest in self._models

    def voice(self, loaded: LoadedRecipe, written: Any, name: str | None = None) -> Voice:
        """Plan the instrument of a timbre that need not stand in the recipe.

        Args:
            loaded: gives the checkpoint, the settings and the timbres that this one may lie toward.
            written: the timbre, as a recipe writes it.
            name: the name of the instrument, on which the lowest bit of its sound files, their dither, depends; None:
                one that the recipe doesn't have.

        Raises:
            InputError: the timbre is wrong.
        """
        if name is None:
            name = next(free for i in count() if (free := "Audition" + "_" * i) not in loaded.context["timbres"])
        return self._voice(replace(loaded, recipe=with_timbre(loaded, name, written)), name)

    def instrument(self, loaded: LoadedRecipe, name: str) -> Voice:
        """Plan an instrument of a recipe: one of its timbres, of its bank or of its paths.

        Raises:
            InputError: the recipe has no such instrument.
        """
        return self._voice(loaded, name)

    def _voice(self, loaded: LoadedRecipe, name: str) -> Voice:
        checkpoint, recipe = loaded.native_checkpoint(), loaded.recipe
        instruments = make_plan(recipe, checkpoint, str(self.engine))
        planned = next((one for one in instruments if one.name == name), None)
        if planned is None:
            raise InputError(f"the recipe makes no instrument '{name}'")
        files = [(str(file), os.stat(file).st_mtime_ns) for effect in recipe.effects for file in effect.files()]
        settings_key = repr((recipe.sound, recipe.process, recipe.play, recipe.velocity, files, checkpoint.rate_hz))
        with self._lock:
            settings = self._settings.get(settings_key)
        if settings is None:
            layers = recipe.velocity.layers if recipe.velocity else 1
            settings = (
                recipe.sound.finishing(recipe.effects, checkpoint.rate_hz, layers),
                recipe.playing(checkpoint.rate_hz),
            )
            with self._lock:
                self._settings[settings_key] = settings
        notes = " ".join(note.key for key in planned.keys for note in key)
        about = f"{settings_key}\n{planned.axis} {planned.name} {planned.velocities} {planned.takes}\n{notes}"
        digest = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()
        plan = PackPlan(loaded, checkpoint, self.engine, (planned,), (), (), "")
        return Voice(plan, replace(planned, sounds=planned.name), *settings, digest)

    def heard(self, voice: Voice, key: int, ahead: bool = True) -> Heard | None:
        """The sounds of a key, rendered and finished if they aren't there.

        Args:
            voice: the instrument.
            key: MIDI.
            ahead: whether to render its other keys ahead and then finish it as a whole.

        Returns:
            The sounds; None for a key that the instrument doesn't play.

        Raises:
            InputError: the checkpoint is damaged.
            SamplepackError: the network made NaN or infinity.
        """
        pitch = voice.pitch_for(key)
        if pitch is None:
            return None
        if (there := self._there(voice, pitch)) is not None:
            if ahead and not there.settled:
                self._render_ahead(voice, pitch)
            return there
        with self._queue.somebody_waits():
            for future in [self._render(voice, note, _ASKED) for note in voice.notes_of([pitch])]:
                future.result()
            made = self._finish(voice, voice.only(pitch), lambda items: items)
            heard = self._keep(voice, pitch, made)
        if ahead:
            self._render_ahead(voice, pitch)
        return heard

    def render_note(self, checkpoint: Checkpoint, note: Note) -> Future[None]:
        """Render a note that nobody waits for, when there is nothing else to do; its wave is then in the cache."""
        return self._queue.submit(_BACKGROUND, lambda: self._render_now(checkpoint, note))

    def wave(self, checkpoint: Checkpoint, note: Note) -> NDArray[np.float32]:
        """The wave of a note, float32, shape (samples,), rendered if the cache doesn't hold it.

        Raises:
            SamplepackError: the network made NaN or infinity.
        """
        wave = self.cache.get(note.key)
        return rendered_batch([note], self.load(checkpoint), self.cache)[note.key] if wave is None else wave

    def _there(self, voice: Voice, pitch: int) -> Heard | None:
        """The sounds of a pitch, settled ones rather than those of the key by itself; None if there are none."""
        with self._lock:
            made = self._made.get(voice.digest, {})
            if voice.digest in self._made:
                self._made.move_to_end(voice.digest)
            whole, alone = made.get(None), made.get(pitch)
        if isinstance(whole, PackedInstrument):
            return self._heard(voice, pitch, True, whole, self._place(voice, None))
        return alone if isinstance(alone, Heard) else None

    def _place(self, voice: Voice, pitch: int | None) -> Path:
        return Path(self._folder.name, voice.digest, "whole" if pitch is None else str(pitch))

    def _heard(self, voice: Voice, pitch: int, settled: bool, packed: PackedInstrument, folder: Path) -> Heard:
        zones = zones_of(packed, voice.plan.loaded.recipe.play.stretch_keys)
        files = {note.file for note in packed.notes if note.pitch == pitch}
        own = packed.model_copy(update={"notes": tuple(note for note in packed.notes if note.file in files)})
        return Heard(voice, pitch, settled, own, tuple(zone for zone in zones if zone.file in files), folder)

    def _keep(self, voice: Voice, pitch: int | None, made: tuple[PackedInstrument, Path]) -> Heard | None:
        """Put finished sounds into their place, unless they are there already; of a single pitch, give them."""
        packed, aside = made
        folder, removed = self._place(voice, pitch), list[str]()
        with self._lock:
            of_voice = self._made.setdefault(voice.digest, {})
            if pitch in of_voice:
                shutil.rmtree(aside)
            else:
                folder.parent.mkdir(parents=True, exist_ok=True)
                aside.rename(folder)
                of_voice[pitch] = packed if pitch is None else self._heard(voice, pitch, False, packed, folder)
            self._made.move_to_end(voice.digest)
            while len(self._made) > _MOST_VOICES:
                removed.append(self._made.popitem(last=False)[0])
            found = of_voice[pitch]
        for digest in removed:
            shutil.rmtree(Path(self._folder.name, digest), ignore_errors=True)
        return found if isinstance(found, Heard) else None

    def _finish(
        self, voice: Voice, planned: PlannedInstrument, paced: Callable[[Iterable[Any]], Iterable[Any]]
    ) -> tuple[PackedInstrument, Path]:
        """Finish an instrument, whose notes the cache holds, and write its sounds, by what a build does."""

        def map_(function: Callable[[_T], _R], items: Iterable[_T]) -> Generator[_R, None, None]:
            for item in paced(items):
                yield function(item)

        plan, recipe, task = voice.plan, voice.plan.loaded.recipe, Task("", silent)
        notes = [note for key in planned.keys for note in key]
        aside = Path(tempfile.mkdtemp(dir=self._folder.name))
        try:
            load = partial(self.load, plan.checkpoint)
            with (
                tempfile.TemporaryDirectory(dir=self._folder.name) as spool,
                closing(render(notes, plan.checkpoint, self.cache, self.engine, task, load)) as rendered,
            ):
                finished = finish_instrument(plan, planned, voice.settings, rendered, Path(spool), map_, map_, task)
                keys = [key.spooled for key in finished.keys]
                (gains_db,) = pack_gains_db([keys], recipe.sound, planned.takes)
                return write_sounds(aside, planned, finished.behaviour, keys, gains_db, recipe, map_), aside
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise

    def _render(self, voice: Voice, note: Note, urgency: int) -> Future[None]:
        """Have a note rendered, or rendered earlier, unless the cache holds it."""
        with self._lock:
            future = self._rendering.get(note.key)
            if future is None or future.done():
                if note.key in self.cache:
                    return _done()
                self._rendering[note.key] = future = Future()
            self._queue.submit(urgency, lambda: self._render_now(voice.plan.checkpoint, note), future)
        future.add_done_callback(lambda _: self._rendering.pop(note.key, None))
        return future

    def _render_now(self, checkpoint: Checkpoint, note: Note) -> None:
        if note.key not in self.cache:
            rendered_batch([note], self.load(checkpoint), self.cache)

    def _render_ahead(self, voice: Voice, pitch: int) -> None:
        """Queue the neighbours and octaves of a pitch, then the other keys, then the finishing of the instrument."""
        pitches = voice.pitches
        place = pitches.index(pitch)
        near = [pitches[place + step] for step in _NEIGHBOURS if 0 <= place + step < len(pitches)]
        near += [pitch + step for step in _OCTAVES if pitch + step in pitches]
        near = list(dict.fromkeys(near))
        others = sorted(set(pitches) - {pitch, *near}, key=lambda other: abs(other - pitch))
        with self._lock:
            if None in self._made.get(voice.digest, {}):
                return
        # The queue takes what was submitted last first.
        for note in reversed(voice.notes_of(others)):
            self._render(voice, note, _WHOLE)
        for note in reversed(voice.notes_of(near)):
            self._render(voice, note, _NEAR)
        self._queue.submit(_FINISHED, lambda: self._settle(voice))

    def _settle(self, voice: Voice) -> None:
        """Finish all keys of an instrument together, while nobody waits for a note."""
        with self._lock:
            if voice.digest in self._settling or None in self._made.get(voice.digest, {}):
                return
            self._settling.add(voice.digest)
        try:
            for note in self._queue.paced(voice.notes_of(voice.pitches)):
                self._render_now(voice.plan.checkpoint, note)
            self._keep(voice, None, self._finish(voice, voice.planned, self._queue.paced))
        finally:
            with self._lock:
                self._settling.discard(voice.digest)
        self.on_settled(voice.digest)


def _done() -> Future[None]:
    future: Future[None] = Future()
    future.set_result(None)
    return future


class _Queue:
    """Work for threads: the most urgent first and, of what is equally urgent, what was submitted last."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Callable[[], None], Future[None]]] = []
        self._changed = threading.Condition()
        self._numbers = count()
        self._waiting = 0
        self._closed = False

    def submit(self, urgency: int, run: Callable[[], None], future: Future[None] | None = None) -> Future[None]:
        """Have a function called; if its future is done by then, it isn't."""
        future = future or Future()
        with self._changed:
            heappush(self._heap, (urgency, -next(self._numbers), run, future))
            if len(self._heap) > _MOST_WAITING:
                self._heap.sort()
                # The same note may be wanted twice: ahead, and by somebody who waits for it.
                kept = {future for *_, future in self._heap[: _MOST_WAITING // 2]}
                for *_, dropped in self._heap[_MOST_WAITING // 2 :]:
                    if dropped not in kept:
                        dropped.cancel()
                del self._heap[_MOST_WAITING // 2 :]
            self._changed.notify_all()
        return future

    def work(self, least_urgent: int) -> None:
        """Call what is urgent enough until the queue is closed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._is_due(least_urgent))
                if self._closed:
                    return
                _, _, run, future = heappop(self._heap)
                if future.running() or future.done() or not future.set_running_or_notify_cancel():
                    continue  # another entry of the queue has begun it, or it was cancelled
            try:
                run()
            except BaseException as error:  # whoever asked for it gets the error
                future.set_exception(error)
            else:
                future.set_result(None)

    def _is_due(self, least_urgent: int) -> bool:
        """Whether there is something urgent enough; while somebody waits for a note, only what is asked for is."""
        return bool(self._heap) and self._heap[0][0] <= (_ASKED if self._waiting else least_urgent)

    def close(self) -> None:
        """End the threads that work; what waits is cancelled."""
        with self._changed:
            self._closed = True
            for *_, future in self._heap:
                future.cancel()
            self._changed.notify_all()

    @contextmanager
    def somebody_waits(self) -> Generator[None, None, None]:
        """Within the block, work that nobody waits for pauses where it can."""
        with self._changed:
            self._waiting += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiting -= 1
                self._changed.notify_all()

    def pause_for_others(self) -> None:
        """Wait until nobody waits for a note, 2 s at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, timeout=2.0)
            if self._closed:
                raise InterruptedError

    def paced(self, items: Iterable[Any]) -> Iterable[Any]:
        """The items, with pauses between them while somebody waits for a note."""
        for item in items:
            self.pause_for_others()
            yield item
