"""`python -m samplepack`."""

import subprocess
import sys


def test_the_module_runs_the_command_under_its_name():
    ran = subprocess.run([sys.executable, "-m", "samplepack", "--help"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Usage: samplepack ")
