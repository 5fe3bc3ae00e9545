"""A recipe that is being edited: its text, what is on disk, and what was heard of it."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.files import write_aside
from samplepack.checkpoints.directions import read_directions
from samplepack.interactive.edits import Edit, edited
from samplepack.recipe import LoadedRecipe, load_recipe

_NEW = """\
recipe: 1
name: {name}
license: CC0-1.0
checkpoint: {checkpoint}
pitches: 36-84/3                             # every third key; zones stretch to fill

timbres:
  First: 7                                   # a seed: any whole number from 0 to 4294967295 is a timbre
"""

_LEAST_PRINCIPAL, _MOST_PRINCIPAL = 3, 5
"""Along how many principal directions a child lies away from its parent."""


class Conflict(SamplepackError):
    """Something else has changed what was to be changed: another tab, or another program."""


@dataclass(frozen=True)
class State:
    """A version of the recipe that makes sense."""

    version: int
    """Counts up with each change."""

    loaded: LoadedRecipe

    @property
    def text(self) -> bytes:
        """The recipe's text."""
        return self.loaded.text

    @property
    def data(self) -> dict[str, Any]:
        """The recipe as plain data, as it is written."""
        data: dict[str, Any] = yaml.safe_load(self.text)
        return data


@dataclass
class Session:
    """A recipe that is being edited. It may be used from several threads.

    Changes that would leave a recipe with problems are refused, so that what is shown can always be heard and built.

    Args:
        path: the recipe's file, which need not exist.
        checkpoint: of a new recipe.
        allow_plugins: whether effects may be plugins, which are programs.
        allow_reads: whether `reads` may name folders outside of the repository.

    Raises:
        InputError: every problem of the recipe.
    """

    path: Path
    checkpoint: str = "starter"
    allow_plugins: bool = False
    allow_reads: bool = False
    state: State = field(init=False)
    on_disk: bytes | None = field(init=False)
    """The bytes of the file as they were read or saved last; None if there was none."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        if os.path.lexists(self.path):
            self.state = State(0, self._load(None))
            self.on_disk = self.state.text
        else:
            if self.path.suffix not in (".yaml", ".yml"):
                raise InputError(f"{self.path}: no such file; a new recipe ends in .yaml")
            name = self.path.stem.replace("-", " ").replace("_", " ").title()
            self.state = State(0, self._load(_NEW.format(name=name, checkpoint=self.checkpoint).encode()))
            self.on_disk = None

    def _load(self, content: bytes | None) -> LoadedRecipe:
        return load_recipe(self.path, self.allow_plugins, self.allow_reads, content=content)

    @property
    def is_saved(self) -> bool:
        """Whether the file holds what is shown, as far as is known."""
        return self.on_disk == self.state.text

    def change(self, version: int, edit: Edit) -> State:
        """Change the recipe.

        Args:
            version: of the state that the change was made on.
            edit: the change.

        Raises:
            Conflict: the recipe has changed since.
            InputError: the change can't be made, or the recipe would have problems.
        """
        with self._lock:
            self._require(version)
            return self._become(edited(self.state.text, edit))

    def write(self, version: int, text: str) -> State:
        """Put another text in place of the recipe's; errors as for `change`."""
        with self._lock:
            self._require(version)
            return self._become(text.encode("utf-8", "surrogatepass"))

    def save(self, version: int) -> None:
        """Write the recipe's file.

        Raises:
            Conflict: the recipe, or its file, has changed since.
            OSError: the file can't be written.
        """
        with self._lock:
            self._require(version)
            if self._read_disk() != self.on_disk:
                raise Conflict(f"{self.path.name} was changed elsewhere meanwhile; nothing was written")
            write_aside(self.path, self.state.text)
            self.on_disk = self.state.text

    def reload(self) -> State:
        """Take over what the file holds now.

        Raises:
            InputError: the file has problems, or is missing.
        """
        with self._lock:
            state = self._become(None)
            self.on_disk = state.text
            return state

    def read_again(self) -> State:
        """Read the same text again, since files that it names have changed, such as that of the fits."""
        with self._lock:
            return self._become(self.state.text)

    def _require(self, version: int) -> None:
        if version != self.state.version:
            raise Conflict("the recipe was changed in another tab meanwhile; the page shows it now, try again")

    def _become(self, content: bytes | None) -> State:
        self.state = State(self.state.version + 1, self._load(content))
        return self.state

    def _read_disk(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def children(self, timbre: dict[str, Any], distance: float, count: int, draw: int) -> list[dict[str, Any]]:
        """Neighbours of a timbre, each moved from it along some of the checkpoint's principal directions.

        Args:
            timbre: as a recipe writes it.
            distance: how far the children lie from it, in standard deviations.
            count: how many of them.
            draw: another number gives other children.

        Returns:
            The children, as a recipe writes them.

        Raises:
            InputError: nobody has found directions of the checkpoint.
        """
        checkpoint = self.state.loaded.native_checkpoint()
        found = read_directions(checkpoint)
        names = [direction.name for direction in found.found] if found else []
        names = [name for name in names if name.startswith("pc")] or names
        if not names:
            raise InputError(
                f"the checkpoint has no directions to vary a sound along; run: samplepack directions {checkpoint.name}"
            )
        random, children = np.random.RandomState(draw), []
        for _ in range(count):
            along = min(random.randint(_LEAST_PRINCIPAL, _MOST_PRINCIPAL + 1), len(names))
            chosen = random.choice(len(names), along, replace=False)
            amounts = random.standard_normal(along)
            amounts *= distance / max(float(np.linalg.norm(amounts)), 1e-9)
            move = dict(timbre.get("move", {}))
            for place, amount in sorted(zip(chosen, amounts, strict=True)):
                name = names[place]
                move[name] = round(move.get(name, 0.0) + float(amount), 2)
            children.append({**timbre, "move": {name: amount for name, amount in move.items() if amount}})
        return children
