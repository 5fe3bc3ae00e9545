"""Static pages on which the instruments of packs can be played: files alone, for any web server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.files import folder_aside, read_regular
from samplepack.base.parallel import threads
from samplepack.base.progress import Progress, Task, silent
from samplepack.formats.instrument import RELEASE_S
from samplepack.pack.diff import compare
from samplepack.pack.lock import lock_of_pack
from samplepack.pack.manifest import MANIFEST, Manifest, PackedInstrument, read_manifest
from samplepack.pack.pictures import COVER
from samplepack.pack.write import zones_of
from samplepack.sound.audio import read
from samplepack.web import markup
from samplepack.web.playing import answers, region
from samplepack.web.sounds import OPUS_HZ, Codec, compress, mp3

SITE = "site.json"
"""The list of a site's files, by which it is told from folders that samplepack didn't make."""

_ASSETS = ("keyboard.js", "list.js", "pack.js", "page.css", "page.js", "player.js")

_MOST_BYTES = 64 << 20

_PICTURE_WIDTH, _COVER_WIDTH = 1400, 480


@dataclass(frozen=True)
class Page:
    """The page of a pack, as it was written."""

    name: str
    """The pack's name."""

    address: str
    """Where the page lies in the site."""

    sound_bytes: dict[str, int]
    """Instrument → the size of its sounds."""


@dataclass
class _Site:
    """A site that is being written."""

    folder: Path
    codec: Codec
    workers: int
    files: set[str] = field(default_factory=set)

    def write(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.files.add(name)

    def keep(self, folder: str, suffix: str, content: bytes) -> str:
        """Write a file under the hash of its content, which needs no escaping; its path within the page's folder."""
        name = f"files/{hashlib.sha256(content).hexdigest()[:20]}{suffix}"
        self.write(f"{folder}/{name}", content)
        return name


def write_site(
    packs: Sequence[Path],
    folder: Path,
    before: Path | None = None,
    codec: Codec = "opus",
    workers: int | None = None,
    progress: Progress = silent,
) -> list[Page]:
    """Write a page for each of some packs, and a list of them.

    Two sites of the same packs are the same, byte for byte, on machines with the same libraries.

    Args:
        packs: the packs' folders.
        folder: the site's folder. A site that is there is replaced.
        before: a pack, or a folder of packs with the same folder names, whose differences from the packs the pages
            tell and play.
        codec: how sounds are compressed.
        workers: how many sounds are compressed side by side; None: as many as there are cores.
        progress: told of each instrument.

    Returns:
        The pages, in the order of the packs.

    Raises:
        InputError: a folder isn't a pack or has a damaged file, two packs would have the same page, or the site's
            folder holds something that samplepack didn't make.
        SamplepackError: an instrument can't be made small enough.
    """
    addresses = [_slug(pack.resolve().name) for pack in packs]
    problems = [
        f"{pack}: another pack has the page '{address}', too"
        for i, (pack, address) in enumerate(zip(packs, addresses, strict=True))
        if address in addresses[:i]
    ]
    for pack in packs:
        try:  # the manifests of hundreds of packs would fill the memory: each is read again for its page
            read_manifest(pack)
            _before(pack, before, len(packs))
        except InputError as error:
            problems += map(str, error.problems)
    if problems:
        raise InputError(*problems)
    with folder_aside(folder, _listed) as aside:
        site = _Site(aside, codec, workers or os.cpu_count() or 1)
        for name in _ASSETS:
            site.write(f"assets/{name}", (files("samplepack.web") / "static" / name).read_bytes())
        pages, listed = list[Page](), list[markup.Listed]()
        for pack, address in zip(packs, addresses, strict=True):
            now = _Side(pack, read_manifest(pack))
            try:
                cover = _picture(site, address, pack / COVER, _COVER_WIDTH)
                pages.append(_write_page(site, address, now, _before(pack, before, len(packs)), cover, progress))
            except (OSError, RuntimeError) as error:
                if isinstance(error, SamplepackError):
                    raise
                raise InputError(f"{now.folder}: {error}") from None
            listed.append(
                markup.Listed(
                    address=pages[-1].address,
                    name=now.manifest.name,
                    description=now.manifest.description,
                    about=tuple(filter(None, (now.manifest.author, now.manifest.category, *now.manifest.tags))),
                    instruments=tuple(packed.name for packed in now.manifest.instruments),
                    cover=cover,
                )
            )
        site.write("index.html", markup.index(listed).encode())
        site.write(".nojekyll", b"")  # GitHub Pages then leaves all files as they are
        site.files.add(SITE)
        site.write(SITE, json.dumps({"files": sorted(site.files)}, indent=1).encode() + b"\n")
    return pages


@dataclass(frozen=True)
class _Side:
    """A pack, now or before."""

    folder: Path
    manifest: Manifest

    def sounds_of(self, name: str) -> list[str]:
        """What an instrument is made from, as hashes; empty if there is none of that name."""
        packed = next((i for i in self.manifest.instruments if i.name == name), None)
        return [note.sha256 for note in packed.notes] if packed else []


def _before(pack: Path, before: Path | None, count: int) -> _Side | None:
    """The earlier version of a pack; None if there is none."""
    if before is None:
        return None
    if not before.is_dir():
        raise InputError(f"{before}: no such folder")
    earlier = before / pack.resolve().name
    if (before / MANIFEST).exists() and count == 1:
        earlier = before
    return _Side(earlier, read_manifest(earlier)) if (earlier / MANIFEST).exists() else None


def _listed(folder: Path) -> set[str] | None:
    """The files of a site; None for a folder that is none."""
    if not (folder / SITE).exists():
        return None
    try:
        return set(json.loads(read_regular(folder / SITE, _MOST_BYTES))["files"])
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None


def _slug(name: str) -> str:
    """The folder of a page: letters and digits of any alphabet stay, since packs differ by them."""
    return re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", name).lower()).strip("-.") or "pack"


def _write_page(
    site: _Site, address: str, now: _Side, earlier: _Side | None, cover: markup.Picture | None, progress: Progress
) -> Page:
    task = Task(now.manifest.name, progress)
    task.begin(len(now.manifest.instruments))
    compressed: dict[tuple[str, ...], tuple[dict[str, Any], int]] = {}

    def played(side: _Side, packed: PackedInstrument) -> tuple[dict[str, Any], int]:
        key = (side.folder.as_posix(), *(note.file for note in packed.notes))
        if key not in compressed:
            compressed[key] = _sounds(site, address, side, packed)
        sounds, size = compressed[key]
        return {"name": packed.name, **_playing(side, packed), **sounds}, size

    instruments, sizes = [], {}
    previews, pictures = {}, {}
    for packed in now.manifest.instruments:
        data, sizes[packed.name] = played(now, packed)
        if earlier and (had := earlier.sounds_of(packed.name)) and had != now.sounds_of(packed.name):
            old = next(i for i in earlier.manifest.instruments if i.name == packed.name)
            data["before"], _ = played(earlier, old)
        instruments.append(data)
        if packed.preview:
            previews[packed.name] = site.keep(address, ".mp3", mp3(read(now.folder / packed.preview)))
        pictures[packed.name] = _picture(site, address, now.folder / "Pictures" / f"{packed.name}.png", _PICTURE_WIDTH)
        task.advance(1)
    clips = {clip.name: site.keep(address, ".mp3", mp3(read(now.folder / clip.file))) for clip in now.manifest.clips}
    changes = compare(lock_of_pack(earlier.folder), lock_of_pack(now.folder)) if earlier else None
    page = markup.Page(
        manifest=now.manifest,
        data={"instruments": instruments, "rateHz": instruments[0]["rateHz"]},
        sizes=sizes,
        previews=previews,
        pictures={name: picture for name, picture in pictures.items() if picture},
        clips=clips,
        cover=cover,
        recipe=_text(now.folder / "recipe.yaml"),
        licence=_text(now.folder / "LICENSE.txt"),
        changes=changes,
    )
    site.write(f"{address}/index.html", markup.page(page).encode())
    return Page(now.manifest.name, f"{address}/index.html", sizes)


def _sounds(site: _Site, address: str, side: _Side, packed: PackedInstrument) -> tuple[dict[str, Any], int]:
    """The zones of an instrument for `pack.js`, with the files that they play, and the size of these."""
    rate_hz = side.manifest.rate_hz
    kept, sounds = compress(side.folder, packed, rate_hz, site.codec, threads(site.workers))
    names = {file: site.keep(address, f".{site.codec}", content) for file, content in sounds.items()}
    roots, kept_roots = ({note.pitch for note in notes} for notes in (packed.notes, kept.notes))
    # The highest key may be among those that are left out.
    stretch = side.manifest.play.stretch_keys + max(roots) - max(kept_roots)
    return {
        "zones": [
            {"file": names[zone.file], "keys": [zone.keys.low, zone.keys.high], **region(zone, rate_hz)}
            for zone in zones_of(kept, stretch)
        ],
        "rateHz": OPUS_HZ if site.codec == "opus" else rate_hz,
        "isLossy": site.codec == "opus",
    }, sum(map(len, sounds.values()))


def _playing(side: _Side, packed: PackedInstrument) -> dict[str, Any]:
    """How an instrument answers, as `player.js` has it."""
    playing = side.manifest.play.playing(tail_s=0.0)
    if packed.axis == "wheel" and playing.vibrato == "wheel":
        playing = replace(playing, vibrato="none")
    keys = [note.pitch for note in packed.notes]
    return {
        "keys": [min(keys), max(keys)],
        "wheel": "Morph" if packed.axis == "wheel" else "Vibrato" if playing.vibrato == "wheel" else None,
        "playing": answers(playing, packed.velocity_tracking_percent, _release_s(side, packed)),
    }


def _release_s(side: _Side, packed: PackedInstrument) -> float:
    """The release of an instrument: the recipe's, or that of its SFZ map, which outlasts the tail of the effects."""
    if side.manifest.play.release_s is not None:
        return side.manifest.play.release_s
    map_ = side.folder / "Instruments" / f"{packed.name}.sfz"
    found = re.search(r"\bampeg_release=([\d.]+)", _text(map_)) if map_.exists() else None
    return float(found[1]) if found else RELEASE_S[packed.behaviour]


def _picture(site: _Site, address: str, path: Path, width: int) -> markup.Picture | None:
    """A picture of a pack, smaller, as WebP; None where there is none."""
    from PIL import Image

    if not path.exists():
        return None
    image = Image.open(io.BytesIO(read_regular(path, _MOST_BYTES))).convert("RGB")
    image.thumbnail((width, width))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return markup.Picture(site.keep(address, ".webp", buffer.getvalue()), *image.size)


def _text(path: Path) -> str:
    return read_regular(path, _MOST_BYTES).decode(errors="replace") if path.exists() else ""
