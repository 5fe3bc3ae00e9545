"""Checkpoint folders, and what may be wrong with them."""

import hashlib
import json
import shutil
import struct

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.models import checkpoint
from samplepack.models.checkpoint import CONFIG, WEIGHTS, Config, read_checkpoint, write_checkpoint
from samplepack.models.load import load_model


def test_an_unknown_family_is_refused(tmp_path):
    write_checkpoint(
        tmp_path / "wave", Config(family="gansinth", latent_dim=3, pitches=(1, 2), sample_rate_hz=16000), {}
    )
    with pytest.raises(InputError, match="unknown family 'gansinth'; did you mean 'gansynth'"):
        read_checkpoint(tmp_path / "wave", "wave")


def own(tmp_path, damage):
    """A copy of the first starter, damaged."""
    folder = shutil.copytree(library.STARTERS["starter@1"], tmp_path / "own")
    config = json.loads((folder / CONFIG).read_text())
    damage(folder, config)
    return folder


def edited(**changes):
    """A config that no program of ours writes."""
    return lambda folder, config: (folder / CONFIG).write_text(json.dumps({**config, **changes}))


def rewritten(**changes):
    """A config that says something else, with weights and digest to match."""

    def damage(folder, config):
        from safetensors.numpy import load_file

        tensors = load_file(folder / WEIGHTS)
        write_checkpoint(folder, Config.model_validate({**config, **changes}), tensors)

    return damage


OWN_BAD = {
    "no weights": (lambda f, c: (f / WEIGHTS).unlink(), "cannot read weights.safetensors: No such file or directory"),
    "truncated weights": (
        lambda f, c: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-1]),
        "damaged or edited",
    ),
    "edited config": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({**c, "latent_normalisation": "none"})),
        "damaged or edited",
    ),
    "config that isn't JSON": (lambda f, c: (f / CONFIG).write_text("{"), "config.json is not JSON"),
    "config nested without end": (lambda f, c: (f / CONFIG).write_text("[" * 200000), "config.json is not JSON"),
    "pitches from high to low": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({**c, "pitches": [84, 24]})),
        "config.json: pitches: should be the lowest and the highest pitch, from 0 to 127",
    ),
    "pitches beyond MIDI": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({**c, "pitches": [24, 128]})),
        "config.json: pitches: should be the lowest and the highest pitch, from 0 to 127",
    ),
    "a start of nothing": (rewritten(start=[0, 16]), "config.json: start.0: Input should be greater than 0"),
    "config without a size": (
        lambda f, c: (f / CONFIG).write_text(json.dumps({k: v for k, v in c.items() if k != "latent_dim"})),
        "config.json: latent_dim: Field required",
    ),
    "a rate at which effects crash": (edited(sample_rate_hz=1_340_000), "sample_rate_hz: Input should be less than"),
    "latents beyond all memory": (edited(latent_dim=10**12), "latent_dim: Input should be less than"),
    "a length that is no number": (rewritten(samples="long"), "samples: Input should be a valid integer"),
    "notes beyond all memory": (rewritten(samples=10**12), "samples: Input should be less than"),
    "unknown decoder": (rewritten(decoder={"phase": "guessed"}), "config.json: decoder.phase: Input should be"),
    "other channels": (rewritten(channels=[128, 128, 128, 64, 32, 16, 9]), "block_7/conv0/kernel has shape"),
    "other start": (rewritten(start=[3, 16]), "doesn't divide 128 x 1024"),
}


@pytest.mark.parametrize("damage", OWN_BAD, ids=str)
def test_a_damaged_checkpoint_of_our_own_is_told(tmp_path, damage):
    change, told = OWN_BAD[damage]
    folder = own(tmp_path, change)
    with pytest.raises(InputError) as raised:
        load_model(library.as_native(library.resolve(str(folder), tmp_path)))
    assert told in str(raised.value)


def test_weights_that_are_no_safetensors_file_or_nan_are_told(tmp_path):
    folder = shutil.copytree(library.STARTERS["starter@1"], tmp_path / "own")
    absurd = b'{"a":{"dtype":"F32","shape":[1099511627776,1048576],"data_offsets":[0,4]}}'
    for weights, told in (
        (b"\xff" * 100, "is not a safetensors file"),
        (struct.pack("<Q", 1 << 60) + b"{}", "is not a safetensors file"),
        (struct.pack("<Q", len(absurd)) + absurd + bytes(4), "is not a safetensors file"),
        (nan_weights(), "holds NaN"),
    ):
        (folder / WEIGHTS).write_bytes(weights)
        config = json.loads((folder / CONFIG).read_text())
        config["digest"] = checkpoint._digest(Config.model_validate(config), hashlib.sha256(weights).hexdigest())
        (folder / CONFIG).write_text(json.dumps(config))
        with pytest.raises(InputError, match=told):
            load_model(read_checkpoint(folder, "own"))


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2", "BF16"])
def test_numbers_that_numpy_lacks_are_read_or_told(tmp_path, kind):
    folder = tmp_path / "own"
    shutil.copytree(library.STARTER, folder)
    config = json.loads((folder / CONFIG).read_text())
    count = len(config["instruments"]) * config["latent_dim"]
    size = count * (2 if kind == "BF16" else 1)
    tensor = {"dtype": kind, "shape": [count // config["latent_dim"], config["latent_dim"]], "data_offsets": [0, size]}
    header = json.dumps({"instruments": tensor}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(size)
    (folder / WEIGHTS).write_bytes(weights)
    config["digest"] = checkpoint._digest(Config.model_validate(config), hashlib.sha256(weights).hexdigest())
    (folder / CONFIG).write_text(json.dumps(config))
    for read in (checkpoint.read_tensors, checkpoint.read_instruments):
        try:
            read(read_checkpoint(folder, "own"))
        except InputError as error:
            assert WEIGHTS in str(error)


def test_weights_beyond_what_a_network_has_are_refused_before_they_are_read(tmp_path):
    folder = shutil.copytree(library.STARTERS["starter@1"], tmp_path / "own")
    with (folder / WEIGHTS).open("wb") as file:
        file.truncate((1 << 30) + 1)
    with pytest.raises(InputError, match="cannot read weights.safetensors: longer than 1024 MiB"):
        read_checkpoint(folder, "own")


def nan_weights():
    from safetensors.numpy import load_file, save

    tensors = load_file(library.STARTER / WEIGHTS)
    tensors["templates"][0, 0, 0] = np.nan
    return save(tensors)
