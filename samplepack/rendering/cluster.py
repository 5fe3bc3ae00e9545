"""Work on a Ray cluster: renderers that keep the network loaded, to which units of notes are given, and finishers."""

from __future__ import annotations

import os
import pickle
import platform
import re
import socket
import tempfile
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.version import __version__, library_versions
from samplepack.models.backend import backend
from samplepack.models.checkpoint import CONFIG, WEIGHTS, Checkpoint, read_checkpoint
from samplepack.models.config import gansynth_config
from samplepack.models.engine import Engine, Precision, engine_on, machine_kind
from samplepack.models.load import load_model
from samplepack.rendering.plan import Note
from samplepack.rendering.render import rendered

_T = TypeVar("_T")
_R = TypeVar("_R")

_LEAST_TOGETHER = 16
"""How many notes are given to a renderer at once: some seconds' work of a core; on a GPU whole batches, up to 128."""

_GIVEN = 2
"""How many units a renderer has at most, and keys a finisher: that which it works on, and the next one, so that it
needn't wait."""

_OF_A_CORE = 0.9
"""What a renderer takes of a core, where the network runs on cores; it shares it with a finisher."""

_MOST_LOSSES = 5
"""How often a unit, or the start of renderers, may be lost with a process or a node before it counts as a fault."""

_START_S = 120.0
"""How long a GPU may take until a network could be loaded, seconds; longer, and others keep all GPUs busy."""

_PROBE_S = 3.0
"""How long a server may take to answer before it is taken for none, seconds."""


@dataclass(eq=False)
class Unit:
    """Notes that one renderer renders."""

    checkpoint: Checkpoint
    notes: list[Note]
    losses: int = 0
    """How many renderers had it when they, or their nodes, died."""


def unit_size(engine: Engine, checkpoint: Checkpoint) -> int:
    """How many notes of a checkpoint make a unit."""
    return max(_LEAST_TOGETHER, engine.notes_together(gansynth_config(checkpoint)))


@dataclass(frozen=True)
class Machine:
    """Where a renderer or a finisher runs."""

    name: str
    kind: str
    """See `machine_kind`."""

    versions: dict[str, str]
    """What decides the bytes of packs: the versions of samplepack and libraries, and the `Engine` of a renderer."""

    @classmethod
    def here(cls, **more: str) -> Machine:
        """The machine of this process."""
        return cls(platform.node(), machine_kind(), {"samplepack": __version__, **library_versions(), **more})


class Renderer:
    """Renders units of notes, in a process of its own. It keeps the network of the last checkpoint loaded.

    Args:
        engine: precision and device.
        backend: Keras' backend.
    """

    def __init__(self, engine: Engine, backend: str) -> None:
        os.environ["KERAS_BACKEND"] = backend
        self._engine = engine
        self._loaded: tuple[str, Any] = "", None

    def machine(self) -> Machine:
        """Where it runs, and what it renders with."""
        return Machine.here(engine=str(self._engine))

    def render(self, digest: str, files: list[Any], notes: list[Note]) -> NDArray[np.float32]:
        """Render a unit, one batch after the other.

        Args:
            digest: of the checkpoint.
            files: a reference to the checkpoint's files: name → content. They are fetched if it isn't loaded.
            notes: those of the unit.

        Returns:
            Waves, float32, shape (notes, samples).

        Raises:
            InputError: the checkpoint is damaged.
            SamplepackError: the network's output holds NaN or infinity.
        """
        if digest != self._loaded[0]:
            import ray

            self._loaded = "", None
            with tempfile.TemporaryDirectory() as folder:
                for name, content in ray.get(files[0]).items():
                    Path(folder, name).write_bytes(content)
                self._loaded = digest, load_model(read_checkpoint(Path(folder), digest), self._engine)
        network = self._loaded[1]
        batch = network.notes_together  # one after the other, since this process has but one core
        return np.concatenate([rendered(notes[i : i + batch], network) for i in range(0, len(notes), batch)])


class Finisher:
    """Computes results of functions, in a process of its own: Ray's own workers for tasks end when they have been idle
    for a second, and their successors import all libraries anew."""

    def run(self, function: Callable[[_T], _R], item: _T) -> bytes:
        """The machine and the function's result, pickled: arrays that Ray itself hands over would lie in its object
        store, which any part of them keeps full."""
        return pickle.dumps((Machine.here(), function(item)))


@dataclass(eq=False)
class _Seat:
    """A renderer, as the driver sees it."""

    actor: Any
    given: int = 0
    """How many units it has."""

    is_ready: bool = False


class Cluster:
    """A Ray cluster that this process is connected to; see `connected`.

    Args:
        engine: what its renderers render on.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.kinds = {machine_kind()}
        """The kinds of machines that have taken part: this one's, and those of renderers and finishers."""
        self._finishers: list[Any] = []
        self._seats: list[_Seat] = []
        self._starting: dict[Any, _Seat] = {}
        self._given: dict[Any, tuple[Unit, _Seat]] = {}
        self._queue = deque[Unit]()
        self._sent: tuple[str, Any] = "", None
        self._failed_starts = 0
        self._looked_s = 0.0

    @property
    def renderers(self) -> int:
        """How many renderers are at work."""
        return sum(seat.is_ready for seat in self._seats)

    def render(
        self, next_unit: Callable[[], Unit | Literal["end"] | None], is_closed: Callable[[], bool]
    ) -> Generator[tuple[Unit, NDArray[np.float32] | str], None, None]:
        """Render units as they come, each on whichever renderer is free, and yield them as they are done.

        Renderers are started on all cores, or GPUs, that the cluster has, also on those of nodes that join later. What
        a process or a node takes with it when it dies is rendered by another one.

        Args:
            next_unit: returns a unit, None if there is none at the moment, or `end`. It is asked for no more units
                than renderers have room for.
            is_closed: whether to end before all units are done.

        Yields:
            Each unit with its waves, float32, shape (notes, samples), or with what is wrong with it.

        Raises:
            SamplepackError: renderers can't be started, or have other versions than this process.
        """
        import ray

        is_end = False
        while not is_closed():
            while True:
                if not self._queue and not is_end:
                    unit = next_unit()
                    is_end = unit == "end"
                    if isinstance(unit, Unit):
                        self._queue.append(unit)
                seat = self._free_seat() if self._queue else None
                if seat is None:
                    break
                self._give(self._queue.popleft(), seat)
            if self._queue:
                self._start_renderers()
            elif is_end and not self._given:
                return
            waited = [*self._given, *self._starting]
            done = ray.wait(waited, num_returns=1, timeout=0.2)[0] if waited else []
            if not waited:
                time.sleep(0.05)
            for reference in done:
                if reference in self._starting:
                    self._seated(reference)
                elif (result := self._result(reference)) is not None:
                    yield result

    def map(self, function: Callable[[_T], _R], items: Iterable[_T]) -> Generator[_R, None, None]:
        """A `Map` that runs on the cluster's cores, beside renderers where the network runs on cores. What is lost with
        a process or a node is computed here.

        Args:
            function: can be pickled by its module's name, and reads no file of this machine.
            items: arguments that can be pickled.

        Raises:
            SamplepackError: the function has raised an error.
        """
        import ray

        cores = max(int(ray.cluster_resources().get("CPU", 0)), 1)  # there may be none at the moment
        # Next to nothing of a core, so that there is room for them on whichever nodes are left.
        options = {"num_cpus": 0.001, "max_restarts": -1, "max_task_retries": 0, "scheduling_strategy": "SPREAD"}
        finisher = ray.remote(**options)(Finisher)
        self._finishers += [finisher.remote() for _ in range(cores - len(self._finishers))]
        here, pending = Machine.here(), deque[tuple[Any, _T]]()
        most_pending = _GIVEN * len(self._finishers)
        in_turn = cycle(self._finishers)

        def result() -> _R:
            reference, item = pending.popleft()
            try:
                machine, made = pickle.loads(ray.get(reference))
            except ray.exceptions.RayTaskError as error:
                raise SamplepackError(_reason(error)) from error
            except ray.exceptions.RayError:  # the finisher has died, or its node
                return function(item)
            self._accept(machine, here)
            of_item: _R = made
            return of_item

        for item in items:
            pending.append((next(in_turn).run.remote(function, item), item))
            while pending and (len(pending) >= most_pending or ray.wait([pending[0][0]], timeout=0)[0]):
                yield result()
        while pending:
            yield result()

    def _free_seat(self) -> _Seat | None:
        free = [seat for seat in self._seats if seat.is_ready and seat.given < _GIVEN]
        return min(free, key=lambda seat: seat.given, default=None)

    def _give(self, unit: Unit, seat: _Seat) -> None:
        import ray

        checkpoint = unit.checkpoint
        if checkpoint.digest != self._sent[0]:
            files = {name: (checkpoint.folder / name).read_bytes() for name in (CONFIG, WEIGHTS)}
            self._sent = checkpoint.digest, ray.put(files)
        # A list, since Ray would pass on the files' content in place of the reference itself.
        render = seat.actor.render.options(max_task_retries=0)
        reference = render.remote(checkpoint.digest, [self._sent[1]], unit.notes)
        seat.given += 1
        self._given[reference] = unit, seat

    def _start_renderers(self) -> None:
        """Start as many renderers as the cluster has room for by now."""
        import ray

        if time.monotonic() - self._looked_s < 1.0:
            return
        self._looked_s = time.monotonic()
        resource = "GPU" if self.engine.device == "gpu" else "CPU"
        for _ in range(int(ray.cluster_resources().get(resource, 0)) - len(self._seats)):
            # Ray brings a renderer back when its process has died, on another node where its own is gone. What it was
            # rendering then isn't left to wait for that: it goes to another one.
            actors = ray.remote(
                num_cpus=0 if resource == "GPU" else _OF_A_CORE,
                num_gpus=1 if resource == "GPU" else 0,
                max_restarts=-1,
                max_task_retries=-1,
                scheduling_strategy="SPREAD",
            )(Renderer)
            self._seats.append(_Seat(actors.remote(self.engine, backend())))
            self._await(self._seats[-1])

    def _await(self, seat: _Seat) -> None:
        """Give a renderer no unit until it has answered."""
        seat.is_ready = False
        if seat not in self._starting.values():
            self._starting[seat.actor.machine.remote()] = seat

    def _seated(self, reference: Any) -> None:
        """Take note of a renderer that has started, or failed to."""
        import ray

        seat = self._starting.pop(reference)
        try:
            machine: Machine = ray.get(reference)
        except ray.exceptions.RayError as error:
            self._seats.remove(seat)
            self._failed_starts += 1
            if self._failed_starts > _MOST_LOSSES or isinstance(error, ray.exceptions.RayTaskError):
                raise SamplepackError(f"the cluster can't start renderers: {_reason(error)}") from error
            return
        self._accept(machine, Machine.here(engine=str(self.engine)))
        seat.is_ready = True

    def _accept(self, machine: Machine, here: Machine) -> None:
        """Raise an error if a machine that takes part makes other bytes by its versions."""
        if wrong := [what for what in here.versions if machine.versions.get(what) != here.versions[what]]:
            theirs, ours = (", ".join(f"{what} {of.versions.get(what)}" for what in wrong) for of in (machine, here))
            raise SamplepackError(f"node {machine.name} has {theirs}; here: {ours}")
        self.kinds.add(machine.kind)

    def _result(self, reference: Any) -> tuple[Unit, NDArray[np.float32] | str] | None:
        """What came of a unit; None if it was lost and is to be rendered again."""
        import ray

        unit, seat = self._given.pop(reference)
        seat.given -= 1
        try:
            return unit, ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            return unit, _reason(error)
        except ray.exceptions.RayError as error:
            self._await(seat)
            unit.losses += 1
            if unit.losses > _MOST_LOSSES:
                return unit, f"{len(unit.notes)} notes were lost with {unit.losses} renderers: {_reason(error)}"
            self._queue.appendleft(unit)
            return None


@contextmanager
def connected(
    address: str, precision: Precision = "float32", device: Literal["auto", "cpu", "gpu"] = "auto"
) -> Iterator[Cluster]:
    """Connect to a Ray cluster, of which this machine has to be a node.

    Args:
        address: `auto`: the cluster that runs on this machine, or that `RAY_ADDRESS` names; otherwise the address of
            its head, such as `10.0.0.1:6379`.
        precision: number format of the network.
        device: what the network runs on; `auto` is the cluster's GPUs, where it has any.

    Raises:
        InputError: Ray isn't installed, no cluster answers at the address within seconds, or it has no such device.
    """
    try:
        import ray
    except ImportError:
        raise InputError("for builds on a cluster, pip install 'gansynth-samplepack[cluster]'") from None
    found = address if address != "auto" else os.environ.get("RAY_ADDRESS") or _local_address()
    _probe(found)
    is_own = not ray.is_initialized()
    try:
        if is_own:
            ray.init(address=found, log_to_driver=False, logging_level="error")
            # There is no public way to keep Ray from printing on standard output that a node has died.
            ray._private.worker._worker_logs_enabled = False
    except (ConnectionError, RuntimeError, ValueError) as error:  # other versions of Ray or Python, no node here
        raise InputError(f"Ray cluster {found}: {' '.join(str(error).split())}") from error
    try:
        resources = ray.cluster_resources()
        on = device if device != "auto" else "gpu" if resources.get("GPU", 0) >= 1 else "cpu"
        for needed in {"CPU", on.upper()}:
            if resources.get(needed, 0) < 1:
                raise InputError(f"Ray cluster {found}: has no {needed}")
        yield Cluster(_engine_of_gpus(found, precision) if on == "gpu" else Engine(precision))
    finally:
        if is_own:
            ray.shutdown()


def _engine_of_gpus(address: str, precision: Precision) -> Engine:
    """The engine of a cluster's GPUs: how many notes one renders together follows from its memory."""
    import ray

    def ask(backend: str) -> Engine:
        os.environ["KERAS_BACKEND"] = backend
        return engine_on("gpu", precision)

    try:
        asked = ray.remote(num_gpus=1, max_retries=3)(ask).remote(backend())
        engine: Engine = ray.get(asked, timeout=_START_S)
    except ray.exceptions.RayError as error:
        raise InputError(f"Ray cluster {address}: its GPU can't be used: {_reason(error)}") from error
    return engine


def _local_address() -> str:
    """The address of the cluster that was last started on this machine, where Ray itself looks it up."""
    folder = Path(os.environ.get("RAY_TMPDIR") or "/tmp", "ray")
    try:
        return (folder / "ray_current_cluster").read_text(encoding="utf-8").strip()
    except OSError:
        raise InputError(
            "no Ray cluster runs on this machine; start one with 'ray start --head', or give an address"
        ) from None


def _probe(address: str) -> None:
    """Raise an error if no gRPC server answers at an address: Ray itself would try for minutes.

    A server of HTTP/2, as gRPC's is, begins with its settings. Servers that ask for TLS aren't asked.
    """
    written = re.fullmatch(r"\[?([\w.:-]+?)\]?:([0-9]{1,5})", address)
    if written is None or not 0 < int(written[2]) < 65536:
        raise InputError(f"cluster is '{address}'; it should be auto, or an address and a port, such as 10.0.0.1:6379")
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return
    try:
        with socket.create_connection((written[1], int(written[2])), timeout=_PROBE_S) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
            answers = connection.recv(9)[3:4] == b"\4"
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"no Ray cluster answers at {address}: {reason}") from error
    if not answers:
        raise InputError(f"no Ray cluster answers at {address}: something else does")


def _reason(error: Exception) -> str:
    """What an error of Ray's is about, in one line: of a renderer's own error only that, without its traceback."""
    cause = getattr(error, "cause", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__
