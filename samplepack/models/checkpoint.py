"""Reading and writing checkpoints: folders of `config.json` and `weights.safetensors`. Without Keras."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from samplepack.base.errors import InputError, Problem, did_you_mean
from samplepack.base.files import folder_aside, read_regular, sha256_of_file
from samplepack.documents.problems import wrong

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
CARD = "MODEL_CARD.md"
"""Name of the model card, which describes one checkpoint alone."""

DIRECTIONS = "directions.json"
"""Name of the file with the directions of one checkpoint alone."""

MAP = "map.json"
"""Name of the file with the map of one checkpoint alone."""

FAMILY = "gansynth"

_MOST_BYTES, _MOST_CONFIG_BYTES = 1 << 30, 16 << 20

_ABOUT = {"digest", "provenance", "license", "instruments"}
"""Keys of `config.json` that describe a checkpoint and don't change its sound."""

Tensors = Mapping[str, NDArray[Any]]


def _low_to_high(pitches: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= pitches[0] <= pitches[1] <= 127:
        raise wrong("should be the lowest and the highest pitch, from 0 to 127")
    return pitches


def _softer_to_harder(velocities: tuple[int, int]) -> tuple[int, int]:
    if not 1 <= velocities[0] < velocities[1] <= 127:
        raise wrong("should be the lowest and the highest MIDI velocity, from 1 to 127")
    return velocities


PitchRange = Annotated[tuple[int, int], AfterValidator(_low_to_high)]
"""The lowest and the highest pitch, MIDI."""


class Config(BaseModel):
    """The keys of `config.json` that every checkpoint has; `GANSynthConfig` adds the network's sizes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    family: str
    """The kind of network; `gansynth` is the only one so far."""

    latent_dim: int = Field(gt=0, le=1 << 16)
    """Length of a latent."""

    pitches: PitchRange
    """The lowest and the highest pitch that it can play, MIDI."""

    sample_rate_hz: int = Field(ge=1000, le=192_000)
    """Sample rate of its sound. Effects crash at rates of a million and more."""

    velocities: Annotated[tuple[int, int], AfterValidator(_softer_to_harder)] | None = None
    """The lowest and the highest MIDI velocity that the network has learned, which is an input of it then."""

    license: str = ""
    """The terms under which the weights may be passed on."""

    provenance: dict[str, Any] = {}
    """Where it comes from: how and on what it was trained, what it was imported from."""

    instruments: list[str] = []
    """Names of the latents that it was trained with, in the order of the tensor `instruments`; empty where it has
    none."""

    digest: str = ""
    """SHA-256 of the weights and of every key of the config that changes the sound."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk whose digest has been verified; its tensors aren't read yet."""

    name: str
    """The name or path by which a recipe refers to it."""

    folder: Path
    """The folder of `config.json` and `weights.safetensors`."""

    config: Config

    @property
    def digest(self) -> str:
        """SHA-256 that identifies the checkpoint's sound, whatever its name and folder; part of a cached note's key."""
        return self.config.digest

    @property
    def latent_dim(self) -> int:
        """Length of a latent."""
        return self.config.latent_dim

    @property
    def rate_hz(self) -> int:
        """Sample rate of its sound."""
        return self.config.sample_rate_hz

    @property
    def pitches(self) -> range:
        """The pitches that it can play, MIDI."""
        return range(self.config.pitches[0], self.config.pitches[1] + 1)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a checkpoint's config and verify its digest.

    Raises:
        InputError: the folder or a file is missing, the config is damaged, its family unknown, or the digest of the
            files isn't the one that the config holds.
    """
    try:
        config = Config.model_validate(json.loads(read_regular(folder / CONFIG, _MOST_CONFIG_BYTES)))
    except OSError as error:
        raise InputError(f"checkpoint '{name}': cannot read {CONFIG}: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(*config_problems(error, name)) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"checkpoint '{name}': {CONFIG} is not JSON: {error}") from error
    if config.family != FAMILY:
        raise InputError(
            f"checkpoint '{name}': unknown family '{config.family}'{did_you_mean(config.family, (FAMILY,))} "
            f"(known: {FAMILY})"
        )
    try:
        digest = _digest(config, sha256_of_file(folder / WEIGHTS, _MOST_BYTES))
    except OSError as error:
        raise InputError(f"checkpoint '{name}': cannot read {WEIGHTS}: {error.strerror}") from error
    if digest != config.digest:
        raise InputError(
            f"checkpoint '{name}': damaged or edited: its digest is {digest}, "
            f"but {CONFIG} says {config.digest or 'nothing'}"
        )
    return Checkpoint(name, folder, config)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder looks like a checkpoint in samplepack's own format."""
    return (folder / CONFIG).is_file()


def listed_files(folder: Path) -> list[str] | None:
    """The names of the files in a checkpoint's folder, notices included; None if it isn't a checkpoint."""
    return [path.name for path in folder.iterdir() if path.is_file()] if is_checkpoint(folder) else None


def config_problems(error: ValidationError, name: str, source: str = CONFIG) -> list[Problem]:
    """A line for each problem of a config.

    Args:
        error: the error of the config's validation.
        name: the checkpoint's name.
        source: the file that the config was read from.
    """
    return [
        Problem(f"checkpoint '{name}': {source}: {'.'.join(map(str, e['loc']))}: {e['msg']}") for e in error.errors()
    ]


def notices_of(folder: Path) -> dict[str, bytes]:
    """Name → content of the files in a checkpoint's folder that belong to its weights, such as licences.

    Raises:
        OSError: one of them can't be read, or is longer than 1 MiB.
    """
    others = (CONFIG, WEIGHTS, CARD, DIRECTIONS, MAP)
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in others)
    return {path.name: read_regular(path, 1 << 20) for path in files if not path.name.startswith(".")}


def write_checkpoint(
    folder: Path, config: Config, tensors: Tensors, notices: Mapping[str, bytes] | None = None
) -> None:
    """Write a checkpoint folder, whole or not at all; the digest in its config is computed here.

    Args:
        folder: the folder to write; an earlier checkpoint in its place is replaced.
        config: the config to write; its digest is ignored.
        tensors: weights by name.
        notices: name → content of further files, such as licences, that belong to the weights.
    """
    from safetensors.numpy import save

    weights: bytes = save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)})
    complete = config.model_copy(update={"digest": _digest(config, hashlib.sha256(weights).hexdigest())})
    with folder_aside(folder, listed_files) as aside:
        (aside / WEIGHTS).write_bytes(weights)
        for name, content in (notices or {}).items():
            (aside / name).write_bytes(content)
        text = json.dumps(complete.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)
        (aside / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_tensors(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """Read a checkpoint's weights.

    Returns:
        Name → tensor, float32.

    Raises:
        InputError: the file isn't a safetensors file, or a weight isn't a finite number.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        stored = load_file(checkpoint.folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        # NumPy lacks some types of numbers, such as those of 8 bits, on which safetensors raises various errors.
        message = f"checkpoint '{checkpoint.name}': {WEIGHTS} is not a safetensors file of numbers that NumPy has: "
        raise InputError(message + str(error)) from error
    tensors = {name: tensor.astype(np.float32) for name, tensor in stored.items()}
    require_finite(tensors, checkpoint.name)
    return tensors


def read_instruments(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """Read the latents of a checkpoint's instruments, and no other weight.

    Returns:
        Name → latent, float32, shape (latent_dim,).

    Raises:
        InputError: the weights file is damaged, or doesn't hold a finite latent for each name in the config.
    """
    from safetensors import SafetensorError, safe_open

    names = checkpoint.config.instruments
    if not names:
        return {}
    try:
        with safe_open(checkpoint.folder / WEIGHTS, framework="numpy") as file:
            latents = file.get_tensor("instruments").astype(np.float32)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"checkpoint '{checkpoint.name}': {WEIGHTS}: no latents of instruments: {error}") from error
    shape = (len(names), checkpoint.latent_dim)
    if latents.shape != shape:
        raise InputError(f"checkpoint '{checkpoint.name}': instruments has shape {latents.shape}, should have {shape}")
    require_finite({"instruments": latents}, checkpoint.name)
    return dict(zip(names, latents, strict=True))


def require_finite(tensors: Tensors, name: str) -> None:
    """Check that all weights are finite numbers.

    Raises:
        InputError: a weight isn't finite; the message names the checkpoint and the tensor.
    """
    for tensor_name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise InputError(f"checkpoint '{name}': {tensor_name} holds NaN or infinite weights")


def _digest(config: Config, sha256_of_weights: str) -> str:
    audible = config.model_dump(mode="json", exclude=_ABOUT, exclude_none=True)
    canonical = json.dumps(audible, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode() + b"\n" + bytes.fromhex(sha256_of_weights)).hexdigest()
