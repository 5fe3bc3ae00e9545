"""Finding checkpoints: by name in the package or the user's library, or by path; Magenta's are converted once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from samplepack.base.errors import InputError, SamplepackError, did_you_mean
from samplepack.base.files import folder_aside, locked, sha256_of_file, user_folder
from samplepack.base.progress import Progress, silent
from samplepack.checkpoints import magenta
from samplepack.checkpoints.download import Unreachable, download
from samplepack.models.backend import start_backend
from samplepack.models.checkpoint import (
    CONFIG,
    DIRECTIONS,
    MAP,
    WEIGHTS,
    Checkpoint,
    Config,
    config_problems,
    listed_files,
    notices_of,
    read_checkpoint,
    require_finite,
    write_checkpoint,
)
from samplepack.models.config import GANSynthConfig, gansynth_config, shape_problems


def versions_in(folder: Path) -> dict[str, Path]:
    """Name → folder of each version of the starter, from the newest: `starter@2`, `starter@1`.

    Args:
        folder: holds a checkpoint for each version, in a folder that is called by its number.
    """
    numbers = sorted((int(f.name) for f in folder.iterdir() if f.name.isdigit()), reverse=True)
    return {f"starter@{number}": folder / str(number) for number in numbers}


STARTERS = versions_in(Path(__file__).parent.parent / "starter")
"""Name → folder of each version of the starter, from the newest."""

STARTER = next(iter(STARTERS.values()))
"""The folder of the newest version of the starter."""

PUBLISHED: dict[str, str | None] = {"acoustic_only": None, "all_instruments": None}
"""Name of a checkpoint that Magenta has published → SHA-256 of its zip; None where it isn't known."""

MIRROR_VARIABLE = "SAMPLEPACK_MIRROR"
"""The environment variable that holds the address of a mirror to fetch checkpoints from."""

_PUBLISHED_AT = "https://storage.googleapis.com/magentadata/models/gansynth"

_MOST_BYTES = 2 << 30
"""Size limit of a zip, and of each file of a folder, bytes."""

_CONVERSION = 1
"""Revision of the conversion: counts up whenever the same files would be converted to another result."""


@dataclass(frozen=True)
class MagentaCheckpoint:
    """A Magenta checkpoint that hasn't been converted yet: what can be read of it without TensorFlow."""

    name: str
    """The name or path by which a recipe refers to it."""

    path: Path
    """Its folder or zip."""

    converted: Path
    """The folder that `convert` will write."""

    latent_dim: int | None
    """Length of a latent; None where `experiment.json` lacks it."""

    rate_hz: int
    """Sample rate of its sound."""

    pitches: range = range(magenta.PITCHES[0], magenta.PITCHES[1] + 1)
    """The pitches that it can play, MIDI."""


def names() -> dict[str, Path]:
    """Name → folder of every checkpoint that a recipe can refer to by name."""
    library = user_folder("checkpoints")
    imported = sorted(f for f in library.iterdir() if (f / CONFIG).is_file()) if os.path.isdir(library) else []
    return {
        "starter": STARTER,
        **STARTERS,
        **{folder.name: folder for folder in imported if not folder.name.startswith(".")},
    }


def is_path(reference: str) -> bool:
    """Whether a reference to a checkpoint is a path rather than a name."""
    return "/" in reference or "\\" in reference or reference.endswith(".zip")


def resolve(reference: str, beside: Path) -> Checkpoint | MagentaCheckpoint:
    """Find the checkpoint that a name or path refers to. Doesn't import TensorFlow.

    Args:
        reference: a name (`starter`, which is its newest version, `starter@1`, or one that was imported), or a path
            (one with a slash in it, or to a zip).
        beside: the folder that paths are relative to.

    Returns:
        The checkpoint; a `MagentaCheckpoint` where it is one of Magenta's that hasn't been converted yet.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    if not is_path(reference):
        known = names()
        if reference in known:
            return _read(known[reference], reference)
        if reference in PUBLISHED:
            raise InputError(
                f"checkpoint '{reference}' is not on this machine; run: samplepack checkpoints fetch {reference}"
            )
        raise InputError(
            f"no checkpoint is called '{reference}'{did_you_mean(reference, (*known, *PUBLISHED))} "
            f"(known: {', '.join(known)}; a path starts with ./)"
        )
    path = beside / reference
    if not os.path.exists(path):  # unlike Path.exists, False for a name that is too long to be one
        raise InputError(f"checkpoint '{reference}': no such file or folder")
    if path.is_dir() and (path / CONFIG).is_file():
        return _read(path, reference)
    layout = magenta.find_layout(path, reference)
    try:
        converted = user_folder("converted") / _fingerprint(path, layout)
    except OSError as error:
        raise InputError(f"checkpoint '{reference}': cannot read {error.filename}: {error.strerror}") from error
    if converted.is_dir():
        with contextlib.suppress(InputError):  # a damaged entry of the cache is converted again
            return read_checkpoint(converted, reference)
    return MagentaCheckpoint(reference, path, converted, layout.latent_dim, layout.rate_hz)


def _read(folder: Path, name: str) -> Checkpoint:
    """A checkpoint in samplepack's own format, its sizes checked as well."""
    checkpoint = read_checkpoint(folder, name)
    gansynth_config(checkpoint)
    return checkpoint


def as_native(found: Checkpoint | MagentaCheckpoint) -> Checkpoint:
    """Convert a checkpoint of Magenta's to samplepack's own format, which imports TensorFlow; others stay as they are.

    Raises:
        InputError: the weights are damaged, or their shapes contradict each other.
    """
    if isinstance(found, Checkpoint):
        return found
    if found.converted.is_dir():
        with contextlib.suppress(InputError):  # a damaged entry of the cache is converted again
            return read_checkpoint(found.converted, found.name)
    return convert(found, found.converted, found.name)


def source(checkpoint: Checkpoint) -> str:
    """Where a checkpoint was fetched from, in words, for the lock file."""
    if starter := starter_with(checkpoint.digest):
        return f"comes with samplepack as {starter}"
    return str(checkpoint.config.provenance.get("fetched_from", "not fetched by samplepack"))


def starter_with(digest: str) -> str | None:
    """The name of the version of the starter that has a digest, such as `starter@1`; None if none of them has it."""
    digests = {name: json.loads((folder / CONFIG).read_bytes())["digest"] for name, folder in STARTERS.items()}
    return next((name for name in digests if digests[name] == digest), None)


def fetch(name: str, progress: Progress = silent, offline: bool = False) -> Checkpoint:
    """Download one of Magenta's published checkpoints and put it into the user's library. Imports TensorFlow.

    Args:
        name: one of `PUBLISHED`.
        progress: receives how many bytes have been downloaded.
        offline: open no connection; import the zip that the user has put into the folder of downloads.

    Raises:
        InputError: the name isn't one of `PUBLISHED` or is taken, or the zip isn't a checkpoint.
        SamplepackError: the server can't be reached, or doesn't send the zip.
    """
    if name not in PUBLISHED:
        raise InputError(f"'{name}' isn't published{did_you_mean(name, PUBLISHED)} (known: {', '.join(PUBLISHED)})")
    if taken := names().get(name):
        raise InputError(f"a checkpoint is called '{name}' already, in {taken}")
    address = f"{_mirror()}/{name}.zip"
    file = user_folder("downloads") / f"{name}.zip"
    if offline:
        if not file.is_file():
            raise InputError(f"'{name}' can't be imported offline: {file} isn't there")
        return import_checkpoint(file, name, {"fetched_from": f"{file.name} (SHA-256 {sha256_of_file(file)})"})
    file.parent.mkdir(parents=True, exist_ok=True)
    with locked(file):
        # The zip is there already if an earlier call was interrupted while it was imported.
        try:
            digest = sha256_of_file(file) if file.is_file() else download(address, file, progress, PUBLISHED[name])
        except Unreachable as error:
            raise SamplepackError(
                f"{error}; download {address} elsewhere, put it at {file} and run this again with --offline, "
                f"or name a mirror in {MIRROR_VARIABLE}"
            ) from error
        try:
            checkpoint = import_checkpoint(file, name, {"fetched_from": f"{address} (SHA-256 {digest})"})
        except InputError:
            file.unlink()  # it is no checkpoint: the next call downloads it again
            raise
        file.unlink()
        return checkpoint


def _mirror() -> str:
    mirror = os.environ.get(MIRROR_VARIABLE) or _PUBLISHED_AT
    if not re.fullmatch(r"https?://[^\s?#@]+", mirror):
        raise InputError(f"{MIRROR_VARIABLE} is '{mirror}'; it should be an address that starts with https://")
    return mirror.rstrip("/")


def convert(
    found: MagentaCheckpoint, folder: Path, name: str, provenance: Mapping[str, str] | None = None
) -> Checkpoint:
    """Write a Magenta checkpoint as one of samplepack's own. Imports TensorFlow.

    Args:
        found: the checkpoint to convert.
        folder: the folder to write.
        name: the name of the converted checkpoint.
        provenance: further entries of the converted checkpoint's `provenance`.

    Raises:
        InputError: the weights are damaged, or their shapes contradict each other.
    """
    start_backend()
    values, tensors = magenta.read(found.path, found.name)
    try:
        config = GANSynthConfig.model_validate(values)
    except ValidationError as error:
        raise InputError(*config_problems(error, found.name, "what its weights and experiment.json say")) from error
    shapes = config.tensor_shapes()
    tensors = {tensor_name: tensor for tensor_name, tensor in tensors.items() if tensor_name in shapes}
    problems = shape_problems(config, tensors, found.name)
    if problems:
        raise InputError(*problems)
    require_finite(tensors, found.name)
    native = Config.model_validate(config.model_dump())
    native = native.model_copy(update={"provenance": {**native.provenance, **(provenance or {})}})
    write_checkpoint(folder, native, tensors)
    return read_checkpoint(folder, name)


def import_checkpoint(source: Path, name: str, provenance: Mapping[str, str] | None = None) -> Checkpoint:
    """Put a checkpoint into the user's library, where recipes find it by name.

    A checkpoint of Magenta's is converted, which imports TensorFlow.

    Args:
        source: a checkpoint's folder, or a zip of Magenta's.
        name: the name that recipes will use, at most 64 letters, digits, - and _.
        provenance: further entries of the `provenance` of a converted checkpoint.

    Raises:
        InputError: the name is taken or isn't valid, or the checkpoint is damaged.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", name):
        raise InputError(f"'{name}' can't be a checkpoint's name; use letters, digits, - and _ only")
    if taken := names().get(name):
        raise InputError(f"a checkpoint is called '{name}' already, in {taken}")
    found = resolve(f"./{source.name}", source.parent)
    folder = user_folder("checkpoints") / name
    if isinstance(found, MagentaCheckpoint):
        return convert(found, folder, name, provenance)
    with folder_aside(folder, listed_files) as aside:
        for file in (CONFIG, WEIGHTS):
            shutil.copyfile(found.folder / file, aside / file)
        for notice, content in notices_of(found.folder).items():
            (aside / notice).write_bytes(content)
        for file in (DIRECTIONS, MAP):
            if (found.folder / file).is_file():
                shutil.copyfile(found.folder / file, aside / file)
    return read_checkpoint(folder, name)


def _fingerprint(path: Path, layout: magenta.Layout) -> str:
    """SHA-256 over a Magenta checkpoint's files and the conversion's revision; a zip and its folder differ."""
    digest = hashlib.sha256(f"{_CONVERSION} {layout.stage} {sorted(layout.experiment.items())}".encode())
    if path.is_dir():
        prefix = path / layout.prefix
        for file in sorted(prefix.parent.glob(f"{prefix.name}.*")):
            if not file.name.endswith(".meta"):
                digest.update(sha256_of_file(file, _MOST_BYTES).encode())
    else:
        digest.update(sha256_of_file(path, _MOST_BYTES).encode())
    return digest.hexdigest()
