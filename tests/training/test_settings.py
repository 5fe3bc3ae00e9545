"""Settings of adversarial training: the schedule of growing, and bounds."""

import pytest
from pydantic import ValidationError

from samplepack.training.settings import AdversarialSettings, FineTuneSettings


def test_growing_keeps_to_magentas_schedule():
    settings = AdversarialSettings(stable_images=100, transition_images=50)
    for g in range(0, 700, 7):
        for blocks_ in (1, 2, 4):
            capped = min(g, blocks_ * 100 + (blocks_ - 1) * 50 - 1)
            progress = capped // 150 + max(0.0, (capped % 150 - 100) / 50)
            stage = settings.stage(g, blocks_)
            assert stage.progress == pytest.approx(progress)
            assert settings.stage(stage.since, blocks_).block == stage.block
            assert (stage.share is None) == (g % 150 < 100 or (stage.block == blocks_ and progress == blocks_ - 1))


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        (AdversarialSettings, {"batch": 1}),
        (AdversarialSettings, {"stable_images": 0}),
        (AdversarialSettings, {"learning_rate": -1.0}),
        (AdversarialSettings, {"anchor": 1.0}),
        (FineTuneSettings, {"stable_images": 10}),
        (FineTuneSettings, {"average": 1.0}),
        (FineTuneSettings, {"images": 2000, "head_start": 2000}),
        (FineTuneSettings, {"penalty": float("nan")}),
    ],
    ids=str,
)  # fmt: skip
def test_a_setting_that_makes_no_sense_is_refused(settings, wrong):
    with pytest.raises(ValidationError):
        settings(**wrong)
