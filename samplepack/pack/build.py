"""From recipes to packs: the stages of a build, in order."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cache as once
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from samplepack.base.errors import InputError, SamplepackError, counted, lines_of
from samplepack.base.files import aside_of, locked, settle, sha256_of_file
from samplepack.base.parallel import Map, threads
from samplepack.base.progress import Progress, Task, silent
from samplepack.clips.clip import play
from samplepack.models.backend import device_of
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.engine import Engine, Precision, engine_on
from samplepack.models.load import load_model
from samplepack.pack.ahead import Ahead
from samplepack.pack.archive import check_archive, write_archive
from samplepack.pack.instrument import finish_instrument
from samplepack.pack.lock import (
    KeptLock,
    Lock,
    LockComparison,
    compare_to_lock,
    keep_lock,
    lock_after_build,
    lock_before_build,
    lock_file,
    read_required_locks,
)
from samplepack.pack.manifest import Manifest, PackedInstrument, listed_files, read_manifest
from samplepack.pack.pictures import Drawing, keyboard_images
from samplepack.pack.plan import PackPlan, plan_pack
from samplepack.pack.recipes import check_recipes, paths_of
from samplepack.pack.shortfalls import pack_shortfalls
from samplepack.pack.wavetables import write_wavetable
from samplepack.pack.write import (
    pack_gains_db,
    write_bank,
    write_clip,
    write_instrument,
    write_metadata,
    write_twin,
)
from samplepack.rendering.cache import Cache
from samplepack.rendering.cluster import connected
from samplepack.rendering.render import Source, render

if TYPE_CHECKING:
    from samplepack.models.gansynth import GANSynth


@dataclass(frozen=True)
class Built:
    """What came of the build of one recipe."""

    recipe: Path
    folder: Path
    """The pack."""

    unchanged: bool
    """Whether the pack was there already, whole and made from the same inputs."""

    comparison: LockComparison | None
    """How the pack agrees with its lock file, where that was asked for."""

    lock: KeptLock | None
    """What became of the lock file beside the recipe; None where the build was held to one, or is a draft."""

    shortfalls: list[str]
    """What the pack falls short of by its own figures, as `verify` would say; nothing, as a rule."""

    remarks: list[str]
    """What the recipe's author should know, though nothing is wrong."""

    cache_trouble: str | None
    """Why notes couldn't be kept in the cache, if they couldn't."""

    store_trouble: list[str]
    """What went wrong with shared caches since the first pack of the build, in lines."""

    archive: Path | None = None
    """The pack as a ZIP archive, where that was asked for."""

    @property
    def manifest(self) -> Manifest:
        """The content of its `pack.json`, read anew each time: of hundreds of packs it would fill the memory."""
        return read_manifest(self.folder)


@dataclass(frozen=True)
class Failed:
    """A recipe whose pack couldn't be made, while those of others were."""

    recipe: Path
    problems: list[str]
    """What went wrong, each in a line that begins with the recipe's path."""


def build(
    recipes: str | Path | Sequence[str | Path],
    output: str | Path = "output",
    *,
    locked: bool = False,
    update_lock: bool = False,
    strict: bool = False,
    archive: bool = False,
    allow_plugins: bool = False,
    allow_reads: bool = False,
    precision: Precision = "float32",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    workers: int | None = None,
    cluster: str | None = None,
    progress: Progress = silent,
    on_built: Callable[[Built], None] = lambda built: None,
    on_failed: Callable[[Failed], None] | None = None,
) -> list[Built]:
    """Make the packs of recipes, and write or compare their lock files.

    Every recipe is checked before the first one is built. A pack that is there already, from the same inputs, is left
    as it is; notes that were rendered before come from the user's cache. Recipes of one checkpoint are built one after
    the other, so that each network is loaded once. If one of several recipes fails, the others are built.

    Args:
        recipes: paths of recipes, or one path.
        output: the folder that packs go into, each in a folder of its own.
        locked: build nothing but what the lock files beside the recipes say, and compare every byte with them.
        update_lock: write lock files of the same inputs anew, too, that were written with other versions or on another
            kind of machine.
        strict: raise an error, once all packs are there, if one falls short of what `verify` requires.
        archive: write each pack as a ZIP archive, too, and an entry for the Open Audio Stack's registry.
        allow_plugins: whether effects may be programs from elsewhere.
        allow_reads: whether `reads` may name folders outside of the repository.
        precision: number format of the network; a build in bfloat16 is a draft and leaves lock files alone.
        device: what the network runs on; `auto` is a GPU, where the backend finds one.
        workers: how many notes are processed side by side; all cores, where left out.
        cluster: a Ray cluster that renders, ahead of the packs, and finishes keys: `auto`, or an address; `device` is
            then one of its nodes'. Their versions have to be those of this machine.
        progress: receives how many notes of each pack are done; with a cluster, how many of all packs.
        on_built: receives each result as soon as its pack is there.
        on_failed: receives each of several recipes that fails; None raises one error for all of them at the end.

    Returns:
        The results of the recipes that didn't fail, in the order of the recipes.

    Raises:
        InputError: every problem of every recipe and of its lock file, before anything renders; or a checkpoint is
            damaged, or the cluster doesn't answer.
        SamplepackError: a note couldn't be rendered, one of several recipes failed, or with `strict` a pack falls
            short.
        OSError: the pack of a single recipe can't be written.
    """
    _check_arguments(locked, update_lock, precision, device, workers)
    paths = paths_of(recipes)
    checked = check_recipes(paths, allow_plugins, allow_reads)
    with ExitStack() as opened:
        fleet = opened.enter_context(connected(cluster, precision, device)) if cluster else None
        engine = fleet.engine if fleet else engine_on(device, precision)
        # Plans hold a latent and a key for each note: they are made again, one at a time, when a pack is built. Their
        # inputs are those that were read now, whatever becomes of the files until then.
        before, inputs, digests, notes = list[Lock](), list[str](), list[str](), 0
        for recipe in checked:
            plan = plan_pack(recipe, engine)
            if archive:
                check_archive(Path(output) / plan.loaded.recipe.slug)
            before.append(lock_before_build(plan.loaded, plan.checkpoint, plan.instruments, engine))
            inputs.append(plan.inputs)
            digests.append(plan.checkpoint.digest)
            notes += len({note.key for key in plan.key_notes() for note in key}) if fleet else 0
        required = read_required_locks(paths, before) if locked else [None] * len(checked)
        cache = Cache.of_user()
        map_ = threads(workers or os.cpu_count() or 1)

        def plan_again(number: int) -> PackPlan:
            return replace(plan_pack(checked[number], engine), inputs=inputs[number])

        def is_there(plan: PackPlan) -> bool:
            return _built_before(Path(output) / plan.loaded.recipe.slug, plan, map_) is not None

        def build_one(number: int, load: Callable[[], GANSynth]) -> Built:
            plan, wanted = plan_again(number), required[number]
            source: Source = partial(render, checkpoint=plan.checkpoint, cache=cache, engine=engine, load=load)
            shown, finish_map = progress, map_
            if fleet and ahead:
                source, shown = partial(ahead.rendered, number, source), silent
                if not any(effect.files() for effect in plan.loaded.recipe.effects):  # other machines lack these files
                    finish_map = fleet.map
            folder, manifest, unchanged = build_pack(plan, Path(output), cache, map_, shown, source, finish_map)
            made = lock_after_build(before[number], folder, manifest)
            if fleet:
                made = made.model_copy(update={"made_by": {**made.made_by, "machine": ", ".join(sorted(fleet.kinds))}})
            keeps = not locked and precision == "float32"
            return Built(
                recipe=plan.loaded.path,
                folder=folder,
                unchanged=unchanged,
                comparison=compare_to_lock(made, wanted) if wanted else None,
                lock=keep_lock(lock_file(plan.loaded.path), made, update_lock) if keeps else None,
                shortfalls=pack_shortfalls(manifest),
                remarks=plan.loaded.recipe.remarks,
                cache_trouble=cache.trouble,
                store_trouble=cache.store_trouble(),
                archive=write_archive(folder, manifest) if archive else None,
            )

        results: dict[int, Built] = {}
        failures: list[Failed] = []
        by_checkpoint = sorted(range(len(checked)), key=lambda number: digests.index(digests[number]))
        ahead: Ahead | None = None
        if fleet:
            task = Task(f"{counted(len(checked), 'recipe')} on a cluster", progress)
            task.begin(notes)
            ahead = opened.enter_context(Ahead(fleet, by_checkpoint, plan_again, is_there, cache, task).running())
        for _, numbers in groupby(by_checkpoint, key=digests.__getitem__):
            group = list(numbers)
            load = once(partial(_load, checked[group[0]].loaded.native_checkpoint(), engine))
            for number in group:
                try:
                    results[number] = build_one(number, load)
                except (SamplepackError, OSError) as error:
                    if len(checked) == 1:
                        raise
                    path = str(checked[number].loaded.path)
                    lines = [line if line.startswith(f"{path}:") else f"{path}: {line}" for line in lines_of(error)]
                    failures.append(Failed(Path(path), lines))
                    if on_failed:
                        on_failed(failures[-1])
                else:
                    on_built(results[number])
                finally:
                    if ahead:
                        ahead.built(number)
    built = [results[number] for number in sorted(results)]
    problems = [] if on_failed else [line for failed in failures for line in failed.problems]
    if strict:
        problems += [f"{one.folder}: {line}" for one in built for line in one.shortfalls]
    if problems:
        raise SamplepackError("\n".join(problems))
    return built


def _check_arguments(locked: bool, update_lock: bool, precision: str, device: str, workers: int | None) -> None:
    problems = []
    if precision not in get_args(Precision):
        problems.append(f"precision is '{precision}'; it should be {' or '.join(get_args(Precision))}")
    if device not in ("auto", "cpu", "gpu"):
        problems.append(f"device is '{device}'; it should be auto, cpu or gpu")
    if workers is not None and workers < 1:
        problems.append(f"workers is {workers}; it should be 1 or more")
    if locked and precision != "float32":
        problems.append("a build is held to its lock file in float32 alone")
    if update_lock and (locked or precision != "float32"):
        problems.append("a build that is held to its lock file, or is a draft, doesn't write the lock file")
    if problems:
        raise InputError(*problems)


def _load(checkpoint: Checkpoint, engine: Engine) -> GANSynth:
    """Load a network here, where notes of a cluster may be missing; on its GPUs they are rendered alone where there is
    one here, too."""
    device_of(engine.device)
    return load_model(checkpoint, engine)


def build_pack(
    plan: PackPlan,
    output: Path,
    cache: Cache,
    map_: Map,
    progress: Progress = silent,
    source: Source | None = None,
    finish_map: Map | None = None,
) -> tuple[Path, Manifest, bool]:
    """Make a planned pack, in a folder of its own in `output`.

    The pack is built aside and takes its place whole; an earlier one stays until then. The result depends on nothing
    but the recipe, the files that it names and the versions of what makes it: not on the cache, the map, the number of
    cores, or what stood there before.

    Args:
        plan: the pack.
        output: the folder that the pack's folder goes into.
        cache: holds rendered notes.
        map_: processes notes side by side.
        progress: receives how many notes are done.
        source: gives the rendered notes; None renders those that the cache lacks with a network that it loads.
        finish_map: finishes keys side by side; None: `map_`.

    Returns:
        The pack's folder, its manifest, and whether it was there already.

    Raises:
        InputError: the checkpoint is damaged, or something else stands in the pack's place.
        SamplepackError: a note couldn't be rendered.
    """
    folder = output / plan.loaded.recipe.slug
    task = Task(plan.loaded.recipe.name, progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder, lambda: task.remark("another build of it is under way")):
        settle(folder)
        if (there := _built_before(folder, plan, map_)) is not None:
            return folder, there, True
        with aside_of(folder, listed_files) as aside:
            source = source or partial(render, checkpoint=plan.checkpoint, cache=cache, engine=plan.engine)
            manifest = _write_pack(plan, aside, source, map_, finish_map or map_, task)
    cache.trim()
    return folder, manifest, False


def _write_pack(plan: PackPlan, folder: Path, source: Source, map_: Map, finish_map: Map, task: Task) -> Manifest:
    """Render, finish and write everything of a pack into an empty folder."""
    recipe = plan.loaded.recipe
    keys = plan.key_notes()
    task.begin(sum(map(len, keys)))
    with closing(source(chain.from_iterable(keys), task=task)) as rendered:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".spool") as spool:
            own = [planned for planned in plan.instruments if planned.has_own_sounds]
            velocity_layers = recipe.velocity.layers if recipe.velocity else 1
            settings = recipe.sound.finishing(recipe.effects, plan.checkpoint.rate_hz, velocity_layers)
            finished = [
                finish_instrument(plan, planned, settings, rendered, Path(spool), map_, finish_map, task)
                for planned in own
            ]
            spooled = [[result.spooled for result in instrument.keys] for instrument in finished]
            gains_db = pack_gains_db(spooled, recipe.sound, recipe.round_robin)
            images = {
                planned.name: keyboard_images(
                    list(zip(*(result.columns for result in instrument.keys[:: planned.takes]), strict=True))
                )
                for planned, instrument in zip(own, finished, strict=True)
            }
            (folder / "Instruments").mkdir()
            playing = recipe.playing(plan.checkpoint.rate_hz)
            written: dict[str, PackedInstrument] = {}
            with Drawing(folder, recipe.pitches, {p.name: images[p.sounds] for p in plan.instruments}) as drawing:
                drawing.overview(recipe.name, {planned.name: planned.axis for planned in plan.instruments})
                drawing.cover(recipe.name, recipe.author)
                for planned, instrument, of_keys, gains in zip(own, finished, spooled, gains_db, strict=True):
                    written[planned.name] = write_instrument(
                        folder, planned, instrument.behaviour, of_keys, gains, recipe, playing, map_
                    )
                    drawing.instrument(written[planned.name])
                for planned in plan.instruments:
                    if not planned.has_own_sounds:
                        written[planned.name] = write_twin(folder, planned, written[planned.sounds], recipe, playing)
                        drawing.instrument(written[planned.name])
        instruments = [written[planned.name] for planned in plan.instruments]
        write_bank(folder, instruments, recipe, playing)
        raws = (audio for _, audio in rendered)
        native_hz = plan.checkpoint.rate_hz
        wavetables = [write_wavetable(folder, planned, raws, recipe, native_hz) for planned in plan.wavetables]
        task.advance(sum(len(planned.notes) for planned in plan.wavetables))
        clips = []
        for clip in plan.clips:
            audio = play(clip, raws, native_hz, recipe, map_, task)
            clips.append(write_clip(folder, clip, audio, plan.loaded))
    return write_metadata(folder, plan, instruments, clips, wavetables)


def _built_before(folder: Path, plan: PackPlan, map_: Map) -> Manifest | None:
    """The manifest of a pack that a folder holds, whole and untouched, if it was made from these inputs; all its files
    are read."""
    try:
        manifest = read_manifest(folder)
    except InputError:
        return None
    names = [planned.name for planned in plan.instruments]
    if manifest.inputs != plan.inputs or [packed.name for packed in manifest.instruments] != names:
        return None
    with closing(map_(lambda file: sha256_of_file(folder / file), manifest.files)) as digests:
        try:
            whole = all(digest == stated for digest, stated in zip(digests, manifest.files.values(), strict=True))
        except OSError:
            return None
    return manifest if whole else None
