"""Previews: timbres one after another, with an index."""

import pytest
import soundfile


def test_a_preview_has_an_index(run, tmp_path):
    ran = run("preview", "--bank", "5-7", "-o", tmp_path / "bank.wav", "--pitches", "60,67", "--chord")
    assert ran.code == 0, ran.err
    assert (tmp_path / "bank.csv").read_text().splitlines() == [
        "start_s,name,origin", "0.00,Bank 5,seed: 5", "2.50,Bank 6,seed: 6", "5.00,Bank 7,seed: 7",
    ]  # fmt: skip
    assert soundfile.info(tmp_path / "bank.wav").duration == pytest.approx(7.3, abs=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["preview", "-o", "x.wav"], "give a recipe, or --bank"),
        (["preview", "--bank", "7-5", "-o", "x.wav"], "seeds: "),
        (["preview", "--bank", "5-7", "-o", "x.mp3"], "'x.mp3' should end in .wav or .flac"),
        (["preview", "--bank", "5-7", "-o", "x.wav", "--pitches", "60,x"], "should be pitches such as 60,64,67"),
        (["preview", "--bank", "5-7", "-o", "x.wav", "--pitches", "12"], "outside what the checkpoint can play, 24-84"),
        (["preview", "--bank", "5-7", "-o", "new/er/x.wav", "--pitches", "12"], "outside what the checkpoint can play"),
        (["preview", "--bank", "5-7", "-o", "new/x.wav", "--checkpoint", "startr"], "no checkpoint is called 'startr'"),
        (["preview", "nowhere.yaml", "-o", "new/x.wav"], "nowhere.yaml: cannot read it"),
        (["walk", "nowhere.yaml", "-o", "new/x.wav"], "nowhere.yaml: cannot read it"),
        (["clip", "nowhere.yaml", "song.mid", "-o", "new/er/x.wav"], "nowhere.yaml: cannot read it"),
    ],
)
def test_what_cannot_be_previewed_is_told_in_a_line(run, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    ran = run(*arguments)
    assert ran.code == 2 and message in ran.err
    assert list(tmp_path.iterdir()) == []
