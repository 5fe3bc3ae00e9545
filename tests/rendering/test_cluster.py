"""Addresses at which no Ray cluster answers; what clusters do is tested in tests/system."""

import socket
import sys
import time

import pytest

from samplepack.rendering import cluster
from tests.helpers.browser import served


@pytest.fixture
def silent_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def wrong_address(silent_address):
    """Of a port that nothing listens at any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))


def failed(run, recipe, address):
    began = time.monotonic()
    ran = run("build", recipe, "--cluster", address)
    assert ran.code == 2 and ran.err.count("\n") == 1 and time.monotonic() - began < 6.0
    return ran.err


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.0.1:0", "10.0.0.1:99999", "ray://10.0.0.1:10001", ":6379"])
def test_an_address_that_is_none_is_refused(run, write_recipe, address):
    assert failed(run, write_recipe(), address).startswith(f"cluster is '{address}'; it should be auto, or an address")


def test_an_address_where_nothing_or_something_else_answers_is_told_within_seconds(
    run, write_recipe, silent_address, wrong_address, monkeypatch
):
    recipe = write_recipe()
    monkeypatch.setattr(cluster, "_PROBE_S", 0.5)
    assert "timed out" in failed(run, recipe, silent_address)
    assert "Connection refused" in failed(run, recipe, wrong_address)


def test_a_web_server_is_no_cluster(run, write_recipe, tmp_path):
    with served(tmp_path) as address:
        assert "something else does" in failed(run, write_recipe(), address.removeprefix("http://"))


def test_auto_without_a_cluster_on_this_machine_says_how_to_start_one(run, write_recipe, tmp_path, wrong_address):
    recipe = write_recipe()
    assert "ray start --head" in failed(run, recipe, "auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text(wrong_address)  # of one that was killed
    assert f"no Ray cluster answers at {wrong_address}" in failed(run, recipe, "auto")


def test_without_ray_the_extra_is_named(run, write_recipe, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "gansynth-samplepack[cluster]" in failed(run, write_recipe(), "auto")


def test_a_shard_goes_with_no_cluster(run, write_recipe):
    assert run("build", write_recipe(), "--shard", "1/2", "--cluster", "auto").code == 2
