"""Continuous integration's option --no-skips."""

import pytest

from tests.helpers.places import REPOSITORY

pytest_plugins = ["pytester"]

LEFT_OUT = {
    "skipped": "@pytest.mark.skip\ndef test_other(): pass",
    "skipped when it runs": "def test_other(): pytest.skip()",
    "expected to fail": "@pytest.mark.xfail\ndef test_other(): assert False",
    "expected to fail, but passes": "@pytest.mark.xfail\ndef test_other(): pass",
}


@pytest.fixture
def suite(pytester, monkeypatch):
    """A suite with one test that passes, run with no other plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeconftest("from tests.helpers.no_skips import pytest_addoption, pytest_configure")
    pytester.makepyfile(test_one="def test_one(): pass")
    return pytester


def test_a_complete_run_passes(suite):
    assert suite.runpytest("--no-skips").ret == pytest.ExitCode.OK


@pytest.mark.parametrize("test", LEFT_OUT.values(), ids=LEFT_OUT)
def test_a_test_that_is_left_out_makes_the_run_fail_and_is_named(suite, test):
    suite.makepyfile(test_two=f"import pytest\n{test}")
    assert suite.runpytest().ret == pytest.ExitCode.OK
    ran = suite.runpytest("--no-skips")
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(["*tests left out*", "*: test_two.py::test_other"])


def test_what_workers_leave_out_counts_too(suite):
    suite.makepyfile(
        test_two="def test_two(): pass",
        test_three="import pytest\npytest.skip(allow_module_level=True)",
        test_four="import pytest\ndef test_one(): pytest.skip()",
    )
    ran = suite.runpytest_subprocess("--no-skips", "-p", "xdist", "-n", "1", "-k", "one", timeout=120)
    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.stdout.fnmatch_lines(
        ["deselected: test_two.py::test_two", "skipped: test_four.py::test_one", "skipped: test_three.py"]
    )
