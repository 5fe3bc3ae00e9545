"""Reading Magenta's own GANSynth checkpoints, folders or zips, without Magenta, its data set or its graphs.

The layout is that of the published ones: `experiment.json`, and `stage_NN` folders of TensorFlow 1 files, of which the
highest stage is read. The weights are the moving averages of the generator's. Only `read` imports TensorFlow.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samplepack.base.errors import InputError
from samplepack.base.files import open_regular
from samplepack.models.checkpoint import FAMILY

PITCHES = (24, 84)
"""The lowest and the highest of the pitches that Magenta's 61 labels stand for, MIDI."""

SAMPLE_RATE_HZ = 16000

_SETTINGS: dict[str, Any] = {
    "audio_length": 64000,
    "sample_rate": SAMPLE_RATE_HZ,
    "mag_normalizer_a": 0.0661371661726,
    "mag_normalizer_b": 0.113718730221,
    "p_normalizer_a": 0.8,
    "p_normalizer_b": 0.0,
    "stable_stage_num_images": 800000,
    "transition_stage_num_images": 800000,
}
"""Numeric setting of `experiment.json` → its value where the file lacks it."""

_ONLY = {
    "data_type": "mel",
    "data_normalizer": "specgrams_prespecified_normalizer",
    "to_rgb_activation": "tanh",
    "scale_mode": "ALL",
    "scale_base": 2,
    "kernel_size": 3,
    "simple_arch": False,
    "train_progressive": True,
}
"""Setting of `experiment.json` → the value that all published checkpoints have, the only one that can be read."""

_DIVISORS = ("mag_normalizer_a", "p_normalizer_a")
"""Settings that the network's outputs are divided by."""

_LARGEST_SETTING = 1e12

_FULL_FRAMES, _FULL_BINS = 128, 1024
"""Size of the spectrograms in Magenta's `data_helpers`, whatever the experiment's settings."""

_MOST_UNZIPPED_BYTES = 2 << 30
_MOST_SMALL_BYTES = 16 << 20
_MOST_MEMBERS = 10_000
_LONGEST_PATH, _MOST_FOLDERS = 1000, 16

_ENCRYPTED = 1
"""The bit of a zip member's flags that marks it as encrypted."""

_TABLE_MAGIC = bytes.fromhex("57fb808b247547db")
"""The last eight bytes of a TensorFlow index file, which is a table of LevelDB's format."""


@dataclass(frozen=True)
class Layout:
    """Where the parts of a Magenta checkpoint lie."""

    experiment: dict[str, Any]
    """The settings in `experiment.json`; empty where there is none."""

    stage: int
    """The number of the highest stage."""

    prefix: PurePosixPath
    """The TensorFlow files' path without `.index` and the like, from the top of the folder or zip."""

    @property
    def latent_dim(self) -> int | None:
        """Length of a latent; None where `experiment.json` lacks it."""
        return self.experiment.get("latent_vector_size")

    @property
    def rate_hz(self) -> int:
        """Sample rate of its sound."""
        return int(self.experiment.get("sample_rate", SAMPLE_RATE_HZ))


def find_layout(path: Path, name: str) -> Layout:
    """Find the parts of a Magenta checkpoint, a folder or a zip, without reading its weights.

    Args:
        path: the folder or zip.
        name: the checkpoint's name, for errors.

    Raises:
        InputError: it isn't a Magenta checkpoint, it lacks a part, or a setting isn't supported.
    """

    def wrong(what: str) -> InputError:
        return InputError(f"checkpoint '{name}': {what}")

    with _opened(path, name) as root:
        top = _top(root)
        if top is None:
            raise wrong("no stage_NN folder in it: neither a Magenta checkpoint nor one of samplepack's")
        experiment = _read_experiment(top, wrong)
        stage, folder = _highest_stage(top)
        try:
            state = _read_small(folder / "checkpoint", wrong).decode()
        except (OSError, KeyError, UnicodeDecodeError):
            raise wrong(f"{folder.name} has no file 'checkpoint' that says which step to read") from None
        match = re.search(r'^model_checkpoint_path:\s*"(?:[^"]*/)?([^"/\\]+)"', state, re.MULTILINE)
        if not match:
            raise wrong(f"{folder.name}/checkpoint doesn't say model_checkpoint_path")
        files = {f.name for f in folder.iterdir()}
        index = match[1] + ".index"
        if index not in files:
            raise wrong(f"{folder.name}/{index} is missing")
        if not _read_small(folder / index, wrong).endswith(_TABLE_MAGIC):
            raise wrong(f"{folder.name}/{index} is damaged: it doesn't end as a TensorFlow index does")
        if not any(f.startswith(match[1] + ".data-") for f in files):
            raise wrong(f"{folder.name}/{match[1]}.data-00000-of-00001 is missing")
        inside = PurePosixPath(*(p for p in (top.name if top != root else "", folder.name) if p))
        return Layout(experiment, stage, inside / match[1])


def read(path: Path, name: str) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    """Read the moving averages of the generator's weights. Imports TensorFlow.

    Args:
        path: a folder or a zip.
        name: the checkpoint's name, for errors.

    Returns:
        The config of a GANSynth checkpoint, as `GANSynthConfig` takes it, and the tensors by name.

    Raises:
        InputError: as for `find_layout`, or weights are missing or damaged, or contradict `experiment.json`.
    """
    layout = find_layout(path, name)
    if path.is_dir():
        return _read(path / layout.prefix, layout, name)
    with tempfile.TemporaryDirectory() as scratch:
        prefix = _extract(path, layout.prefix, Path(scratch), name)
        return _read(prefix, layout, name)


def _read(prefix: Path, layout: Layout, name: str) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(prefix))
        stored = reader.get_variable_to_shape_map()
        tensors: dict[str, NDArray[np.float32]] = {}
        for variable in stored:
            if tensor_name := _our_name(variable):
                tensors[tensor_name] = reader.get_tensor(variable)
        step = int(reader.get_tensor("global_step")) if "global_step" in stored else None
    except (tf.errors.OpError, RuntimeError, ValueError, TypeError, LookupError, OSError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"checkpoint '{name}': {prefix.name} is damaged: {first_line}") from error
    return _config(layout, step, tensors, name), tensors


def _our_name(variable: str) -> str | None:
    """The name of a tensor for a variable of Magenta's; None where it is no average of the generator's weights."""
    match = re.fullmatch(
        r"Generator/progressive_gan_generator/progressive_gan_block_(\d+)/(conv0|conv1|to_rgb)/"
        r"(?:conv2d/)?(kernel|bias)/ExponentialMovingAverage",
        variable,
    )
    return f"block_{match[1]}/{match[2]}/{match[3]}" if match else None


def _config(layout: Layout, step: int | None, tensors: dict[str, Any], name: str) -> dict[str, Any]:
    """The config of a checkpoint: sizes from the shapes of the tensors, checked against `experiment.json`."""
    settings = {**_SETTINGS, **layout.experiment}
    if not tensors:
        raise InputError(f"checkpoint '{name}': it holds no moving averages of GANSynth's generator")
    used = (layout.stage + 1) // 2 + 1
    for needed in ("block_1/conv0/kernel", *(f"block_{b}/conv1/kernel" for b in range(1, used + 1))):
        if needed not in tensors or tensors[needed].ndim != 4:
            raise InputError(f"checkpoint '{name}': {needed} is missing, or no kernel")
    start_frames, start_bins, inputs = tensors["block_1/conv0/kernel"].shape[:3]
    latent_dim = inputs - (PITCHES[1] - PITCHES[0] + 1)
    channels = [tensors[f"block_{b}/conv1/kernel"].shape[-1] for b in range(1, used + 1)]
    sizes = {"latent_vector_size": latent_dim, "start_height": start_frames, "start_width": start_bins}
    for key, value in sizes.items():
        if layout.experiment.get(key, value) != value:
            raise InputError(
                f"checkpoint '{name}': experiment.json says {key} {layout.experiment[key]}, the weights have {value}"
            )
    return {
        "family": FAMILY,
        "latent_dim": latent_dim,
        "pitches": PITCHES,
        "sample_rate_hz": settings["sample_rate"],
        "samples": settings["audio_length"],
        "frames": _FULL_FRAMES,
        "bins": _FULL_BINS,
        "start": (start_frames, start_bins),
        "channels": channels,
        "progress": _progress(step, used, settings),
        "normaliser": {
            "magnitude": (settings["mag_normalizer_a"], settings["mag_normalizer_b"]),
            "frequency": (settings["p_normalizer_a"], settings["p_normalizer_b"]),
        },
        "decoder": {"phase": "direct"},
        "provenance": {"imported_from": "Magenta", "stage": layout.stage, "step": step},
    }


def _progress(step: int | None, blocks: int, settings: dict[str, Any]) -> float | None:
    """See `GANSynthConfig.progress`; None where the step isn't known. Source: Magenta's `networks.compute_progress`."""
    if step is None:
        return None
    stable, transition = settings["stable_stage_num_images"], settings["transition_stage_num_images"]
    step = min(step, blocks * stable + (blocks - 1) * transition - 1)
    whole, rest = divmod(step, stable + transition)
    return float(whole + max(0.0, (rest - stable) / transition))


@contextmanager
def _opened(path: Path, name: str) -> Iterator[Path | zipfile.Path]:
    """A folder, or the inside of a zip as a path with the same methods."""
    if path.is_dir():
        yield path
        return
    try:
        open_regular(path).close()  # zipfile would wait for the writer of a named pipe
        with zipfile.ZipFile(path) as archive:
            if len(archive.infolist()) > _MOST_MEMBERS:
                raise InputError(f"checkpoint '{name}': the zip holds more than {_MOST_MEMBERS} files")
            for member in archive.infolist():
                if stat.S_ISLNK(member.external_attr >> 16):
                    raise InputError(f"checkpoint '{name}': the zip holds a link: {member.filename}")
                if len(member.filename) > _LONGEST_PATH or member.filename.count("/") > _MOST_FOLDERS:
                    raise InputError(f"checkpoint '{name}': the zip holds a path that is too long or too deep")
                parts = PurePosixPath(member.filename.replace("\\", "/")).parts
                if ".." in parts or member.filename.startswith("/") or ":" in member.filename:
                    raise InputError(f"checkpoint '{name}': the zip holds a path that leaves it: {member.filename}")
                if member.flag_bits & _ENCRYPTED:
                    raise InputError(f"checkpoint '{name}': the zip is encrypted: {member.filename}")
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(f"checkpoint '{name}': the zip is packed in an unusual way: {member.filename}")
            yield zipfile.Path(archive)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
        raise InputError(f"checkpoint '{name}': neither a folder nor a zip that can be read: {error}") from error
    except OSError as error:
        raise InputError(f"checkpoint '{name}': cannot read it: {error.strerror}") from error


def _top(root: Path | zipfile.Path) -> Path | zipfile.Path | None:
    """The folder that holds the stages: the root or the first child that does; None where there is none."""
    for candidate in (root, *(child for child in root.iterdir() if child.is_dir())):
        if any(_stage_number(child.name) is not None for child in candidate.iterdir() if child.is_dir()):
            return candidate
    return None


def _stage_number(folder_name: str) -> int | None:
    match = re.fullmatch(r"stage_0{0,9}(\d{1,2})", folder_name)  # a block has two stages, and no network has 50 blocks
    return int(match[1]) if match else None


def _highest_stage(top: Path | zipfile.Path) -> tuple[int, Path | zipfile.Path]:
    stages = {_stage_number(child.name): child for child in top.iterdir() if child.is_dir()}
    highest = max(number for number in stages if number is not None)
    return highest, stages[highest]


def _read_small(path: Path | zipfile.Path, wrong: Callable[[str], InputError]) -> bytes:
    """Read a small file; a longer one is refused, also where a zip holds it compressed."""
    if not path.is_file():
        raise FileNotFoundError(str(path))
    with path.open("rb") as file:
        content: bytes = file.read(_MOST_SMALL_BYTES + 1)
    if len(content) > _MOST_SMALL_BYTES:
        raise wrong(f"{path.name} is longer than {_MOST_SMALL_BYTES >> 20} MiB, which none is")
    return content


def _read_experiment(top: Path | zipfile.Path, wrong: Callable[[str], InputError]) -> dict[str, Any]:
    path = top / "experiment.json"
    if not path.is_file():
        return {}
    try:
        experiment = json.loads(_read_small(path, wrong))
    except (ValueError, RecursionError) as error:
        raise wrong(f"experiment.json is not JSON: {error}") from error
    if not isinstance(experiment, dict):
        raise wrong("experiment.json is not a JSON object")
    for key, only in _ONLY.items():
        if experiment.get(key, only) != only:
            raise wrong(f"experiment.json says {key} {experiment[key]!r}; only {only!r} can be read")
    for key in (*_SETTINGS, "latent_vector_size", "start_height", "start_width"):
        value = experiment.get(key, 1)
        # Python's JSON reader also accepts NaN, Infinity and integers of any length.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST_SETTING:
            raise wrong(f"experiment.json says {key} {value!r}, which is no number that it could be")
        if key in _DIVISORS and value == 0:
            raise wrong(f"experiment.json says {key} {value!r}, by which nothing can be divided")
        if isinstance(_SETTINGS.get(key, 1), int) and not (isinstance(value, int) and value > 0):
            raise wrong(f"experiment.json says {key} {value!r}, which should be a whole number above 0")
    for key, low, high in (("sample_rate", 1000, 192_000), ("latent_vector_size", 1, 1 << 16)):
        if not low <= experiment.get(key, low) <= high:
            raise wrong(f"experiment.json says {key} {experiment[key]!r}, which should lie from {low} to {high}")
    return experiment


def _extract(path: Path, prefix: PurePosixPath, folder: Path, name: str) -> Path:
    """Unzip the TensorFlow files of one step into a folder; returns the path of their prefix there."""
    with zipfile.ZipFile(path) as archive:
        members = [
            m for m in archive.infolist() if m.filename == f"{prefix}.index" or m.filename.startswith(f"{prefix}.data-")
        ]
        if sum(m.file_size for m in members) > _MOST_UNZIPPED_BYTES:
            raise InputError(f"checkpoint '{name}': unzipped it would take more than 2 GiB")
        for member in members:
            target = folder / PurePosixPath(member.filename).name
            try:
                with archive.open(member) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
            except (zipfile.BadZipFile, EOFError, zlib.error) as error:
                raise InputError(f"checkpoint '{name}': the zip is damaged at {member.filename}: {error}") from error
    return folder / prefix.name
