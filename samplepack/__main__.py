"""`python -m samplepack`: the same command as `samplepack`."""

from samplepack.cli.app import main

main(prog_name="samplepack")
