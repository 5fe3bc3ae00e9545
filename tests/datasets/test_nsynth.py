"""Sets from folders in NSynth's layout."""

import json

import pytest

from samplepack.base.errors import InputError
from tests.helpers.notes import tone, why, write


@pytest.mark.parametrize("one_velocity", [True, False])
def test_nsynth_s_layout_gives_its_instruments_one_velocity_or_all(folder, made, one_velocity):
    def entry(pitch, velocity, instrument="flute_acoustic_002"):
        return {"pitch": pitch, "velocity": velocity, "instrument_str": instrument, "sample_rate": 16000}

    examples = {f"flute_acoustic_002-{p:03}-{v:03}": entry(p, v) for p in (60, 62) for v in (25, 100, 127)}
    for name, about in examples.items():
        write(folder / "audio" / f"{name}.wav", tone(about["pitch"]))
    examples |= {
        "../../secret": entry(60, 100),
        "flute_acoustic_002-064-100": entry(64, 100),
        "flute_acoustic_002-065-100": {"pitch": 65},
        "flute_acoustic_002-099-100": entry(99, 100),
        "\ud800": entry(66, 100),
        "flute_acoustic_002-067-100": entry(67, 100, "\ud800"),
    }
    (folder / "examples.json").write_text(json.dumps(examples))
    contents = made(folder, one_velocity=one_velocity)
    velocities = [100] if one_velocity else [100, 127, 25]
    expected = [(f"audio/flute_acoustic_002-{p:03}-{v:03}.wav", v) for p in (60, 62) for v in velocities]
    assert [(note.source, note.velocity) for note in contents.notes] == expected
    assert "CC BY 4.0" in contents.license
    reasons = {source.removeprefix("audio/"): text.split(": ")[0] for source, text in why(contents).items()}
    assert reasons.pop("../../secret.wav") == reasons.pop("?.wav") == "outside audio"
    assert reasons.pop("flute_acoustic_002-067-100.wav") == "damaged entry in examples.json"
    assert reasons.pop("flute_acoustic_002-064-100.wav") == "can't be read"
    assert reasons.pop("flute_acoustic_002-065-100.wav") == "damaged entry in examples.json"
    assert reasons.pop("flute_acoustic_002-099-100.wav") == "outside 24-84"
    duplicates = {"another of the same instrument and pitch"} if one_velocity else set()
    assert set(reasons.values()) == duplicates and len(reasons) == 4 * one_velocity


@pytest.mark.parametrize("text", ["{", "[]", "{}", '"x"', "[" * 100000, "\udcff"])
def test_a_broken_examples_json_is_told(folder, made, text):
    (folder / "audio").mkdir()
    (folder / "examples.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="examples.json"):
        made(folder)
