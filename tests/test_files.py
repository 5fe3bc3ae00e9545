import pytest

from samplepack.files import folder_aside


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_takes_its_place_whole_and_replaces_the_earlier_one(tmp_path):
    pack = tmp_path / "pack"
    for content in ("old", "new"):
        with folder_aside(pack) as aside:
            (aside / "note").write_text(content)
    assert (pack / "note").read_text() == "new"
    assert names(tmp_path) == ["pack"]


def test_when_it_fails_the_earlier_one_stays_and_nothing_is_left_behind(tmp_path):
    pack = tmp_path / "pack"
    with folder_aside(pack) as aside:
        (aside / "note").write_text("old")
    with pytest.raises(KeyboardInterrupt), folder_aside(pack) as aside:
        (aside / "note").write_text("half")
        raise KeyboardInterrupt
    assert (pack / "note").read_text() == "old"
    assert names(tmp_path) == ["pack"]


def test_what_a_killed_run_left_is_cleared_and_its_pack_put_back(tmp_path):
    (tmp_path / ".pack.previous").mkdir()
    (tmp_path / ".pack.previous" / "note").write_text("old")
    (tmp_path / ".pack.building").mkdir()
    (tmp_path / ".pack.building" / "half").write_text("half")
    with pytest.raises(RuntimeError), folder_aside(tmp_path / "pack") as aside:
        assert names(aside) == []
        raise RuntimeError
    assert (tmp_path / "pack" / "note").read_text() == "old"
    assert names(tmp_path) == ["pack"]
