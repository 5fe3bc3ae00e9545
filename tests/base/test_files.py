import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time

import pytest

from samplepack.base import files
from samplepack.base.errors import InputError
from samplepack.base.files import (
    aside_of,
    folder_aside,
    locked,
    open_regular,
    read_regular,
    sha256_of_file,
    write_aside,
)
from tests.helpers.replaced import listed, replace_for_ever


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_takes_its_place_whole_and_replaces_the_earlier_one(tmp_path):
    pack = tmp_path / "pack"
    for content in ("old", "new"):
        with folder_aside(pack, listed) as aside:
            (aside / "note").write_text(content)
    assert (pack / "note").read_text() == "new"
    assert names(tmp_path) == ["pack"]


def test_when_it_fails_the_earlier_one_stays_and_nothing_is_left_behind(tmp_path):
    pack = tmp_path / "pack"
    with folder_aside(pack, listed) as aside:
        (aside / "note").write_text("old")
    with pytest.raises(KeyboardInterrupt), folder_aside(pack, listed) as aside:
        (aside / "note").write_text("half")
        raise KeyboardInterrupt
    assert (pack / "note").read_text() == "old"
    assert names(tmp_path) == ["pack"]


def test_what_a_killed_run_left_is_cleared_and_its_pack_put_back(tmp_path):
    (tmp_path / ".pack.previous").mkdir()
    (tmp_path / ".pack.previous" / "note").write_text("old")
    (tmp_path / ".pack.building").mkdir()
    (tmp_path / ".pack.building" / "half").write_text("half")
    with pytest.raises(RuntimeError), folder_aside(tmp_path / "pack", listed) as aside:
        assert names(aside) == []
        raise RuntimeError
    assert (tmp_path / "pack" / "note").read_text() == "old"
    assert names(tmp_path) == ["pack"]


def test_what_is_not_ours_is_never_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "note").write_text("listed")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    before = sorted(tmp_path.rglob("*"))
    for name in ("folder", "file", "link"):
        with pytest.raises(InputError, match="didn't make"), folder_aside(tmp_path / name, listed):
            pass
    assert sorted(tmp_path.rglob("*")) == before


def test_an_error_names_what_the_user_knows_rather_than_what_is_written_beside_it(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "below", tmp_path / "folder", tmp_path / ("x" * 250)):
        with pytest.raises(OSError) as raised:
            write_aside(path, b"new")
        assert raised.value.filename == str(path)
    long = tmp_path / ("x" * 252)  # its lock has too long a name, it hasn't
    with pytest.raises(OSError) as raised, locked(long):
        pass
    assert raised.value.filename == str(long)
    with pytest.raises(OSError) as raised, aside_of(tmp_path / "file" / "pack", listed):
        pass
    assert raised.value.filename == str(tmp_path / "file" / "pack")
    with pytest.raises(FileNotFoundError) as raised, folder_aside(tmp_path / "pack", listed) as aside:
        (aside / "Samples" / "note").write_text("new")
    assert raised.value.filename == str(tmp_path / "pack" / "Samples" / "note")
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("own", [".notes", "empty/", "below/note", "link"])
def test_a_folder_with_more_than_our_files_is_never_replaced(tmp_path, own):
    pack = tmp_path / "pack"
    with folder_aside(pack, listed) as aside:
        (aside / "note").write_text("old")
    (tmp_path / "elsewhere").write_text("mine")
    path = pack / own
    path.parent.mkdir(exist_ok=True)
    if own == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif own.endswith("/"):
        path.mkdir()
    else:
        path.write_text("mine")
    with pytest.raises(InputError, match=own.split("/")[0]), folder_aside(pack, listed):
        pass
    assert os.path.lexists(path) and (pack / "note").read_text() == "old"


def test_what_a_file_manager_leaves_is_no_file_of_the_users(tmp_path):
    pack = tmp_path / "pack"
    for name in (".DS_Store", "Thumbs.db", "._note"):
        with folder_aside(pack, listed) as aside:
            (aside / "note").write_text("listed")
        (pack / name).write_text("a system's")
    with folder_aside(pack, listed) as aside:
        (aside / "note").write_text("new")
    assert names(pack) == ["note"]


def test_a_folder_is_there_at_every_moment_while_it_is_replaced(tmp_path):
    pack, missing, ended = tmp_path / "pack", [], threading.Event()
    with folder_aside(pack, listed) as aside:
        (aside / "note").write_text("0")

    def watch():
        while not ended.is_set():
            try:
                os.stat(pack)
            except FileNotFoundError:
                missing.append(names(tmp_path))

    thread = threading.Thread(target=watch)
    thread.start()
    for number in range(200):
        with folder_aside(pack, listed) as aside:
            (aside / "note").write_text(str(number))
    ended.set()
    thread.join()
    assert missing == []


def test_where_folders_cannot_be_exchanged_they_are_renamed_and_put_back(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_exchange", lambda one, two: False)
    pack = tmp_path / "pack"
    for content in ("old", "new"):
        with folder_aside(pack, listed) as aside:
            (aside / "note").write_text(content)
    assert (pack / "note").read_text() == "new" and names(tmp_path) == ["pack"]
    pack.rename(tmp_path / ".pack.previous-0123abcd")  # killed between the two renames
    with pytest.raises(RuntimeError), folder_aside(pack, listed):
        raise RuntimeError
    assert (pack / "note").read_text() == "new" and names(tmp_path) == ["pack"]


def test_what_cannot_be_deleted_stops_no_later_run(tmp_path, monkeypatch):
    stuck = tmp_path / ".pack.previous"
    stuck.mkdir()
    monkeypatch.setattr(files.shutil, "rmtree", lambda path, ignore_errors: None)
    for content in ("old", "new"):
        with folder_aside(tmp_path / "pack", listed) as aside:
            (aside / "note").write_text(content)
        assert (tmp_path / "pack" / "note").read_text() == content


# Forked from a small process: one whose network has threads shouldn't be forked, and it takes long.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.helpers.replaced"])


def test_a_process_that_is_killed_at_any_moment_leaves_the_folder_whole(tmp_path):
    pack, draw = tmp_path / "pack", random.Random(3)
    with folder_aside(pack, listed) as aside:
        (aside / "note").write_text("0" * 100_000)
    seen = set()
    for _ in range(150):
        heard, tell = FORKS.Pipe(duplex=False)
        process = FORKS.Process(target=replace_for_ever, args=(pack, tell))
        process.start()
        heard.recv_bytes()  # starting takes longer than the process is let live after that
        time.sleep(draw.uniform(0.0, 0.01))
        process.kill()
        process.join()
        heard.close()
        tell.close()
        assert names(pack) == ["note"], "the folder is there without a later run"
        text = (pack / "note").read_text()
        assert text == text[0] * 100_000
        seen.add(tuple(name.split("-")[0] for name in names(tmp_path)))
    with folder_aside(pack, listed) as aside:
        (aside / "note").write_text("new")
    assert names(tmp_path) == ["pack"]
    assert (".pack.building", ".pack.lock", "pack") in seen, "some were killed at work"


def test_a_lock_holds_for_processes_with_other_folders_for_temporary_files(tmp_path):
    program = (
        "import sys; from pathlib import Path; from samplepack.base.files import locked\n"
        "with locked(Path(sys.argv[1]), lambda: print('waits', flush=True)): print('holds', flush=True)"
    )
    (tmp_path / "other").mkdir()
    with locked(tmp_path / "pack"):
        other = subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / "pack"],
            env={**os.environ, "TMPDIR": str(tmp_path / "other")},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout.readline() == "waits\n"
    assert other.communicate(timeout=20)[0] == "holds\n"
    assert names(tmp_path) == ["other"], "no lock file is left"


def test_only_one_holds_a_lock_whose_file_others_remove(tmp_path):
    inside, most = [], []

    def take_turns():
        for _ in range(20):
            with locked(tmp_path / "pack"):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    threads = [threading.Thread(target=take_turns) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 80 and max(most) == 1 and names(tmp_path) == []


def test_files_have_the_permissions_that_the_user_asks_for(tmp_path):
    for mask in (0o077, 0o022):
        before = os.umask(mask)
        try:
            write_aside(tmp_path / "file", b"content")
            with folder_aside(tmp_path / f"pack{mask}", listed) as aside:
                (aside / "note").write_text("listed")
        finally:
            os.umask(before)
        assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask
        assert (tmp_path / f"pack{mask}").stat().st_mode & 0o777 == 0o777 & ~mask


def test_temporary_files_of_killed_runs_go_in_time(tmp_path):
    fresh, old, other = (tmp_path / f".{name}.partial" for name in ("a.0123abcd", "a.89abcdef", "ab.89abcdef"))
    for half in (fresh, old, other):
        half.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    os.utime(other, (1000, 1000))
    write_aside(tmp_path / "a", b"whole")
    assert names(tmp_path) == sorted([fresh.name, other.name, "a"])


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), os.mkdir])
def test_pipes_devices_and_folders_are_no_files(tmp_path, make):
    path = tmp_path / "special"
    make(path)
    for read in (open_regular, sha256_of_file, lambda path: read_regular(path, 10)):
        with pytest.raises(OSError, match="not a regular file|directory"):
            read(path)


def test_a_long_file_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="longer than 4 MiB"):
        read_regular(tmp_path / "sparse", 4 << 20)


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
        with folder_aside(tmp_path / "pack", listed) as aside:
            inside.set()
            time.sleep(0.3)
            (aside / "note").write_text("first")
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait()
    with folder_aside(tmp_path / "pack", listed) as aside:
        order.append("second")
        assert names(aside) == []
        (aside / "note").write_text("second")
    thread.join()
    assert order == ["first", "second"] and (tmp_path / "pack" / "note").read_text() == "second"
