"""Sound files of clips and walks take the place of no other file."""


def test_what_lies_beside_a_new_sound_file_is_left_alone(run, write_recipe, tmp_path):
    (tmp_path / "walk.png").write_text("mine")
    ran = run("walk", write_recipe(), "-o", tmp_path / "walk.wav")
    assert ran.code == 2 and "walk.png is there already" in ran.err
    assert (tmp_path / "walk.png").read_text() == "mine" and not (tmp_path / "walk.wav").exists()
