"""Instruments in programs that people make music with, which are system packages: each opens a project that samplepack
wrote, and renders it."""

import numpy as np
import pytest

from samplepack.pack.session import write_session
from tests.helpers.hosts import (
    BEND_CENTS,
    COMMANDS,
    ODD,
    ODD_FOLDER,
    OVERTONE_DB,
    bent,
    level_db,
    measure,
    render,
    render_project,
    strength,
    tracks,
    write_tones,
)
from tests.helpers.tone_packs import frequency_hz

MOST_CENTS = {"ardour": 0.5, "lmms": 1.5, "musescore": 6.5}
"""MuseScore's sampler reads sounds in steps of 256ths of a frame, rounded down: it is up to 6.2 cents flat for these
keys. LMMS plays a cent flat."""


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("hosts") / "pack", "Plain")


@pytest.fixture(scope="module")
def odd_pack(tmp_path_factory):
    """A pack of odd names in a folder of a name that is odder still."""
    return write_tones(tmp_path_factory.mktemp("hosts") / ODD_FOLDER, ODD)


@pytest.mark.parametrize("host", COMMANDS)
def test_a_host_holds_tunes_and_releases_what_it_plays(pack, host, tmp_path):
    played = measure(render(host, "Song", tracks(pack, host), tmp_path))
    print(f"{host}: {played}")
    assert abs(played.cents) < MOST_CENTS[host]
    assert abs(played.held_db) < 0.2
    assert played.swing_db < 0.1
    assert played.silence_db < -60.0
    assert played.chord_db > -0.5


def test_the_mod_wheel_travels_a_morph_in_ardour(pack, tmp_path):
    played = measure(render("ardour", "Song", tracks(pack, "ardour"), tmp_path))
    down, up, again = played.overtone_db
    assert max(down, again) < -20.0 and abs(up - OVERTONE_DB[127]) < 0.5
    assert played.sweep_db < 1.0


def test_the_pitch_of_a_track_is_bent_in_lmms(pack, tmp_path):
    audio = render("lmms", "Song", tracks(pack, "lmms"), tmp_path, bent)
    before, after = (strength(audio, at_s, at_s + 4.0, frequency_hz(60)).cents for at_s in (0.5, 5.5))
    assert abs(before) < MOST_CENTS["lmms"] and abs(after - BEND_CENTS) < MOST_CENTS["lmms"]


def test_a_loop_that_does_not_close_is_heard_in_the_level(tmp_path):
    pack = write_tones(tmp_path / "pack", "Off", loop_off=60)
    (tmp_path / "home").mkdir()
    played = measure(render("musescore", "Song", tracks(pack, "musescore"), tmp_path / "home"))
    assert played.swing_db > 1.0


@pytest.mark.parametrize("host", COMMANDS)
def test_the_session_of_a_pack_plays_one_instrument_after_the_other(pack, host, tmp_path):
    project = write_session(pack, host, tmp_path)
    audio = render_project(host, project, pack / "Instruments", tmp_path)
    levels = [level_db(audio, at_s, at_s + 0.5) for at_s in np.arange(0.0, audio.duration_s - 0.5, 0.5)]
    heard = np.array(levels) > max(levels) - 40.0
    assert np.count_nonzero(np.diff(heard.astype(int)) == 1) + heard[0] == 2


@pytest.mark.parametrize("host", COMMANDS)
def test_a_pack_with_odd_names_loads(odd_pack, host, tmp_path):
    played = measure(render(host, ODD, tracks(odd_pack, host), tmp_path))
    assert abs(played.cents) < MOST_CENTS[host] and abs(played.held_db) < 0.2
