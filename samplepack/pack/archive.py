"""A pack as one file to publish: an archive of its folder, and an entry for a registry of sounds."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import file_aside, sha256_of_file, write_aside
from samplepack.pack.manifest import MANIFEST, Manifest, read_manifest
from samplepack.pack.pictures import COVER

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX, _PLAIN_FILE = 3, 0o100644

_LICENSES = {
    "0bsd", "agpl-3.0", "apache-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc0-1.0",
    "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1", "lgpl-3.0", "mit", "mit-0", "mpl-2.0", "odbl-1.0", "unlicense",
    "wtfpl", "zlib",
}  # fmt: skip
"""Licences that the registry knows by these names and that sounds may have; it calls all others `other`."""

_INDEX_BEGINS = b"# A catalogue of packs, written by samplepack index.\n"

_KNOWN_FORMATS = ("sfz", "sf2")
"""Of the formats of a pack, those that the registry has a name for."""


def archive_paths(folder: Path) -> tuple[Path, Path]:
    """The archive of a pack's folder and the registry's entry for it, beside the folder."""
    return folder.with_name(f"{folder.name}.zip"), folder.with_name(f"{folder.name}.index.yaml")


def check_archive(folder: Path) -> None:
    """Check that neither the archive of a pack nor its entry takes the place of another file.

    Raises:
        InputError: something stands there that samplepack didn't make.
    """
    archive, entry = archive_paths(folder)
    is_own = zipfile.is_zipfile(archive) and f"{folder.name}/{MANIFEST}" in zipfile.ZipFile(archive).namelist()
    for path in (archive, entry):
        if os.path.lexists(path) and not is_own:
            raise InputError(f"{path} is something that samplepack didn't make; move it away, or choose elsewhere")


def write_archive(folder: Path, manifest: Manifest) -> Path:
    """Write a pack as a ZIP archive beside its folder, and beside that an entry for the Open Audio Stack's registry.

    Files are stored uncompressed and with a constant time, so that the same pack gives the same bytes everywhere.

    Args:
        folder: the pack's folder.
        manifest: the pack's.

    Returns:
        The archive.

    Raises:
        OSError: a file can't be read or written.
    """
    archive, entry = archive_paths(folder)
    with file_aside(archive) as temporary, zipfile.ZipFile(temporary, "x") as opened:
        for file in sorted((*manifest.files, MANIFEST)):
            info = zipfile.ZipInfo(f"{folder.name}/{file}", _TIME)
            info.create_system, info.external_attr = _UNIX, _PLAIN_FILE << 16
            info.file_size = (folder / file).stat().st_size
            with (folder / file).open("rb") as source, opened.open(info, "w") as target:
                shutil.copyfileobj(source, target, 1 << 20)
    write_aside(entry, _yaml(registry_entry(folder, manifest, archive, folder.parent)))
    return archive


def write_index(output: Path, index: Path) -> list[str]:
    """Write a catalogue of the packs in a folder: for each its entry as in the registry, by the name of its folder.

    Args:
        output: the folder that packs were built into.
        index: the YAML file to write; an earlier catalogue is replaced. Addresses are relative to its folder.

    Returns:
        The names of the packs' folders, in the order of the alphabet.

    Raises:
        InputError: the folder holds no pack or damaged ones, or something else stands in the catalogue's place.
        OSError: a file can't be read or written.
    """
    if os.path.lexists(index) and not (index.is_file() and index.read_bytes().startswith(_INDEX_BEGINS)):
        raise InputError(f"{index} is something that samplepack didn't make; move it away, or choose elsewhere")
    entries: dict[str, Any] = {}
    problems: list[Problem] = []
    for manifest_file in sorted(output.glob(f"[!.]*/{MANIFEST}")):
        folder = manifest_file.parent
        try:
            manifest = read_manifest(folder)
        except InputError as error:
            problems += error.problems
            continue
        archive, _ = archive_paths(folder)
        entries[folder.name] = registry_entry(folder, manifest, archive if archive.is_file() else None, index.parent)
    if not entries and not problems:
        problems.append(Problem(f"{output} holds no pack"))
    if problems:
        raise InputError(*problems)
    write_aside(index, _INDEX_BEGINS + _yaml({"packs": entries}))
    return list(entries)


def _yaml(content: dict[str, Any]) -> bytes:
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).encode()


def registry_entry(folder: Path, manifest: Manifest, archive: Path | None, beside: Path) -> dict[str, Any]:
    """A pack in the fields of the Open Audio Stack's registry; `url`, `date` and `changes` are for its publisher.

    Args:
        folder: the pack's folder.
        manifest: the pack's.
        archive: its archive; None leaves `files` out.
        beside: the folder of the entry's file, which addresses are relative to.
    """

    def address(path: Path) -> str:
        return quote(Path(os.path.relpath(path, beside)).as_posix())

    formats = [name for name in manifest.formats if name in _KNOWN_FORMATS]
    preview = manifest.instruments[0].preview
    known = manifest.license.lower() if manifest.license.lower() in _LICENSES else "other"
    return {
        "name": manifest.name,
        "author": manifest.author,
        "description": manifest.description,
        "license": known,
        "type": "sampler",
        "tags": list(dict.fromkeys(["Instrument", *filter(None, (manifest.category, *manifest.tags)), *formats])),
        **({"audio": address(folder / preview)} if preview else {}),
        "image": address(folder / COVER),
        **({"files": [_archived(archive, formats, address(archive))]} if archive else {}),
    }


def _archived(archive: Path, formats: list[str], url: str) -> dict[str, Any]:
    return {
        "systems": [{"type": system} for system in ("linux", "mac", "win")],
        "architectures": ["arm32", "arm64", "x32", "x64"],
        "contains": formats,
        "type": "archive",
        "size": archive.stat().st_size,
        "sha256": sha256_of_file(archive),
        "url": url,
    }
