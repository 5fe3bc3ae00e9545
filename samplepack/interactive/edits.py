"""Changes to the text of a recipe that keep its comments, its order and its style."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from samplepack.base.errors import InputError

_WIDTH = 4096


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetTimbre(_Edit):
    """Write a timbre in place of one of the same name, or after the others."""

    op: Literal["timbre"]
    name: StrictStr
    timbre: dict[str, Any] | int

    def apply(self, recipe: Any) -> None:
        """Change a recipe in place."""
        timbres = _mapping(recipe, "timbres")
        plain = self.timbre["seed"] if isinstance(self.timbre, dict) and set(self.timbre) == {"seed"} else self.timbre
        timbres[self.name] = _flow(plain)


class Remove(_Edit):
    """Remove a timbre or a path."""

    op: Literal["remove"]
    kind: Literal["timbres", "paths"]
    name: StrictStr

    def apply(self, recipe: Any) -> None:
        """Change a recipe in place."""
        del _mapping(recipe, self.kind)[self.name]
        if not recipe[self.kind]:
            del recipe[self.kind]


class Rename(_Edit):
    """Rename a timbre or a path, here and wherever the recipe refers to it."""

    op: Literal["rename"]
    kind: Literal["timbres", "paths"]
    name: StrictStr
    to: StrictStr

    def apply(self, recipe: Any) -> None:
        """Change a recipe in place."""
        named = _mapping(recipe, self.kind)
        if self.to in named and self.to != self.name:
            raise InputError(f"there is a '{self.to}' already")
        _reorder(named, list(named), {self.name: self.to})
        if self.kind == "timbres":
            _refer_anew(recipe, self.name, self.to)


class Order(_Edit):
    """Bring timbres or paths into another order."""

    op: Literal["order"]
    kind: Literal["timbres", "paths"]
    names: list[StrictStr]

    def apply(self, recipe: Any) -> None:
        """Change a recipe in place."""
        named = _mapping(recipe, self.kind)
        if sorted(self.names) != sorted(named):
            raise InputError(f"{self.kind} are others by now")
        _reorder(named, self.names, {})


class SetPath(_Edit):
    """Write a path in place of one of the same name, or after the others."""

    op: Literal["path"]
    name: StrictStr
    path: dict[str, Any]

    def apply(self, recipe: Any) -> None:
        """Change a recipe in place."""
        paths = _mapping(recipe, "paths")
        if self.name in paths:
            _update(paths[self.name], self.path)
        else:
            paths[self.name] = _flow(self.path)


class SetProcess(_Edit):
    """Write the chain of effects; steps that stay keep their comments."""

    op: Literal["process"]
    process: Annotated[list[dict[str, dict[str, Any]]], Field(max_length=64)]

    def apply(self, recipe: Any) -> None:
        """Change a recipe in place."""
        from ruamel.yaml.comments import CommentedSeq

        if not self.process:
            recipe.pop("process", None)
            return
        if not recipe.get("process"):
            recipe["process"] = CommentedSeq()
        steps = recipe["process"]
        for i, step in enumerate(self.process):
            (name, parameters), *others = step.items()
            if others:
                raise InputError("a step is one effect")
            old = steps[i] if i < len(steps) else None
            if isinstance(old, dict) and set(old) == {name} and isinstance(old[name], dict):
                _update(old[name], parameters)
            elif i < len(steps):
                steps[i] = _step(name, parameters)
            else:
                steps.append(_step(name, parameters))
        del steps[len(self.process) :]


Edit = Annotated[SetTimbre | Remove | Rename | Order | SetPath | SetProcess, Field(discriminator="op")]


def edited(text: bytes, edit: Edit) -> bytes:
    """The text of a recipe after a change; whether the recipe still makes sense isn't checked.

    Args:
        text: a recipe that was read without problems.
        edit: what to change.

    Raises:
        InputError: the change can't be made, since what it changes isn't there.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    if re.search(rb"^ +- ", text, re.MULTILINE):
        yaml.indent(mapping=2, sequence=4, offset=2)
    written = io.BytesIO()
    try:
        recipe = yaml.load(text)
        edit.apply(recipe)
        yaml.dump(recipe, written)
    except KeyError as error:
        raise InputError(f"the recipe has no {error}") from None
    except (YAMLError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise InputError(f"this can't be written into the recipe: {' '.join(str(error).split())[:200]}") from error
    return written.getvalue()


def _mapping(recipe: Any, key: str) -> Any:
    from ruamel.yaml.comments import CommentedMap

    if not recipe.get(key):
        recipe[key] = CommentedMap()
    elif not isinstance(recipe[key], dict):
        raise InputError(f"{key} isn't a mapping")
    return recipe[key]


def _flow(value: Any) -> Any:
    """A value in YAML's flow style, on one line: `{seed: 7, at: 0.5}`."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    made: Any = value
    if isinstance(value, Mapping):
        made = CommentedMap((key, _flow(child)) for key, child in value.items())
        made.fa.set_flow_style()
    elif isinstance(value, list):
        made = CommentedSeq(map(_flow, value))
        made.fa.set_flow_style()
    return made


def _step(name: str, parameters: Mapping[str, Any]) -> Any:
    from ruamel.yaml.comments import CommentedMap

    return CommentedMap({name: _flow(parameters)})


def _update(old: Any, new: Mapping[str, Any]) -> None:
    """Change what differs, so that everything else keeps its comments and its style."""
    for key in [key for key in old if key not in new]:
        del old[key]
    for key, value in new.items():
        if key not in old or old[key] != value:
            old[key] = _flow(value)


def _reorder(named: Any, names: Sequence[str], renamed: Mapping[str, str]) -> None:
    """Bring keys into an order under their new names; the comment behind a value moves with it."""
    if missing := [name for name in renamed if name not in named]:
        raise KeyError(missing[0])
    values, comments, keys = dict(named), dict(named.ca.items), {str(key): key for key in named}
    for name in list(named):
        del named[name]
    for name in names:
        to = renamed.get(name, keys[name])  # the key as it is written, in its quotes
        named[to] = values[name]
        if name in comments:
            named.ca.items[to] = comments[name]


def _refer_anew(recipe: Any, name: str, to: str) -> None:
    """Rename a timbre where others lie toward it and where paths, layers and clips name it."""
    for timbre in recipe["timbres"].values():
        if isinstance(timbre, dict) and timbre.get("toward") == name:
            timbre["toward"] = to
    velocity = recipe.get("velocity")
    if isinstance(velocity, dict) and velocity.get("toward") == name:
        velocity["toward"] = to
    for path in (recipe.get("paths") or {}).values():
        path["through"][:] = [to if one == name else one for one in path["through"]]
    for clip in (recipe.get("clips") or {}).values():
        for i, one in enumerate(clip.get("timbres", ())):
            if one == name:
                clip["timbres"][i] = to
            elif isinstance(one, dict) and one.get("timbre") == name:
                one["timbre"] = to
