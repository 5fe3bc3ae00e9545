"""The command that opens the audition page, where it can't."""

import pytest


def test_without_its_extra_audition_says_what_to_install(run, write_recipe, monkeypatch):
    monkeypatch.setattr("samplepack.cli.interactive._is_installed", lambda name: name != "starlette")
    ran = run("audition", write_recipe())
    assert ran.code == 1
    assert "audition needs starlette: pip install 'gansynth-samplepack[audition]'" in ran.err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("small.yaml", "recipe: 1\nname: x\ntimbres: {A: -1}\n", "small.yaml:3:14: "),
        ("missing/new.yaml", None, "doesn't exist"),
        ("new.txt", None, "a new recipe ends in .yaml"),
    ],
)
def test_what_cant_be_opened_is_said(run, tmp_path, name, text, message):
    if text:
        (tmp_path / name).write_text(text)
    ran = run("audition", tmp_path / name, "--no-browser")
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err
