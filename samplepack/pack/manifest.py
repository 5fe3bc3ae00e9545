"""`pack.json`: what a pack says of itself, read back from a folder that anyone may have edited."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from samplepack.base.files import read_regular
from samplepack.recipe import Sound
from samplepack.rendering.plan import Axis
from samplepack.sound.fingerprint import is_fingerprint, split

MANIFEST = "pack.json"

VERSION = 3
"""Of the layout of `pack.json`."""

_MOST_BYTES = 512 << 20


def _relative(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path or path != pure.as_posix():
        raise ValueError("should be a path within the pack")
    return path


def _printed(text: str) -> str:
    prints = split(text)
    if not prints or " ".join(prints) != text or not all(map(is_fingerprint, prints)):
        raise ValueError("should be fingerprints of notes")
    return text


Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
RelativePath = Annotated[str, AfterValidator(_relative)]
Fingerprints = Annotated[str, AfterValidator(_printed)]
"""Of the notes that a key was made from, one after another."""

Steps = list[Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)]]
"""Effects: each its name and its parameters."""

_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Tuning(BaseModel):
    state: str


class _Loop(BaseModel):
    frames: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]]
    step: _Number | None
    flux: _Number
    swing_db: _Number


class _Note(BaseModel):
    pitch: Annotated[int, Field(ge=0, le=127)]
    layer: Annotated[int, Field(ge=0)]
    file: RelativePath
    sha256: Sha256
    tuning: _Tuning | None
    cents: _Number | None
    loop: _Loop | None
    why_no_loop: str | None
    true_peak_db: _Number
    loudness_lufs: _Number | None


class _Instrument(BaseModel):
    name: RelativePath
    origin: str
    axis: Axis
    latents: Annotated[list[list[_Number]], Field(min_length=1)]
    rendered: dict[Annotated[str, Field(pattern=r"^\d{1,3}$")], Fingerprints]
    notes: Annotated[list[_Note], Field(min_length=1)]


class _Clip(BaseModel):
    name: RelativePath
    file: RelativePath
    how: dict[str, Any]
    notes: Annotated[int, Field(ge=1)]


class _Checkpoint(BaseModel):
    name: str
    digest: Sha256


class _Form(BaseModel):
    pack: Literal[3]
    name: str
    versions: dict[str, str]
    checkpoint: _Checkpoint
    inputs: Sha256
    description: str
    author: str
    license: str
    velocity: dict[str, Any] | None
    process: Steps
    sound: Sound
    formats: list[str]
    instruments: Annotated[list[_Instrument], Field(min_length=1)]
    clips: list[_Clip]
    files: dict[RelativePath, Sha256]


@dataclass(frozen=True)
class Manifest:
    """A `pack.json`, known to have its form."""

    says: dict[str, Any]
    sha256: str
    """Of the file."""


def read_manifest(folder: Path) -> Manifest | None:
    """What a pack's `pack.json` says, as plain data; None where there is none of this version, or a damaged one."""
    content = _content(folder)
    says = _json(content)
    try:
        _Form.model_validate(says)
    except ValidationError:
        return None
    return Manifest(says, hashlib.sha256(content).hexdigest())


def write_manifest(folder: Path, says: dict[str, Any]) -> Manifest:
    """Write a pack's `pack.json`."""
    content = (json.dumps(says, indent=1, ensure_ascii=False) + "\n").encode()
    (folder / MANIFEST).write_bytes(content)
    return Manifest(says, hashlib.sha256(content).hexdigest())


def listed_files(folder: Path) -> set[str] | None:
    """The files that a pack of any version says are its own; None where a folder is no pack."""
    manifest = _json(_content(folder))
    files = manifest.get("files") if isinstance(manifest, dict) else None
    return {*files, MANIFEST} if isinstance(files, dict) else None


def _content(folder: Path) -> bytes:
    try:
        return read_regular(folder / MANIFEST, _MOST_BYTES)
    except OSError:
        return b""


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
