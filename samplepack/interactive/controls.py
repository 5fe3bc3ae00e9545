"""The parameters of effects as the page's controls show them: sliders with sensible ranges, switches and choices."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, get_args

from samplepack.finishing.effects import EFFECTS

_RANGES: dict[str, tuple[float, float, bool]] = {
    r".*_frequency_hz|cutoff_hz": (20.0, 16_000.0, True),
    r"rate_hz": (0.05, 12.0, True),
    r"feedback": (0.0, 0.95, False),
    r"depth|mix|room_size|damping|wet_level|dry_level|width|freeze_mode|resonance": (0.0, 1.0, False),
    r"threshold_db|ceiling_db": (-60.0, 0.0, False),
    r"gain_db": (-24.0, 24.0, False),
    r"drive_db": (0.0, 48.0, False),
    r"attack_ms|lookahead_ms": (0.1, 200.0, True),
    r"release_ms": (1.0, 2000.0, True),
    r"centre_delay_ms": (1.0, 50.0, False),
    r"ratio": (1.0, 20.0, True),
    r"delay_seconds": (0.01, 2.0, True),
    r"q": (0.1, 10.0, True),
    r"drive": (1.0, 10.0, False),
    r"bit_depth": (2.0, 16.0, False),
    r"semitones": (-24.0, 24.0, False),
    r"vbr_quality": (0.0, 10.0, False),
    r"target_sample_rate": (1_000.0, 48_000.0, True),
}
"""Pattern of a parameter's name → the range of its slider, and whether it is logarithmic. A recipe may go beyond."""


@cache
def effect_controls() -> dict[str, list[dict[str, Any]]]:
    """Effect → its parameters, each with `name`, `kind` (`number`, `switch` or `choice`), `default`, and for a number
    `low`, `high` and `log`, for a choice `choices`. Effects that need files are left out."""
    controls = {}
    for name, model in EFFECTS.items():
        fields = model.model_fields
        if not any(one.is_required() for one in fields.values()):
            controls[name] = [_control(parameter, one.annotation, one.default) for parameter, one in fields.items()]
    return controls


def _control(name: str, type_: Any, default: Any) -> dict[str, Any]:
    if type_ is bool:
        return {"name": name, "kind": "switch", "default": default}
    if type_ is not float:
        return {"name": name, "kind": "choice", "default": default, "choices": list(get_args(type_))}
    low, high, is_log = next(
        (found for pattern, found in _RANGES.items() if re.fullmatch(pattern, name)), (0.0, 1.0, False)
    )
    return {
        "name": name,
        "kind": "number",
        "default": round(default, 4),
        "low": min(low, default),
        "high": max(high, default),
        "log": is_log,
    }
