"""The losses of adversarial training against Magenta's own, and against plain formulas."""

import importlib.util

import numpy as np
import pytest

from samplepack.checkpoints import library
from samplepack.models.backend import start_backend
from samplepack.models.load import load_model
from tests.helpers.places import FIXTURES

start_backend()

from keras import ops  # noqa: E402

from samplepack.models.gansynth import GANSynth  # noqa: E402
from samplepack.models.gradients import compiled, value_and_gradients  # noqa: E402
from samplepack.training import discriminator  # noqa: E402
from samplepack.training.adversarial import AdversarialTrainer  # noqa: E402
from samplepack.training.settings import AdversarialSettings, LossWeights  # noqa: E402
from samplepack.training.wasserstein import Losses, cross_entropy, distance  # noqa: E402
from tests.helpers.training import drawn, image, small  # noqa: E402


def module_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Magenta:
    """A tiny checkpoint of Magenta's with all that it was trained with, and what Magenta's own code makes of it."""

    def __init__(self, name):
        import tensorflow as tf

        maker = module_of(FIXTURES / "make_adversarial_golden.py")
        golden = np.load(FIXTURES / "magenta-adversarial.npz")
        self.golden = {key.removeprefix(f"{name}/"): golden[key] for key in golden if key.startswith(f"{name}/")}
        self.summary = maker.summary
        config = load_model(library.as_native(library.resolve(str(FIXTURES / name), FIXTURES))).config
        last = len(config.channels)
        share = None if config.progress in (None, last - 1) else np.float32(config.progress - (last - 2))
        self.losses = Losses(config, LossWeights(), last, share)
        reader = tf.train.load_checkpoint(str(next((FIXTURES / name).glob("stage_*"))))
        self.shapes = reader.get_variable_to_shape_map()

        def weights(network, names):
            return {n: ops.convert_to_tensor(reader.get_tensor(magentas(network, n))) for n in names}

        self.generator = weights("generator", config.tensor_shapes())
        self.discriminator = weights("discriminator", discriminator.tensor_shapes(config))
        latents, label, real_label, mixing = maker.notes()
        codes = np.concatenate([latents, np.eye(61, dtype=np.float32)[label]], axis=-1)
        codes /= np.sqrt(np.mean(codes**2, axis=-1, keepdims=True) + 1e-8)
        self.notes = {"code": ops.convert_to_tensor(codes), "label": ops.convert_to_tensor(label.astype("int32"))}
        self.real_label = ops.convert_to_tensor(real_label.astype("int32"))
        self.mixing = ops.convert_to_tensor(mixing.reshape(-1, 1, 1, 1))
        self.real = self.losses.real(ops.convert_to_tensor(maker.images()))


def magentas(network, name):
    """Magenta's name of a weight."""
    heads = {"score": "progressive_gan_discriminator/progressive_gan_block_1/logits"}
    heads["pitch"] = "discriminator_cond/classification_logits"
    layer, _, kind = name.rpartition("/")
    if layer in heads:
        return f"Discriminator/{heads[layer]}/{'dense/kernel' if kind == 'kernel' else kind}"
    scope = f"{network.title()}/progressive_gan_{network}/progressive_gan_{layer}"
    return f"{scope}/{'conv2d/kernel' if kind == 'kernel' else kind}"


@pytest.fixture(scope="module", params=["magenta-tiny", "magenta-tiny-transition"])
def magenta(request):
    return Magenta(request.param)


def assert_gradients_agree(magenta, network, gradients):
    """By their norms and by their products with a direction drawn for each. Where a leaky ReLU turns, rounding alone
    moves a sum over 131,072 pixels by 3e-3 of itself."""
    names = {magentas(network, name): name for name in gradients}
    for name, (norm, product) in zip(
        magenta.golden[f"{network}_names"], magenta.golden[f"{network}_gradients"], strict=True
    ):
        ours = magenta.summary(name, np.asarray(gradients.pop(names[name])))
        assert np.abs(np.subtract(ours, (norm, product))).max() <= 1e-2 * norm, name
    for gradient in gradients.values():  # of a to_rgb or from_rgb that has faded out
        assert not np.any(gradient)


def test_discriminator_has_magentas_variables(magenta):
    shapes = discriminator.tensor_shapes(magenta.losses.config)
    theirs = {n: s for n, s in magenta.shapes.items() if n.startswith("Discriminator/") and "Adam" not in n}
    assert {magentas("discriminator", name): list(shape) for name, shape in shapes.items()} == theirs


def test_discriminator_judges_as_magentas(magenta):
    losses = magenta.losses

    def judged(weights, real):
        return discriminator.judge(weights, real, losses.block, losses.share)

    score, logits = compiled(judged)(magenta.discriminator, magenta.real)
    assert np.abs(np.asarray(score) - magenta.golden["real_score"]).max() < 1e-5
    assert np.abs(np.asarray(logits) - magenta.golden["real_pitch"]).max() < 1e-5


@pytest.fixture(scope="module")
def fading():
    """The one that shows more: two blocks of either network have a share."""
    return Magenta("magenta-tiny-transition")


def test_generator_learns_what_magentas_learns(fading):
    def learned(weights, critic):
        return value_and_gradients(lambda w: fading.losses.generator_loss(w, critic, fading.notes), weights)

    loss, terms, gradients = compiled(learned)(fading.generator, fading.discriminator)
    assert float(loss) == pytest.approx(float(fading.golden["generator_loss"]), rel=1e-6)
    assert float(terms["score"]) == pytest.approx(-fading.golden["fake_score"].mean(), abs=1e-5)
    assert_gradients_agree(fading, "generator", gradients)


def test_discriminator_learns_what_magentas_learns(fading):
    losses = fading.losses

    def learned(generator, weights):
        fake = losses.generated(generator, fading.notes)
        slopes = losses.slopes(weights, fading.real + fading.mixing * (fake - fading.real))
        arguments = fading.real, fading.real_label, fake, fading.mixing
        return slopes, value_and_gradients(lambda w: losses.discriminator_loss(w, *arguments), weights)

    slopes, (loss, _, gradients) = compiled(learned)(fading.generator, fading.discriminator)
    assert np.asarray(slopes) == pytest.approx(fading.golden["slope"], rel=1e-3)
    assert float(loss) == pytest.approx(float(fading.golden["discriminator_loss"]), rel=1e-6)
    assert_gradients_agree(fading, "discriminator", gradients)


def test_cross_entropy_is_that_of_the_softmax():
    random = np.random.RandomState(4)
    logits, label = random.standard_normal((5, 3)).astype("float32"), np.array([0, 2, 1, 1, 0], "int32")
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert float(cross_entropy(logits, label)) == pytest.approx(-np.log(shares[range(5), label]).mean(), rel=1e-5)


def test_distance_has_a_gradient_of_the_root_mean_square_level():
    apart = 0.1 * np.ones((1, 16, 64, 2), "float32")  # one unit of log power everywhere

    def moved(tensors):
        return distance(tensors["images"], 0.0 * apart, 0.1), {}

    value, _, gradients = value_and_gradients(moved, {"images": ops.convert_to_tensor(apart)})
    assert float(value) == pytest.approx(0.5 * np.sqrt(16 * 64), rel=1e-5)
    by_power = 0.1 * np.asarray(gradients["images"])
    assert np.sqrt((by_power**2).sum()) == pytest.approx(1.0, rel=1e-5)
    assert not by_power[..., 1].any()


def test_distance_leaves_details_alone():
    details = np.random.RandomState(5).standard_normal((2, 16, 64, 2)).astype("float32")
    cells = details.reshape(2, 2, 8, 8, 8, 2)
    details = (cells - cells.mean(axis=(2, 4), keepdims=True)).reshape(details.shape)
    assert float(distance(details, 0.0 * details, 0.1)) < 1e-6


@pytest.mark.parametrize("share", [None, 0.3])
def test_slopes_are_those_of_finite_differences(share):
    losses = Losses(small(start=(1, 2)), LossWeights(), 2, share)
    weights = drawn(discriminator.tensor_shapes(losses.config), dtype="float64")
    images = np.asarray(image((2, 2, 4, 2), dtype="float64"))

    def total(at):
        return float(ops.sum(discriminator.judge(weights, ops.convert_to_tensor(at), 2, share)[0]))

    gradient = np.zeros_like(images)
    for place in np.ndindex(images.shape):
        step = np.zeros_like(images)
        step[place] = 1e-6
        gradient[place] = (total(images + step) - total(images - step)) / 2e-6
    # A pixel of this block is four of full size, each of which moves its mean by a quarter.
    gradient *= np.array([0.1, 0.8]) / 2.0
    expected = np.sqrt((gradient**2).sum(axis=(1, 2, 3)))
    assert np.asarray(losses.slopes(weights, ops.convert_to_tensor(images))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("share", [None, 0.3])
def test_discriminators_gradient_is_that_of_finite_differences(share):
    # The weight of the score is 1: those of the others are such that no term drowns.
    losses = Losses(small(), LossWeights(penalty=0.5, drift=0.1, pitch=2.0), 2, share)
    weights = drawn(discriminator.tensor_shapes(losses.config), dtype="float64")
    real, fake, mixing = (
        image((3, 4, 8, 2), 6, "float64"),
        image((3, 4, 8, 2), 7, "float64"),
        np.full((3, 1, 1, 1), 0.4),
    )
    label = ops.convert_to_tensor(np.array([0, 2, 1], "int32"))

    def loss(at):
        return losses.discriminator_loss(at, real, label, fake, mixing)

    way = drawn(discriminator.tensor_shapes(losses.config), 8, "float64")
    ahead, behind = (float(loss({n: w + e * way[n] for n, w in weights.items()})[0]) for e in (1e-6, -1e-6))
    gradients = value_and_gradients(loss, weights)[2]
    along = sum(float(ops.sum(gradient * way[name])) for name, gradient in gradients.items())
    assert along == pytest.approx((ahead - behind) / 2e-6, rel=1e-5)


def test_losses_are_the_sums_of_their_weighted_terms():
    losses = Losses(small(), LossWeights(penalty=3.0, drift=5.0, pitch=7.0), 2)
    critic = drawn(discriminator.tensor_shapes(losses.config))
    generator, other = drawn(losses.config.tensor_shapes(), 9), drawn(losses.config.tensor_shapes(), 10)
    notes = {"code": image((3, 6)), "label": np.array([0, 1, 2], "int32")}
    fake, real, label = losses.generated(generator, notes), image((3, 4, 8, 2)), np.array([2, 2, 0], "int32")
    loss, terms = losses.discriminator_loss(critic, real, label, fake, 0.5)
    fakes, logits = discriminator.judge(critic, fake, 2)
    reals, _ = discriminator.judge(critic, real, 2)
    assert float(terms["score"]) == pytest.approx(np.mean(fakes) - np.mean(reals), rel=1e-4)
    assert float(terms["drift"]) == pytest.approx(np.mean(np.square(reals)), rel=1e-4)
    slopes = np.asarray(losses.slopes(critic, 0.5 * (real + fake)))
    assert float(terms["penalty"]) == pytest.approx(np.mean((slopes - 1.0) ** 2), rel=1e-4)
    weighted = terms["score"] + 3.0 * terms["penalty"] + 5.0 * terms["drift"] + 7.0 * terms["pitch"]
    assert float(loss) == pytest.approx(float(weighted), rel=1e-4)

    loss, terms = losses.generator_loss(generator, critic, notes, other, 11.0)
    assert float(terms["score"]) == pytest.approx(-np.mean(fakes), rel=1e-4)
    assert float(terms["pitch"]) == pytest.approx(float(cross_entropy(logits, notes["label"])), rel=1e-4)
    assert float(terms["anchor"]) == pytest.approx(float(distance(fake, losses.generated(other, notes), 0.1)), rel=1e-4)
    weighted = terms["score"] + 7.0 * terms["pitch"] + 11.0 * terms["anchor"]
    assert float(loss) == pytest.approx(float(weighted), rel=1e-4)


def test_a_block_fades_in_without_a_step():
    config = small()
    critic, generator = drawn(discriminator.tensor_shapes(config)), drawn(config.tensor_shapes(), 9)
    notes, spectrograms = {"code": image((3, 6)), "label": np.array([0, 1, 2], "int32")}, image((3, 4, 8, 2))

    def looked(block, share=None):
        losses = Losses(config, LossWeights(), block, share)
        real = losses.real(spectrograms)
        score, pitch = discriminator.judge(critic, real, block, share)
        return [
            np.asarray(x) for x in (score, pitch, losses.slopes(critic, real), real, losses.generated(generator, notes))
        ]

    for faded, plain in zip(looked(2, 1.0), looked(2), strict=True):
        assert faded == pytest.approx(plain, abs=1e-5)
    below = looked(1)
    below[3:] = [x.repeat(2, axis=1).repeat(2, axis=2) for x in below[3:]]
    for unfaded, plain in zip(looked(2, 0.0), below, strict=True):
        assert unfaded == pytest.approx(plain, abs=1e-5)


@pytest.mark.parametrize("block", [1, 2, 3, 4])
def test_discriminator_takes_what_the_generator_makes(block):
    config = small(channels=(6, 5, 4, 3), frames=32, bins=64, templates={"from_block": 3, "channels": 2})
    weights = drawn(config.tensor_shapes() | {"templates": (3, 2, 64)})
    for share in (None, 0.5)[:block]:
        losses = Losses(config, LossWeights(), block, share, weights["templates"])
        made = losses.generated(weights, {"code": image((3, 6)), "label": np.array([0, 1, 2], "int32")})
        size = (3, 2 * 2 ** (block - 1), 4 * 2 ** (block - 1), 2)
        assert tuple(made.shape) == tuple(losses.real(image((3, 32, 64, 2))).shape) == size
        score, logits = discriminator.judge(drawn(discriminator.tensor_shapes(config)), made, block, share)
        assert (tuple(score.shape), tuple(logits.shape)) == ((3,), (3, 3))


@pytest.mark.parametrize("progress", [None, 1.25, 0.0])
def test_training_and_rendering_make_the_same_images(progress):
    config = small(
        channels=(6, 5, 4), frames=8, bins=16, templates={"from_block": 2, "channels": 2}, progress=progress,
        latent_normalisation="shell", instruments=["One", "Two"],
    )  # fmt: skip
    tensors = {name: np.asarray(tensor) for name, tensor in drawn(config.tensor_shapes()).items()}
    model = GANSynth(config, tensors)
    settings = AdversarialSettings(batch=4)
    trainer = AdversarialTrainer(
        config, settings, np.zeros((3, 8, 16, 2)), np.arange(3, dtype="int32"), np.full(3, 127), 1
    )
    notes = trainer._notes(np.random.default_rng(1), trainer.start(tensors))
    block = max(config.shares())
    share = config.shares()[block]
    made = Losses(config, settings, block, None if share == 1.0 else share, tensors["templates"]).generated(
        tensors, notes
    )
    rendered = model.generator.predict_on_batch({"code": notes["code"], "label": notes["label"]})
    made = np.asarray(made).repeat(8 // made.shape[1], axis=1).repeat(16 // made.shape[2], axis=2)
    assert np.abs(made - rendered).max() < 1e-5
