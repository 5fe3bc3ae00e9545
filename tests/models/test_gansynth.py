"""The network against Magenta's own outputs, and against the plain formulas at other sizes."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from samplepack.checkpoints import library
from samplepack.models.backend import start_backend
from samplepack.models.config import shape_problems
from samplepack.models.engine import Engine
from samplepack.models.load import load_model
from tests.helpers.differences import relative_rms
from tests.helpers.networks import random_tensors, small_config
from tests.helpers.places import FIXTURES, REPOSITORY

start_backend()

from samplepack.models.gansynth import GANSynth  # noqa: E402
from samplepack.models.generator import numpy_codes  # noqa: E402

NETWORK_GATE = 1e-4
WAVES_GATE = 1e-3


def load(path, precision="float32"):
    return load_model(library.as_native(library.resolve(str(path), FIXTURES)), Engine(precision))


def assert_agrees(model, z, golden):
    images = model.spectrograms(z, golden["pitches"])
    assert np.abs(images[0] - golden["network_output_0"]).max() < NETWORK_GATE
    assert np.abs(images[:, ::4, ::8] - golden["network_output_sparse"]).max() < NETWORK_GATE
    assert relative_rms(model.render(z, golden["pitches"]), golden["waves"]) < WAVES_GATE


@pytest.mark.parametrize("checkpoint", ["magenta-tiny", "magenta-tiny-transition"])
def test_golden_tiny_checkpoints_sound_as_in_magenta(checkpoint):
    golden = np.load(FIXTURES / checkpoint / "golden.npz")
    assert_agrees(load(FIXTURES / checkpoint), golden["z"], golden)


@pytest.fixture(scope="module")
def full_size(tmp_path_factory):
    """A full-size checkpoint in TensorFlow's format, with the weights that Magenta's golden notes were made with."""
    import tensorflow as tf

    spec = importlib.util.spec_from_file_location("make_full_golden", FIXTURES / "make_full_golden.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    folder = tmp_path_factory.mktemp("full") / "stage_00012"
    folder.mkdir()
    variables = {**maker.full_size_variables(), "global_step": np.int64(maker.GLOBAL_STEP)}
    tf.raw_ops.SaveV2(
        prefix=str(folder / "model.ckpt-1"),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[tf.constant(value) for value in variables.values()],
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-1"\n')
    return folder.parent, maker.latents()


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND") == "jax", reason="reads TensorFlow's files; tiny ones do for JAX")
def test_golden_full_size_sounds_as_in_magenta_without_experiment_json(full_size):
    folder, z = full_size
    assert_agrees(load(folder), z, np.load(FIXTURES / "magenta-full-golden.npz"))


def test_golden_starter_agrees_with_its_reference():
    golden = np.load(FIXTURES / "starter-golden.npz")
    model = load(FIXTURES / "first-starter")
    images = model.spectrograms(golden["z"], golden["pitches"])
    assert np.abs(images[0] - golden["network_output_0"]).max() < 2e-5
    assert np.abs(images[:, ::4, ::8] - golden["network_output_sparse"]).max() < 2e-5
    assert relative_rms(model.render(golden["z"], golden["pitches"]), golden["waves_peak_locked"]) < 1e-4


def test_jax_sounds_the_same():
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTEST_ADDOPTS": ""}
    chosen = "test_golden and not full or levels_come"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", chosen, __file__]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "5 passed" in ran.stdout


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("checkpoint", ["starter", "magenta-tiny"])
def test_a_note_has_the_same_bits_in_any_company(checkpoint, precision):
    model = load(checkpoint if checkpoint == "starter" else FIXTURES / checkpoint, precision)
    z = np.random.RandomState(5).standard_normal((7, 32)).astype(np.float32)
    pitches = np.array([36, 40, 45, 60, 61, 72, 84])
    together = model.render(z, pitches)
    for i in range(7):
        assert np.array_equal(model.render(z[i : i + 1], pitches[i : i + 1])[0], together[i])
    shuffled = np.array([3, 0, 6, 2, 1])
    assert np.array_equal(model.render(z[shuffled], pitches[shuffled]), together[shuffled])


PRINT_A_NOTE = """\
import sys
import numpy as np
from samplepack.checkpoints.library import STARTER
from samplepack.models.checkpoint import read_checkpoint
from samplepack.models.load import load_model
wave = load_model(read_checkpoint(STARTER, "starter")).render(np.ones((1, 32), np.float32), np.array([60]))
sys.stdout.buffer.write(wave.tobytes())
"""


def test_a_note_has_the_same_bits_however_many_threads_tensorflow_would_use():
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "3"}  # with three, an operation sums otherwise
    ran = subprocess.run([sys.executable, "-c", PRINT_A_NOTE], env=environment, capture_output=True, check=True)
    here = load("starter").render(np.ones((1, 32), np.float32), np.array([60]))
    assert ran.stdout == here.tobytes()


def test_drafts_are_the_same_spectrograms_nearly():
    z = np.random.RandomState(5).standard_normal((7, 32)).astype(np.float32)
    pitches = np.array([36, 40, 45, 60, 61, 72, 84])
    exact, draft = (load("starter", precision).spectrograms(z, pitches) for precision in ("float32", "bfloat16"))
    # bfloat16 has 8 bits, so that each value is good to 1/256; the magnitudes are logarithms.
    assert 1e-4 < np.abs(draft - exact)[..., 0].mean() < 0.02


def plain_network(sizes, tensors, z, label):
    """One note by the plain formulas, in float64: upsample, then a 3×3 convolution, tap by tap."""

    def convolve(x, kernel):
        h, w = kernel.shape[:2]
        padded = np.pad(x, [(h // 2, h // 2), (w // 2, w // 2), (0, 0)])
        taps = [padded[i : i + x.shape[0], j : j + x.shape[1]] @ kernel[i, j] for i in range(h) for j in range(w)]
        return sum(taps)

    def layer(x, block, name, convolution=convolve, gain=2.0):
        kernel = tensors[f"block_{block}/{name}/kernel"].astype(np.float64)
        return (
            convolution(x, kernel * np.sqrt(gain / np.prod(kernel.shape[:3]))) + tensors[f"block_{block}/{name}/bias"]
        )

    def norm(x):
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-8)

    def activate(x):
        return norm(np.where(x > 0, x, 0.2 * x))

    def one_pixel(x, kernel):
        padded = np.zeros((2 * sizes.start[0] - 1, 2 * sizes.start[1] - 1, len(x)))
        padded[sizes.start[0] - 1, sizes.start[1] - 1] = x
        rows, columns = range(sizes.start[0]), range(sizes.start[1])
        h, w = sizes.start
        return np.array(
            [[np.einsum("hwi,hwio->o", padded[r : r + h, c : c + w], kernel) for c in columns] for r in rows]
        )

    def with_templates(x, block):
        if not sizes.template_channels(block):
            return x
        narrowed = tensors["templates"][label].reshape(sizes.templates.channels, x.shape[1], -1).mean(axis=-1).T
        return np.concatenate([x, np.broadcast_to(narrowed, (x.shape[0], *narrowed.shape))], axis=-1)

    if sizes.latent_normalisation == "shell":
        z = z / np.sqrt((z**2).mean())
    labels = np.eye(sizes.pitches[1] - sizes.pitches[0] + 1)[label]
    x = norm(np.concatenate([z, labels]))
    output = 0.0
    for block in range(1, len(sizes.channels) + 1):
        if block == 1:
            x = activate(layer(x, 1, "conv0", one_pixel))
        else:
            x = with_templates(x.repeat(2, axis=0).repeat(2, axis=1), block)
            x = activate(layer(x, block, "conv0"))
        x = activate(layer(x, block, "conv1"))
        if share := sizes.shares().get(block):
            image = np.tanh(layer(with_templates(x, block), block, "to_rgb", gain=1.0))
            output = output + share * image.repeat(sizes.frames // x.shape[0], 0).repeat(sizes.bins // x.shape[1], 1)
    return output


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"latent_normalisation": "shell"},
        {"latent_dim": 512},
        {"start": (1, 2), "channels": (3, 4, 5, 6, 7)},
        {"start": (4, 8), "channels": (7, 2, 3)},
        {"start": (16, 32), "channels": (4,)},
        {"channels": (6, 5, 4)},
        {"progress": 2.25},
        {"progress": 1.0},
        {"templates": {"from_block": 3, "channels": 2}},
        {"templates": {"from_block": 2, "channels": 4}, "progress": 2.5},
    ],
    ids=str,
)  # fmt: skip
def test_any_sizes_agree_with_the_plain_formulas(changes):
    sizes = small_config(**changes)
    tensors = random_tensors(sizes)
    assert shape_problems(sizes, tensors, "small") == []
    z = np.random.RandomState(2).standard_normal((3, sizes.latent_dim)).astype(np.float32)
    images = GANSynth(sizes, tensors).spectrograms(z, np.array([60, 61, 62]))
    for i in range(3):
        assert np.abs(images[i] - plain_network(sizes, tensors, z[i], i)).max() < 5e-5


SPECTRA = {
    "courses": 3,
    "hidden": 6,
    "start": 2,
    "channels": (5, 4, 3, 4, 2),
    "floor": -0.5,
    "pitch_width_semitones": 1.5,
    "noise_bands": 4,
}


def plain_levels_and_noise(sizes, tensors, z, label):
    """The levels and the noise of one note by the plain formulas of a network of spectra, in float64."""

    def layer(x, name, gain=2.0):
        kernel = tensors[f"spectra/{name}/kernel"].astype(np.float64)
        kernel = kernel * np.sqrt(gain / np.prod(kernel.shape[:-1]))
        bias = tensors[f"spectra/{name}/bias"]
        if kernel.ndim == 2:
            return x @ kernel + bias
        padded = np.pad(x, [(len(kernel) // 2, len(kernel) // 2), (0, 0)])
        return sum(padded[tap : tap + len(x)] @ kernel[tap] for tap in range(len(kernel))) + bias

    def activate(x):
        x = np.where(x > 0, x, 0.2 * x)
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-8)

    def with_templates(x):
        if not sizes.templates:
            return x
        narrowed = tensors["templates"][label].reshape(sizes.templates.channels, len(x), -1).mean(axis=-1).T
        return np.concatenate([x, narrowed], axis=-1)

    bell = np.exp(-((np.arange(sizes.pitch_count) - label) ** 2) / (2 * 1.5**2))
    code = np.concatenate([z, bell / np.sqrt((bell**2).sum())])
    code = code / np.sqrt((code**2).mean() + 1e-8)
    code = activate(layer(activate(layer(code, "dense_1")), "dense_2"))
    scales = np.split(layer(code, "scale", gain=1.0), np.cumsum([2 * c for c in SPECTRA["channels"]])[:-1])
    x = activate(layer(code, "start").reshape(2, 5))
    for block, own in enumerate(SPECTRA["channels"], start=1):
        if block > 1:
            x = x.repeat(2, axis=0)
            x = activate(layer(with_templates(x) if block > 2 else x, f"block_{block}/conv0"))
        scale, shift = scales[block - 1][:own], scales[block - 1][own:]
        x = activate(layer(x, f"block_{block}/conv1") * (1 + scale) + shift)
    spectra = layer(with_templates(x), "output", gain=1.0)
    levels = np.clip(SPECTRA["floor"] + tensors["spectra/courses"] @ spectra.T, SPECTRA["floor"], 1.0)
    return levels, layer(activate(layer(code, "noise_1")), "noise_2", gain=1.0)


@pytest.mark.parametrize("templates", [None, {"from_block": 3, "channels": 2}], ids=str)
def test_levels_come_with_noise_from_the_network_of_spectra_and_frequencies_from_the_blocks(templates):
    sizes = small_config(spectra=SPECTRA, templates=templates)
    tensors = random_tensors(sizes)
    tensors["spectra/courses"] *= 0.2
    assert shape_problems(sizes, tensors, "small") == []
    z = np.random.RandomState(2).standard_normal((3, sizes.latent_dim)).astype(np.float32)
    network = GANSynth(sizes, tensors)
    images = network.spectrograms(z, np.array([60, 61, 62]))
    noises = np.asarray(network.generator.noise(numpy_codes(sizes, z, np.arange(3), np.full(3, 127))))
    for i in range(3):
        levels, noise = plain_levels_and_noise(sizes, tensors, z[i], i)
        assert np.abs(noises[i] - noise).max() < 5e-5
        assert (levels == -0.5).any() and (levels > -0.5).any()
        assert np.abs(images[i, ..., 0] - levels).max() < 5e-5
        assert np.abs(images[i, ..., 1] - plain_network(sizes, tensors, z[i], i)[..., 1]).max() < 5e-5


@pytest.mark.parametrize("changes", [{}, {"templates": {"from_block": 2, "channels": 4}, "progress": 2.5}], ids=str)
def test_networks_of_fewer_products_agree_with_the_plain_formulas(monkeypatch, changes):
    start_backend()
    monkeypatch.setattr("samplepack.models.winograd.LEAST_CHANNELS", 1)
    test_any_sizes_agree_with_the_plain_formulas(changes)


@pytest.mark.parametrize("pitch", [59, 63, -1, 1000])
def test_a_pitch_that_the_checkpoint_lacks_is_no_other_pitch(pitch):
    sizes = small_config()
    model = GANSynth(sizes, random_tensors(sizes))
    with pytest.raises(ValueError, match="pitches from 60 to 62 alone"):
        model.render(np.ones((2, 5), np.float32), np.array([60, pitch]))


def test_features_are_those_that_the_image_is_made_of():
    sizes = small_config(channels=(6, 5), start=(8, 16))
    tensors = random_tensors(sizes)
    model = GANSynth(sizes, tensors)
    latents = np.random.RandomState(2).standard_normal((3, 5)).astype(np.float32)
    pitches = np.array([60, 62, 61], np.int32)
    assert model.features(latents, pitches, 1).shape == (3, 8 * 16 * 6)
    features = model.features(latents, pitches, 2).reshape(3, 16, 32, 5)
    kernel, bias = (tensors[f"block_2/to_rgb/{part}"] for part in ("kernel", "bias"))
    image = np.tanh(features @ kernel[0, 0] / np.sqrt(5.0) + bias)
    assert relative_rms(model.spectrograms(latents, pitches), image) < 1e-3
