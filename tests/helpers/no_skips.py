"""The option --no-skips, under which a test that was left out makes the run fail."""

from __future__ import annotations

from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped or deselected test makes the run fail")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--no-skips"):
        config.pluginmanager.register(NoSkips())


class NoSkips:
    """Fails a run in which a test was skipped, deselected or expected to fail, and lists those tests.

    Under pytest-xdist it runs in every process: workers send their lists to the controller, which judges.
    """

    def __init__(self) -> None:
        self.left_out: set[str] = set()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        self.left_out |= {f"deselected: {item.nodeid}" for item in items}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.left_out.add(f"skipped: {report.nodeid}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if hasattr(report, "wasxfail"):
            self.left_out.add(f"expected to fail: {report.nodeid}")
        elif report.skipped:
            self.left_out.add(f"skipped: {report.nodeid}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.left_out |= set(getattr(node, "workeroutput", {}).get("left_out", ()))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["left_out"] = sorted(self.left_out)
        elif self.left_out and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.left_out:
            terminalreporter.section("tests left out, which --no-skips counts as failed")
            for line in sorted(self.left_out):
                terminalreporter.line(line)
