"""Build one recipe and print as JSON what TensorFlow, the network and the effects took: `cold_start RECIPE OUTPUT`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

taken = {"import": 0.0, "network": 0.0, "effects": 0.0}


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time counted."""

    def call(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            taken[part] += time.perf_counter() - began

    return call


def main() -> None:
    """Build the recipe, with a clock around each part."""
    from samplepack.cli.app import main as samplepack
    from samplepack.finishing import process
    from samplepack.models import load as loading
    from samplepack.models.backend import start_backend
    from samplepack.rendering import render

    start, load = timed("import", start_backend), loading.load_model

    def timed_load(*args: Any, **kwargs: Any) -> Any:
        start()
        before = taken["import"]
        model = timed("network", load)(*args, **kwargs)
        taken["network"] -= taken["import"] - before
        model.render = timed("network", model.render)
        return model

    with (
        patch.object(loading, "start_backend", start),
        patch.object(render, "load_model", timed_load),
        patch.object(process, "apply", timed("effects", process.apply)),
    ):
        try:
            samplepack(["build", sys.argv[1], "--output", sys.argv[2], "--quiet"])
        finally:
            print(json.dumps(taken))


if __name__ == "__main__":
    main()
