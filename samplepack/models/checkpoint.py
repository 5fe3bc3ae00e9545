"""What a checkpoint is: a folder of `config.json` and `weights.safetensors`. No network, no TensorFlow."""

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
from samplepack.base.files import folder_aside, read_regular
from samplepack.documents.problems import wrong

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"

FAMILY = "gansynth"

_MOST_BYTES, _MOST_CONFIG_BYTES = 4 << 30, 16 << 20

_ABOUT = {"digest", "provenance", "license", "instruments"}
"""Keys of `config.json` that tell about a checkpoint and don't change its sound."""

Tensors = Mapping[str, NDArray[Any]]


def _low_to_high(pitches: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= pitches[0] <= pitches[1] <= 127:
        raise wrong("should be the lowest and the highest pitch, from 0 to 127")
    return pitches


PitchRange = Annotated[tuple[int, int], AfterValidator(_low_to_high)]
"""The lowest and the highest pitch, MIDI."""


class Config(BaseModel):
    """What any checkpoint says of itself; `GANSynthConfig` adds the network's sizes."""

    model_config = ConfigDict(frozen=True, extra="allow")

    family: str
    """The kind of network: `gansynth`, the only one that there is so far."""

    latent_dim: int = Field(gt=0)
    """Length of a latent."""

    pitches: PitchRange
    """The lowest and the highest pitch that it was trained for, MIDI."""

    sample_rate_hz: int = Field(gt=0)
    """Rate of the sound that it makes."""

    license: str = ""
    """Under what terms the weights may be passed on."""

    provenance: dict[str, Any] = {}
    """Where it comes from: who trained it, on what, what it was imported from."""

    instruments: list[str] = []
    """Names of the latents that it was trained with, where it knows them."""

    digest: str = ""
    """SHA-256 over the weights and over all in the config that changes the sound."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on disk, known to be whole; its weights aren't read yet."""

    name: str
    """As recipes call it."""

    folder: Path
    """Where `config.json` and `weights.safetensors` lie."""

    config: Config

    @property
    def digest(self) -> str:
        """What the checkpoint is, whatever its name and place: part of the key of each note."""
        return self.config.digest

    @property
    def latent_dim(self) -> int:
        """Length of a latent."""
        return self.config.latent_dim

    @property
    def rate_hz(self) -> int:
        """Rate of the sound that it makes."""
        return self.config.sample_rate_hz

    @property
    def pitches(self) -> range:
        """The pitches that it can play, MIDI."""
        return range(self.config.pitches[0], self.config.pitches[1] + 1)


def read_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read what a checkpoint says of itself and check that it is whole.

    Raises:
        InputError: no such folder, a config that isn't one, an unknown family, or weights that aren't those that the
            config names.
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
        digest = _digest(config, read_regular(folder / WEIGHTS, _MOST_BYTES))
    except OSError as error:
        raise InputError(f"checkpoint '{name}': cannot read {WEIGHTS}: {error.strerror}") from error
    if digest != config.digest:
        raise InputError(
            f"checkpoint '{name}': damaged or edited: its digest is {digest}, "
            f"but {CONFIG} says {config.digest or 'nothing'}"
        )
    return Checkpoint(name, folder, config)


def is_checkpoint(folder: Path) -> bool:
    """Whether a folder looks like a checkpoint of samplepack's own."""
    return (folder / CONFIG).is_file()


def config_problems(error: ValidationError, name: str, source: str = CONFIG) -> list[Problem]:
    """What is wrong with a config, a line each; `source` is where it was read."""
    return [
        Problem(f"checkpoint '{name}': {source}: {'.'.join(map(str, e['loc']))}: {e['msg']}") for e in error.errors()
    ]


def write_checkpoint(
    folder: Path, config: Config, tensors: Tensors, notices: Mapping[str, bytes] | None = None
) -> None:
    """Write a checkpoint folder, whole or not at all; its digest is put into the config.

    Args:
        folder: where; an earlier checkpoint there is replaced.
        config: what it says of itself.
        tensors: its weights by name.
        notices: name → content of files that travel with the weights.
    """
    from safetensors.numpy import save

    weights: bytes = save({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)})
    whole = config.model_copy(update={"digest": _digest(config, weights)})
    with folder_aside(folder, is_checkpoint) as aside:
        (aside / WEIGHTS).write_bytes(weights)
        for name, content in (notices or {}).items():
            (aside / name).write_bytes(content)
        text = json.dumps(whole.model_dump(mode="json", exclude_none=True), indent=1, ensure_ascii=False)
        (aside / CONFIG).write_text(text + "\n", encoding="utf-8")


def read_tensors(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """The weights by name, as float32.

    Raises:
        InputError: the file isn't a safetensors file, or a weight isn't a finite number.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        stored = load_file(checkpoint.folder / WEIGHTS)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"checkpoint '{checkpoint.name}': {WEIGHTS} is not a safetensors file: {error}") from error
    tensors = {name: tensor.astype(np.float32) for name, tensor in stored.items()}
    require_finite(tensors, checkpoint.name)
    return tensors


def read_instruments(checkpoint: Checkpoint) -> dict[str, NDArray[np.float32]]:
    """The latents that a checkpoint knows by name, float32, shape (latent_dim,) each; no other weight is read.

    Raises:
        InputError: the weights hold something else than the names in the config promise.
    """
    from safetensors import SafetensorError, safe_open

    names = checkpoint.config.instruments
    if not names:
        return {}
    try:
        with safe_open(checkpoint.folder / WEIGHTS, framework="numpy") as file:
            latents = file.get_tensor("instruments").astype(np.float32)
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"checkpoint '{checkpoint.name}': {WEIGHTS}: no latents of instruments: {error}") from error
    shape = (len(names), checkpoint.latent_dim)
    if latents.shape != shape:
        raise InputError(f"checkpoint '{checkpoint.name}': instruments has shape {latents.shape}, should have {shape}")
    require_finite({"instruments": latents}, checkpoint.name)
    return dict(zip(names, latents, strict=True))


def require_finite(tensors: Tensors, name: str) -> None:
    """Raises `InputError` that names the first tensor with NaN or infinite weights."""
    for tensor_name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise InputError(f"checkpoint '{name}': {tensor_name} holds NaN or infinite weights")


def _digest(config: Config, weights: bytes) -> str:
    sounding = config.model_dump(mode="json", exclude=_ABOUT, exclude_none=True)
    canonical = json.dumps(sounding, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode() + b"\n" + hashlib.sha256(weights).digest()).hexdigest()
