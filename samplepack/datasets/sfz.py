"""Sources in SFZ: each sample of an instrument as a note at its root."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samplepack.base.files import read_regular
from samplepack.datasets.candidates import Job, Offered, Source, Unusable
from samplepack.datasets.dataset import Dropped
from samplepack.datasets.sound_files import BEST_VELOCITY, distance, from_onset, read_stretch, root_of, shown
from samplepack.documents.problems import lies_in
from samplepack.sound import key_names as pitch_names
from samplepack.sound.audio import Audio

_COMMENT = re.compile(r"//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_HEADER_OR_OPCODE = re.compile(r"<(\w+)>|(?:(?<=[\s>])|^)(\w+)=")
_DIRECTIVE = re.compile(r'\s*#(?:define\s+(\$\w+)\s+(\S+)|include\s+"([^"]*)")\s*')
_MOST_INCLUDES = 100
_MOST_BYTES = 8 << 20
_LONGEST_LINE = 100_000
_MOST_STEPS = 5_000_000
"""The most characters of a map with its included files, the most comparisons of definitions with lines, and the most
opcodes that regions inherit."""

_LEVELS = ("global", "master", "group", "region")
"""Levels of SFZ headers, from the outermost; each inherits the opcodes of those before it."""

_DEFAULT_ROOT = "60"

Opcodes = dict[str, str]


class BrokenMap(Exception):
    """An SFZ map can't be read; the message is the reason."""


@dataclass(frozen=True)
class _Sample:
    """The sample that a region plays."""

    file: str
    """Path of the sound file as written in the map."""

    root: int | None
    """MIDI pitch of the root; None if it has to be read from the sample or measured."""

    velocity: int
    """The velocity nearest to `BEST_VELOCITY` among those at which the region plays."""

    first: int
    """First frame of the file that the region plays."""

    last: int | None
    """Frame of the file after the last one that the region plays; None for the end of the file."""


def open_sfz(maps: Sequence[Path], folder: Path, seconds: float, instrument: str) -> Source:
    """Open the samples of SFZ maps, each as a note at its root; each map is an instrument with the name of its file.

    Samples with the same root are ordered by how near their velocities are to 100.

    Args:
        maps: the paths of the maps.
        folder: the folder that contains them. Samples may lie in its parent folder and below, as in a pack, but not
            elsewhere.
        seconds: length of each sample that is needed.
        instrument: instrument name for all maps; empty to name each by its file.
    """
    top = Path(os.path.abspath(folder)).parent
    jobs: list[Job] = []
    dropped = []
    for path in maps:
        where = shown(path, folder)
        notes: dict[int | None, dict[_Sample, None]] = defaultdict(dict)
        try:
            for opcodes in read_map(path, top):
                if why := _unfit(opcodes):
                    dropped.append(Dropped(source=f"{where}: {opcodes['sample']}", why=why))
                else:
                    sample = _sample(opcodes)
                    notes[sample.root][sample] = None
        except BrokenMap as problem:
            dropped.append(Dropped(source=where, why=f"not a map: {problem}"))
            continue
        name = instrument or Path(where).stem
        for root, samples in notes.items():
            best_first = sorted(samples, key=lambda sample: distance(sample.velocity))
            # Samples whose roots have to be measured are separate notes.
            for group in [best_first] if root is not None else [[sample] for sample in best_first]:
                jobs.append(_job(path, where, top, name, group, seconds))
    return Source(title=folder.resolve().name, license="", jobs=jobs, dropped=dropped)


def read_map(path: Path, top: Path) -> list[Opcodes]:
    """Read the opcodes of each region that has a sample, including those inherited from its group and above.

    The values of `sample` begin with `default_path` and have forward slashes.

    Source: https://sfzformat.com: `#define` replaces text, and `#include` is replaced by the contents of another file.

    Args:
        path: the map.
        top: the folder outside of which no file is included.

    Raises:
        BrokenMap: the map can't be read, or has no region with a sample.
    """
    levels: dict[str, Opcodes] = {level: {} for level in _LEVELS}
    header, default_path = "", ""
    regions: list[tuple[Opcodes, ...]] = []
    for line in _lines(path, path.parent, top, {}, _Work()):
        found = list(_HEADER_OR_OPCODE.finditer(line))
        for number, match in enumerate(found):
            end = found[number + 1].start() if number + 1 < len(found) else len(line)
            value = line[match.end() : end].strip()
            if match[1]:
                header = match[1]
                if header in _LEVELS:
                    level = _LEVELS.index(header)
                    levels.update({lower: {} for lower in _LEVELS[level:]})
                if header == "region":
                    levels["region"] = {"default_path": default_path}
                    regions.append(tuple(levels[level] for level in _LEVELS))
            elif header == "control" and match[2] == "default_path":
                default_path = value
            elif header in _LEVELS:
                levels[header][match[2]] = value
    if sum(len(opcodes) for region in regions for opcodes in region) > _MOST_STEPS:
        raise BrokenMap("its regions have more opcodes than any map")
    merged = [{name: text for opcodes in region for name, text in opcodes.items()} for region in regions]
    with_sample = [
        {**region, "sample": (region["default_path"] + region["sample"]).replace("\\", "/")}
        for region in merged
        if region.get("sample")
    ]
    if not with_sample:
        raise BrokenMap("it has no region with a sample")
    return with_sample


@dataclass
class _Work:
    """What reading a map has taken so far, its included files counted in."""

    files: int = 0
    characters: int = 0
    comparisons: int = 0
    """Definitions that were looked for in lines."""


def _lines(path: Path, folder: Path, top: Path, defined: dict[str, str], work: _Work) -> Iterator[str]:
    """Yield the lines of a map without comments, with definitions and included files substituted."""
    work.files += 1
    if work.files > _MOST_INCLUDES:
        raise BrokenMap("its #include lines go round in a circle")
    try:
        raw = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise BrokenMap(f"cannot read {path.name}: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    work.characters += len(text)
    for line in _COMMENT.sub(" ", text.replace("\0", " ")).splitlines():
        directive = _DIRECTIVE.fullmatch(line)
        if directive and directive[1]:
            defined[directive[1]] = directive[2]
        elif directive:
            included = _within(top, folder, _defined(directive[3], defined, work))
            if included is None:
                raise BrokenMap(f"it includes {directive[3]}, which leads out of the instrument")
            yield from _lines(included, folder, top, defined, work)
        else:
            yield _defined(line, defined, work)


def _defined(text: str, defined: dict[str, str], work: _Work) -> str:
    if "$" in text:
        work.comparisons += len(defined)
        for name in sorted(defined, key=len, reverse=True):
            grown = len(text) + text.count(name) * (len(defined[name]) - len(name))
            work.characters += max(0, grown - len(text))
            if grown > _LONGEST_LINE:
                raise BrokenMap("its #define lines grow without end")
            text = text.replace(name, defined[name])
    if max(work.characters, work.comparisons) > _MOST_STEPS:
        raise BrokenMap("it is longer than any map, or has more #define lines")
    return text


def _within(top: Path, folder: Path, file: str) -> Path | None:
    """Return the path of a file that a map in `folder` refers to; None if it lies outside `top`, also by a
    link."""
    path = Path(os.path.abspath(folder / file.replace("\\", "/").replace("\0", "")))
    return path if path.is_relative_to(top) and lies_in(path, [top]) else None


def _unfit(opcodes: Opcodes) -> str | None:
    """Return why a region's sample can't become a note, as far as its opcodes show; None if they show no reason."""
    if opcodes["sample"].startswith("*"):
        return "not a sound file: a generator of the player"
    if opcodes.get("trigger", "attack") != "attack":
        return f"not a note: it plays on {opcodes['trigger']}"
    if opcodes.get("end") == "-1":
        return "not a note: it is switched off (end=-1)"
    root = _root_text(opcodes)
    if root != "sample" and pitch_names.key_number(root) not in range(128):
        return f"no pitch: its root, {root}, is no key"
    return None


def _root_text(opcodes: Opcodes) -> str:
    return opcodes.get("pitch_keycenter") or opcodes.get("key") or _DEFAULT_ROOT


def _sample(opcodes: Opcodes) -> _Sample:
    root = _root_text(opcodes)
    low, high = _integer(opcodes.get("lovel"), 0), _integer(opcodes.get("hivel"), 127)
    end = _integer(opcodes.get("end"), 0)
    return _Sample(
        opcodes["sample"],
        None if root == "sample" else pitch_names.key_number(root),
        min(max(BEST_VELOCITY, low), high),
        max(0, _integer(opcodes.get("offset"), 0)),
        end + 1 if end > 0 else None,
    )


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,10}", text) else default


def _job(path: Path, where: str, top: Path, instrument: str, samples: Sequence[_Sample], seconds: float) -> Job:
    def offers() -> Iterable[Offered]:
        for sample in samples:
            file = _within(top, path.parent, sample.file)
            root = root_of(file) if sample.root is None and file else sample.root
            yield Offered(
                instrument, root, f"{where}: {sample.file}", _loader(file, sample, seconds), max(sample.velocity, 1)
            )

    return offers


def _loader(file: Path | None, sample: _Sample, seconds: float) -> Callable[[], Audio]:
    def load() -> Audio:
        if file is None:
            raise Unusable("outside the instrument: its path leads elsewhere")
        if not os.path.isfile(file):
            raise Unusable("missing: there is no such file")
        return from_onset(read_stretch(file, sample.first, sample.last), seconds)

    return load
