"""A keyboard for notebooks: the player of the web pages, on notes that are rendered when they are struck."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from samplepack.api import Player, Timbre
from samplepack.base.errors import InputError, SamplepackError, did_you_mean
from samplepack.checkpoints.directions import Direction, moved, read_directions
from samplepack.formats.instrument import RELEASE_S, VELOCITY_TRACKING_PERCENT
from samplepack.models.latent import Latent

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("the notebook's keyboard needs anywidget: pip install anywidget") from error

_RATE_HZ = 48_000

_MODULES = ("player.js", "keyboard.js", "widget.js")


def _script() -> str:
    """The modules of the widget as one, since a notebook has no address that one could load another from."""
    folder = files("samplepack.web") / "static"
    *libraries, widget = ((folder / name).read_text(encoding="utf-8") for name in _MODULES)
    text = "\n".join([*(re.sub(r"(?m)^export ", "", library) for library in libraries), widget])
    return re.sub(r"(?m)^import .*;\n", "", text)


class Keyboard(anywidget.AnyWidget):  # type: ignore[misc]
    """A keyboard that plays a timbre of a checkpoint, with sliders for where it lies.

        >>> import samplepack
        >>> from samplepack.web.widget import Keyboard
        >>> keyboard = Keyboard(samplepack.load("starter"), "Viola", toward=7)
        >>> keyboard.at = 0.25
        >>> keyboard.latent.shape
        (32,)

    Notes are those of `Player.note`: in tune, looped, at 48 kHz.

    Args:
        player: a checkpoint, from `samplepack.load`.
        timbre: a seed, an instrument's name or a latent.
        toward: another timbre; a slider then leads along the arc to it.
        directions: names of directions of the checkpoint (`samplepack directions`), which get a slider each.
        effects: Pedalboard's effects in order, as in a recipe's `process:`.

    Raises:
        InputError: a timbre is wrong, or the checkpoint has no direction of one of the names.
    """

    _esm = _script()

    at = traitlets.Float(0.0, min=0.0, max=1.0).tag(sync=True)
    """Position along the arc, 0.0 at `timbre` to 1.0 at `toward`."""

    moves = traitlets.Dict(value_trait=traitlets.Float(), key_trait=traitlets.Unicode()).tag(sync=True)
    """Direction → how far the timbre is moved along it, in units of the direction."""

    title = traitlets.Unicode().tag(sync=True)
    toward = traitlets.Unicode().tag(sync=True)
    directions = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pitches = traitlets.List(traitlets.Int()).tag(sync=True)
    rate_hz = traitlets.Int(_RATE_HZ).tag(sync=True)
    playing = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        player: Player,
        timbre: Timbre,
        toward: Timbre | None = None,
        directions: Sequence[str] = (),
        effects: Sequence[str | Mapping[str, Any]] = (),
    ) -> None:
        self._player, self._effects = player, effects
        self._ends = player.latent(timbre), None if toward is None else player.latent(toward)
        self._directions = _found(player, directions)
        super().__init__(
            title=_name(timbre),
            toward="" if toward is None else _name(toward),
            directions=list(directions),
            pitches=[player.pitches[0], player.pitches[-1]],
            playing={"velocityTracking": VELOCITY_TRACKING_PERCENT / 100, "releaseS": RELEASE_S["sustain"]},
        )
        self.on_msg(self._answer)

    @property
    def latent(self) -> Latent:
        """The latent that sounds now, float32, shape (latent_dim,): a timbre for the functions of `Player`."""
        return self._latent(self.at, self.moves)

    def _latent(self, at: float, moves: Mapping[str, float]) -> Latent:
        start, end = self._ends
        z = start if end is None else self._player.between(start, end, at)
        return moved(z, self._directions, {name: amount for name, amount in moves.items() if amount})

    def _answer(self, widget: Any, content: Any, buffers: Any) -> None:
        """Render the note that the browser asks for."""
        key = int(content["key"])
        try:
            note = self._player.note(self._latent(content["at"], content["moves"]), key, self._effects)
        except SamplepackError as error:
            self.send({"id": content["id"], "error": str(error)})
            return
        samples = np.ascontiguousarray(np.atleast_2d(note.samples.T), np.float32)
        answer = {
            "id": content["id"],
            "key": key,
            "rateHz": note.sample_rate,
            "channels": len(samples),
            "loop": note.loop,
        }
        self.send(answer, buffers=[samples.tobytes()])


def _found(player: Player, names: Sequence[str]) -> dict[str, Direction]:
    """The directions of some names."""
    found = read_directions(player.checkpoint) if names else None
    known = found.named() if found else {}
    if problems := [
        f"'{player.checkpoint.name}' has no direction '{name}'{did_you_mean(name, known)}"
        for name in names
        if name not in known
    ]:
        raise InputError(*problems)
    return {name: known[name] for name in names}


def _name(timbre: Timbre) -> str:
    if isinstance(timbre, str):
        return timbre
    return f"seed {timbre}" if isinstance(timbre, int | np.integer) else "latent"
