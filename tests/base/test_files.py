import threading
import time

import pytest

from samplepack.base.errors import InputError
from samplepack.base.files import folder_aside, locked


def ours(folder):
    return (folder / "note").exists()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_takes_its_place_whole_and_replaces_the_earlier_one(tmp_path):
    pack = tmp_path / "pack"
    for content in ("old", "new"):
        with folder_aside(pack, ours) as aside:
            (aside / "note").write_text(content)
    assert (pack / "note").read_text() == "new"
    assert names(tmp_path) == ["pack"]


def test_when_it_fails_the_earlier_one_stays_and_nothing_is_left_behind(tmp_path):
    pack = tmp_path / "pack"
    with folder_aside(pack, ours) as aside:
        (aside / "note").write_text("old")
    with pytest.raises(KeyboardInterrupt), folder_aside(pack, ours) as aside:
        (aside / "note").write_text("half")
        raise KeyboardInterrupt
    assert (pack / "note").read_text() == "old"
    assert names(tmp_path) == ["pack"]


def test_what_a_killed_run_left_is_cleared_and_its_pack_put_back(tmp_path):
    (tmp_path / ".pack.previous").mkdir()
    (tmp_path / ".pack.previous" / "note").write_text("old")
    (tmp_path / ".pack.building").mkdir()
    (tmp_path / ".pack.building" / "half").write_text("half")
    with pytest.raises(RuntimeError), folder_aside(tmp_path / "pack", ours) as aside:
        assert names(aside) == []
        raise RuntimeError
    assert (tmp_path / "pack" / "note").read_text() == "old"
    assert names(tmp_path) == ["pack"]


def test_what_is_not_ours_is_never_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "note").write_text("ours")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = sorted(tmp_path.rglob("*"))
    for name in ("folder", "file", "link"):
        with pytest.raises(InputError, match="didn't make"), folder_aside(tmp_path / name, ours):
            pass
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_is_the_same_however_its_path_is_written(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    for same in (tmp_path / "link" / "pack", tmp_path / "sub" / ".." / "pack"):
        waits = threading.Event()

        def wait(folder=same, waits=waits):
            with locked(folder, waits.set):
                pass

        with locked(tmp_path / "pack"):
            thread = threading.Thread(target=wait)
            thread.start()
            assert waits.wait(5)
        thread.join()


def test_two_at_once_wait_for_each_other_and_both_end_whole(tmp_path):
    inside = threading.Event()
    order = []

    def first():
        with folder_aside(tmp_path / "pack", ours) as aside:
            inside.set()
            time.sleep(0.3)
            (aside / "note").write_text("first")
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with folder_aside(tmp_path / "pack", ours) as aside:
        order.append("second")
        assert names(aside) == []
        (aside / "note").write_text("second")
    thread.join()
    assert order == ["first", "second"] and (tmp_path / "pack" / "note").read_text() == "second"
