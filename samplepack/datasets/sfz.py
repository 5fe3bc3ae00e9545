"""SFZ instruments: each sample at its root."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samplepack.datasets.candidates import Job, Offered, Source, Unusable
from samplepack.datasets.dataset import Dropped
from samplepack.datasets.sound_files import BEST_VELOCITY, distance, from_onset, read_stretch, root_of, shown
from samplepack.sound import key_names as pitch_names
from samplepack.sound.audio import Audio

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_HEADER_OR_OPCODE = re.compile(r"<(\w+)>|(?:(?<=[\s>])|^)(\w+)=")
_DIRECTIVE = re.compile(r'\s*#(?:define\s+(\$\w+)\s+(\S+)|include\s+"([^"]*)")\s*')
_MOST_INCLUDES = 100
_LONGEST_LINE = 100_000

_LEVELS = ("global", "master", "group", "region")
"""Each takes over what those before it say."""

_DEFAULT_ROOT = "60"

Opcodes = dict[str, str]


class BrokenMap(Exception):
    """A map that can't be read; the message says why."""


@dataclass(frozen=True)
class _Sample:
    """What a region plays."""

    file: str
    """As the map names it."""

    root: int | None
    """MIDI; None where the sample itself is to tell."""

    velocity: int
    """The one nearest to the best, of those that the region plays at."""

    first: int
    last: int | None
    """The stretch of the file, in frames; `last` is not included, None is the end."""


def open_sfz(maps: Sequence[Path], folder: Path, seconds: float, instrument: str) -> Source:
    """The samples of SFZ maps, each at its root; an instrument for each map, named as its file is.

    Of the samples with one root, the first of those that play nearest to velocity 100 is taken.

    Args:
        maps: their paths.
        folder: that they are in. Samples may lie beside it, as in a pack, but not further away.
        seconds: how much of each sample is needed.
        instrument: name of all of them; empty to name each as its file.
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
            # Those whose roots are to be heard are several notes.
            for group in [best_first] if root is not None else [[sample] for sample in best_first]:
                jobs.append(_job(path, where, top, name, group, seconds))
    return Source(title=folder.resolve().name, license="", jobs=jobs, dropped=dropped)


def read_map(path: Path, top: Path) -> list[Opcodes]:
    """The opcodes of each region that has a sample, with what it takes over from its group and above; of `sample`,
    `default_path` is a part, and slashes are forward.

    Source: https://sfzformat.com: `#define` replaces text, `#include` reads another file in its place.

    Args:
        path: of the map.
        top: nothing outside this folder is included.

    Raises:
        BrokenMap: it can't be read, or has no region with a sample.
    """
    levels: dict[str, Opcodes] = {level: {} for level in _LEVELS}
    header, default_path = "", ""
    regions: list[Opcodes] = []
    for line in _lines(path, path.parent, top, {}, [0]):
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
                    regions.append({})
            elif header == "control" and match[2] == "default_path":
                default_path = value
            elif header in _LEVELS:
                levels[header][match[2]] = value
            if header == "region":
                regions[-1] = {name: text for level in _LEVELS for name, text in levels[level].items()}
    with_sample = [
        {**region, "sample": (region["default_path"] + region["sample"]).replace("\\", "/")}
        for region in regions
        if region.get("sample")
    ]
    if not with_sample:
        raise BrokenMap("it has no region with a sample")
    return with_sample


def _lines(path: Path, folder: Path, top: Path, defined: dict[str, str], count: list[int]) -> Iterator[str]:
    """A map's lines without comments, with what they define and include put in place."""
    count[0] += 1
    if count[0] > _MOST_INCLUDES:
        raise BrokenMap("its #include lines go round in a circle")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BrokenMap(f"cannot read {path.name}: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    for line in _COMMENT.sub(" ", text.replace("\0", " ")).splitlines():
        directive = _DIRECTIVE.fullmatch(line)
        if directive and directive[1]:
            defined[directive[1]] = directive[2]
        elif directive:
            included = _within(top, folder, _defined(directive[3], defined))
            if included is None:
                raise BrokenMap(f"it includes {directive[3]}, which leads out of the instrument")
            yield from _lines(included, folder, top, defined, count)
        else:
            yield _defined(line, defined)


def _defined(text: str, defined: dict[str, str]) -> str:
    for name in sorted(defined, key=len, reverse=True):
        text = text.replace(name, defined[name])
        if len(text) > _LONGEST_LINE:
            raise BrokenMap("its #define lines grow without end")
    return text


def _within(top: Path, folder: Path, file: str) -> Path | None:
    """The path of a file that a map in `folder` names; None where it lies outside `top`."""
    path = Path(os.path.abspath(folder / file.replace("\\", "/")))
    return path if path.is_relative_to(top) else None


def _unfit(opcodes: Opcodes) -> str | None:
    """Why a region's sample is no note, as far as its opcodes say."""
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
            yield Offered(instrument, root, f"{where}: {sample.file}", _loader(file, sample, seconds))

    return offers


def _loader(file: Path | None, sample: _Sample, seconds: float) -> Callable[[], Audio]:
    def load() -> Audio:
        if file is None:
            raise Unusable("outside the instrument: its path leads elsewhere")
        if not os.path.isfile(file):
            raise Unusable("missing: there is no such file")
        return from_onset(read_stretch(file, sample.first, sample.last), seconds)

    return load
