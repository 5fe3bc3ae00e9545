"""Zones of instruments, and how they answer to a player's hands, as `player.js` takes them."""

from __future__ import annotations

from typing import Any

from samplepack.formats.instrument import VELOCITY_POWERS, Playing, Range, Zone


def region(zone: Zone, rate_hz: int) -> dict[str, Any]:
    """A zone without its keys and its file, times in seconds.

    Args:
        zone: the zone.
        rate_hz: samples per second of its file.
    """
    return {
        "root": zone.root,
        "velocities": _range(zone.velocities),
        "wheel": _range(zone.wheel) if zone.wheel else None,
        # In SFZ the last frame belongs to the loop; here, its end.
        "loop": [zone.loop.start / rate_hz, (zone.loop.end + 1) / rate_hz] if zone.loop else None,
        "softCutoffHz": zone.soft_cutoff_hz,
        "turn": zone.turn,
        "turns": zone.turns,
    }


def answers(playing: Playing, tracking_percent: int, release_s: float) -> dict[str, Any]:
    """How an instrument answers to velocity, keys and wheels.

    Args:
        playing: the settings of its recipe.
        tracking_percent: how much of its level follows velocity.
        release_s: release time after key-up, seconds.
    """
    return {
        "velocityTracking": tracking_percent / 100,
        "velocityPower": VELOCITY_POWERS[playing.velocity_curve],
        "attackS": playing.attack_s,
        "releaseS": release_s,
        "bendRange": playing.bend_range,
        "vibrato": playing.vibrato,
        "vibratoCents": playing.vibrato_cents,
    }


def _range(values: Range) -> dict[str, int]:
    return {"low": values.low, "high": values.high, "lowFade": values.low_fade, "highFade": values.high_fade}
