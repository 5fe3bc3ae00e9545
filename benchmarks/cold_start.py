"""The smallest build, told apart: RECIPE OUTPUT; prints JSON of what TensorFlow, the network and the effects took."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

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
    """Build, and print."""
    from samplepack.cli import app as cli
    from samplepack.finishing import process
    from samplepack.models import engine
    from samplepack.rendering import render

    start, load = timed("import", engine.start_backend), engine.load_model
    engine.start_backend = start

    def loaded(*args: Any, **kwargs: Any) -> Any:
        start()
        before = taken["import"]
        model = timed("network", load)(*args, **kwargs)
        taken["network"] -= taken["import"] - before
        model.render = timed("network", model.render)
        return model

    render.load_model = loaded
    process.apply = timed("effects", process.apply)
    try:
        cli.main(["build", sys.argv[1], "--output", sys.argv[2], "--quiet"])
    except SystemExit as ended:
        print(json.dumps(taken))
        raise SystemExit(ended.code) from None


if __name__ == "__main__":
    main()
