"""Rendering on a cluster ahead of the packs: while one pack is built, the notes of those after it are rendered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from queue import Empty, Full, Queue
from threading import Condition, Thread
from typing import Literal

from samplepack.base.errors import SamplepackError, counted, lines_of
from samplepack.base.progress import Task
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.pack.plan import PackPlan
from samplepack.rendering.cache import LIMIT_VARIABLE, Cache
from samplepack.rendering.cluster import Cluster, Unit, unit_size
from samplepack.rendering.plan import Note
from samplepack.rendering.render import Source
from samplepack.sound.audio import Audio

_SHARE = 0.5
"""How much of the cache's largest size may be filled with notes of packs that aren't built yet."""

_LOOK_S = 0.5
"""How often a thread that waits looks whether it is to end, seconds."""


class Ahead:
    """Renders the notes of packs on a cluster, in the order in which these are built, into the cache.

    One thread plans packs and divides the notes that the cache lacks into units; another gives them to the cluster. How
    far they are ahead is bounded by the cache's size and by the cluster's renderers, so that nothing piles up.

    Args:
        cluster: what renders.
        order: numbers of the packs, in the order in which they are built.
        plan: returns the plan of a pack.
        is_there: whether a planned pack is there already, so that it needs no notes.
        cache: receives the notes.
        task: counts the packs' notes that are in the cache, or aren't needed.
    """

    def __init__(
        self,
        cluster: Cluster,
        order: Sequence[int],
        plan: Callable[[int], PackPlan],
        is_there: Callable[[PackPlan], bool],
        cache: Cache,
        task: Task,
    ) -> None:
        self._cluster, self._order, self._plan, self._is_there = cluster, order, plan, is_there
        self._cache, self._task = cache, task
        self._units: Queue[Unit | Literal["end"]] = Queue(2)
        self._changed = Condition()
        self._keys: dict[int, set[str]] = {}
        """The notes of packs that are planned and aren't built yet."""
        self._bytes: dict[int, int] = {}
        self._waiting: dict[str, list[int]] = defaultdict(list)
        """Note → the packs that wait for it."""
        self._wrong: dict[int, str] = {}
        self._error: str | None = None
        self._is_closed = False

    @contextmanager
    def running(self) -> Iterator[Ahead]:
        """Render within the block; what isn't rendered at its end is left."""
        running = [Thread(target=self._guarded, args=(run,), daemon=True) for run in (self._divide, self._render)]
        for thread in running:
            thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()
            for thread in running:
                thread.join()

    def rendered(
        self, number: int, source: Source, notes: Iterable[Note], *, task: Task
    ) -> Generator[tuple[Note, Audio], None, None]:
        """Give a pack's notes in order, each as soon as it is in the cache.

        Args:
            number: of the pack.
            source: reads them from the cache.
            notes: of the pack.
            task: receives remarks.

        Raises:
            SamplepackError: a note couldn't be rendered, or couldn't be kept in the cache.
        """
        for note in notes:
            self._wait(number, note.key)
            with closing(source([note], task=task)) as ready:
                yield from ready

    def _wait(self, number: int, key: str) -> None:
        def is_there() -> bool:
            return number in self._keys and key not in self._waiting

        with self._changed:
            self._changed.wait_for(lambda: self._error or number in self._wrong or is_there())
            wrong = self._wrong.get(number) or (None if is_there() else self._error)
            was_rendered = key in self._keys.get(number, ())
        if wrong:
            raise SamplepackError(wrong)
        if was_rendered and key not in self._cache:
            why = f"couldn't be kept: {self._cache.trouble}" if self._cache.trouble else self._too_large()
            raise SamplepackError(f"notes {why}")

    def built(self, number: int) -> None:
        """Make room for the notes of further packs."""
        with self._changed:
            self._keys.pop(number, None)
            self._bytes.pop(number, None)
            self._changed.notify_all()

    def _guarded(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception as error:  # whatever ends a thread: the packs that are left are told of it
            self._fail(error)

    def _fail(self, error: Exception, number: int | None = None) -> None:
        known = isinstance(error, SamplepackError | OSError)
        lines = lines_of(error) if known else [f"{type(error).__name__}: {error}"]  # type: ignore[arg-type]
        with self._changed:
            if number is None:
                self._error = self._error or "\n".join(lines)
            else:
                self._wrong[number] = "\n".join(lines)
            self._changed.notify_all()

    def _divide(self) -> None:
        """Plan the packs one after the other, and divide the notes that are to be rendered into units."""
        checkpoint, notes = None, list[Note]()
        for number in self._order:
            try:
                plan = self._plan(number)
                is_there = self._is_there(plan)
            except (SamplepackError, OSError) as error:
                self._fail(error, number)
                continue
            of_pack = {note.key: note for key in plan.key_notes() for note in key}
            if is_there:
                self._add(number, {}, 0)
                self._task.advance(len(of_pack))
                continue
            if checkpoint is not None and checkpoint.digest != plan.checkpoint.digest:
                self._put(checkpoint, notes)
                notes = []
            checkpoint = plan.checkpoint
            size_bytes = len(of_pack) * 4 * gansynth_config(checkpoint).samples
            if size_bytes > self._cache.limit_bytes:
                self._fail(SamplepackError(f"{counted(len(of_pack), 'note')} {self._too_large()}"), number)
                continue
            if not self._has_room(size_bytes):
                self._put(checkpoint, notes)  # the packs that are waited for may need them
                notes = []
                self._wait_for_room(size_bytes)
            self._cache.fetch(of_pack)
            notes += self._add(number, of_pack, size_bytes)
            together = unit_size(self._cluster.engine, checkpoint)
            while len(notes) >= together:
                self._put(checkpoint, notes[:together])
                notes = notes[together:]
            if self._is_closed:
                return
        if checkpoint is not None:
            self._put(checkpoint, notes)
        self._put_in_turn("end")

    def _too_large(self) -> str:
        limit = f"{self._cache.limit_bytes / 1e9:g} GB"
        return f"don't fit into the cache, through which a cluster's notes go ({limit}): raise {LIMIT_VARIABLE}"

    def _has_room(self, size_bytes: int) -> bool:
        """Whether a pack's notes fit into the cache beside those of packs that aren't built yet; one always does."""
        with self._changed:
            return not self._bytes or sum(self._bytes.values()) + size_bytes <= _SHARE * self._cache.limit_bytes

    def _wait_for_room(self, size_bytes: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._has_room(size_bytes))

    def _add(self, number: int, notes: dict[str, Note], size_bytes: int) -> list[Note]:
        """Take a pack in, and return those of its notes that are to be rendered and aren't yet for another pack."""
        missing = [note for key, note in notes.items() if not self._cache.touch(key)]
        with self._changed:
            fresh = [note for note in missing if note.key not in self._waiting]
            for note in missing:
                self._waiting[note.key].append(number)
            self._keys[number], self._bytes[number] = set(notes), size_bytes
            self._changed.notify_all()
        self._task.advance(len(notes) - len(missing))
        return fresh

    def _put(self, checkpoint: Checkpoint, notes: list[Note]) -> None:
        if notes:
            self._put_in_turn(Unit(checkpoint, notes))

    def _put_in_turn(self, unit: Unit | Literal["end"]) -> None:
        while not self._is_closed:
            try:
                self._units.put(unit, timeout=_LOOK_S)
            except Full:
                continue
            return

    def _render(self) -> None:
        """Give the units to the cluster, and put what comes back into the cache."""

        def next_unit() -> Unit | Literal["end"] | None:
            try:
                return self._units.get_nowait()
            except Empty:
                return None

        for unit, waves in self._cluster.render(next_unit, lambda: self._is_closed):
            if not isinstance(waves, str):
                for note, wave in zip(unit.notes, waves, strict=True):
                    self._cache.put(note.key, wave)
            with self._changed:
                waiting = [number for note in unit.notes for number in self._waiting.pop(note.key)]
                if isinstance(waves, str):
                    self._wrong.update(dict.fromkeys(waiting, waves))
                self._changed.notify_all()
            self._task.advance(len(waiting))
            self._task.remark(f"{counted(self._cluster.renderers, 'renderer')} at work")
