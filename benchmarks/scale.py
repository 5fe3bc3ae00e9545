"""What many timbres cost on many machines: `python -m benchmarks.scale` prints the tables of docs/explanation/scale.md.

Units of notes pass through three stages, each with so many servers: rendering, finishing (effects, tuning, loops,
encoding) and the store. A unit waits in front of a stage until a server is free, and blocks the stage behind it when
too many wait, as a build does. Times are those that `python -m benchmarks` measured; see benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heapreplace

KEYS = 49
"""Notes of a timbre."""

CORE_HOUR_USD, GPU_HOUR_USD = 0.05, 7.9
"""List prices an hour: a virtual core of a large machine, and one of the eight H200 of a machine of 192 cores, which
are included. Put your own in."""

STORED_TB_MONTH_USD, PUT_USD = 23.0, 5e-6
"""List prices of an object store: a terabyte for a month, and writing one object."""


@dataclass(frozen=True)
class Network:
    """A network whose notes are built, and what one of them takes."""

    name: str
    render_core_s: float
    """Rendering on one core, seconds."""

    finish_core_s: float
    """Everything else on one core: effects, tuning, loops, figures, encoding, writing, pictures, files; seconds."""

    cached_bytes: int
    """A note in the cache: four seconds in float32, and its checksum."""

    pack_bytes: int
    """A note in a pack, pictures and previews included."""

    @property
    def stored_bytes(self) -> int:
        """What a note writes in all."""
        return self.cached_bytes + self.pack_bytes


PUBLISHED = Network("the published size, 16 kHz", 0.180, 0.052, 4 * 64_000 + 32, 626_000)
"""Of 52 ms, effects take 10, tuning, loops and measures 22, encoding and writing 4; the rest is what a build of 100
timbres took (5.68 s a timbre on two cores) beyond these. First Light took 184 MB for 294 notes at 16 kHz."""

STARTER = Network("starter@2, 48 kHz", 0.121, 0.070, 4 * 192_000 + 32, 590_000)
"""By turns with starter@1, rendering takes 1.65 times its time, the rest 1.35 times. A build of 10 timbres took 99 s of
processor time for 490 notes, 5 of them to start, on a busy machine: 192 ms a note. Its pack has 289 MB."""

UNIT = 32
_UNITS, _WAITING = 6000, 64


@dataclass(frozen=True)
class Plant:
    """Machines that build."""

    name: str
    cores: int
    """Those that finish; without GPUs they render, too."""

    gpus: int = 0
    gpu_notes_s: float = 0.0
    """What one GPU renders a second: an assumption, since none was measured."""

    store_mb_s: float = 1000.0
    """What the store takes a second, megabytes, from all machines together."""

    @property
    def usd_hour(self) -> float:
        """What it costs by the hour; cores that come with the GPUs are in their price."""
        return self.gpus * GPU_HOUR_USD + max(0, self.cores - 24 * self.gpus) * CORE_HOUR_USD


def notes_per_second(plant: Plant, network: Network) -> float:
    """How many notes of a network a plant builds a second, once it is under way."""
    finish_s = UNIT * network.finish_core_s
    store_s = UNIT * network.stored_bytes / (plant.store_mb_s * 1e6)
    if plant.gpus:
        stages = [(plant.gpus, UNIT / plant.gpu_notes_s), (plant.cores, finish_s), (1, store_s)]
    else:
        stages = [(plant.cores, UNIT * network.render_core_s + finish_s), (1, store_s)]
    done_s = list(_finished_s(stages))
    first = len(done_s) // 2  # the pipeline is full by then
    return UNIT * (len(done_s) - 1 - first) / (done_s[-1] - done_s[first])


def _finished_s(stages: list[tuple[int, float]]) -> Iterator[float]:
    """When each unit leaves the last stage, seconds, in order.

    Args:
        stages: for each, how many servers it has and how long a unit takes there.
    """
    # Servers begin one after the other, as they do once a plant has run for long.
    free_s = [[takes_s * server / servers for server in range(servers)] for servers, takes_s in stages]
    for free in free_s:
        heapify(free)
    begun_s: list[list[float]] = [[] for _ in stages]
    for unit in range(_UNITS):
        at_s = 0.0
        for stage, (servers, takes_s) in enumerate(stages):
            at_s = max(at_s, free_s[stage][0])
            behind = unit - _WAITING - servers
            if behind >= 0 and stage + 1 < len(stages):  # the next stage has begun with it, so that there is room
                at_s = max(at_s, begun_s[stage + 1][behind])
            begun_s[stage].append(at_s)
            at_s += takes_s
            heapreplace(free_s[stage], at_s)
        yield at_s


def row(plant: Plant, network: Network, timbres: int = 1_000_000) -> str:
    """A line of the table: what so many timbres take and cost."""
    notes_s, notes = notes_per_second(plant, network), timbres * KEYS
    hours = notes / notes_s / 3600
    cache_tb, pack_tb = notes * network.cached_bytes / 1e12, notes * network.pack_bytes / 1e12
    machines_usd, puts_usd = hours * plant.usd_hour, notes * PUT_USD
    stored_usd = (cache_tb + pack_tb) * STORED_TB_MONTH_USD
    return (
        f"| {plant.name} | {notes_s:,.1f} | {hours / 24:,.1f} | {notes_s * network.stored_bytes / 1e6:,.0f} | "
        f"{machines_usd:,.0f} | {puts_usd:,.0f} + {stored_usd:,.0f} |"
    )


def main() -> None:
    """Print the tables."""
    for network in (PUBLISHED, STARTER):
        print(f"\n{network.name}:\n")
        print("| machines | notes/s | days | MB/s to the store | machines, $ | writing + a month's storage, $ |")
        print("|---|---|---|---|---|---|")
        for cores, name in ((16, "one of 16 cores"), (100, "100 cores"), (1000, "1000 cores")):
            print(row(Plant(name, cores), network))
        for cores in (192, 2080):
            print(row(Plant(f"8 GPUs of 5,000 notes/s, {cores} cores", cores, 8, 5000.0), network))
        print("\n| cores beside 8 GPUs | GPUs of 500 notes/s | GPUs of 1,000 notes/s | GPUs of 5,000 notes/s |")
        print("|---|---|---|---|")
        for cores in (48, 192, 480, 2080):
            rates = [notes_per_second(Plant("", cores, 8, rate, 1e6), network) for rate in (500.0, 1000.0, 5000.0)]
            print(f"| {cores} | " + " | ".join(f"{notes_s:,.0f}" for notes_s in rates) + " |")
        print("\n| store, MB/s | 100 cores | 1000 cores | 8 GPUs of 5,000 notes/s, 2080 cores |")
        print("|---|---|---|---|")
        for store in (100.0, 1000.0, 10_000.0, 40_000.0):
            plants = [Plant("", 100, store_mb_s=store), Plant("", 1000, store_mb_s=store)]
            plants.append(Plant("", 2080, 8, 5000.0, store))
            print(f"| {store:,.0f} | " + " | ".join(f"{notes_per_second(p, network):,.0f}" for p in plants) + " |")


if __name__ == "__main__":
    main()
