"""A YAML file as plain data that knows where each value stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from samplepack.errors import InputError, Problem

_MOST_BYTES = 4 << 20
_MOST_VALUES = 200_000

Key = str | int


@dataclass(frozen=True)
class Document:
    """What a YAML file says."""

    file: str
    """The file, as the user named it."""

    data: Any
    """Plain dicts, lists, strings and numbers."""

    node: yaml.Node

    def problem(self, location: Sequence[Key], message: str) -> Problem:
        """A problem at a place in the data; keys that the data doesn't have lead to the nearest place that it has."""
        node = self.node
        for key in location:
            node = _child(node, key) or node
        return Problem(message, self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def problem_with_key(self, location: Sequence[Key], message: str) -> Problem:
        """A problem with the last key itself, rather than with its value."""
        node = self.node
        for key in location[:-1]:
            node = _child(node, key) or node
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.value == str(location[-1]):
                node = key_node
                break
        return Problem(message, self.file, node.start_mark.line + 1, node.start_mark.column + 1)


def read_document(path: Path) -> Document:
    """Read a YAML file, safely: plain data alone, of a bounded size.

    Raises:
        InputError: it can't be read, isn't YAML, or has a key twice.
    """
    file = str(path)
    try:
        with path.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(Problem(f"cannot read it: {error.strerror}", file)) from error
    if len(content) > _MOST_BYTES:
        raise InputError(Problem("longer than 4 MiB, which no recipe is", file))
    try:
        loader = yaml.SafeLoader(content.decode("utf-8-sig"))
        node = loader.get_single_node()
        if node is None:
            raise InputError(Problem("empty; a recipe starts with: recipe: 1", file, 1, 1))
        builder = _Builder(file, loader)
        data = builder.build(node)
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"not UTF-8 text (byte {error.start})", file)) from error
    except RecursionError as error:
        raise InputError(Problem("nested too deeply", file)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise InputError(Problem(f"not YAML: {error.problem or error.context}", file, line, column)) from error
    except yaml.YAMLError as error:
        raise InputError(Problem(f"not YAML: {' '.join(str(error).split())}", file)) from error
    if builder.problems:
        raise InputError(*builder.problems)
    return Document(file, data, node)


class _Builder:
    """Turns YAML's nodes into data and notes what is wrong on the way."""

    def __init__(self, file: str, loader: yaml.SafeLoader) -> None:
        self.file = file
        self.loader = loader
        self.values = 0
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise InputError(Problem(f"more than {_MOST_VALUES} values (aliases counted out)", self.file))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child) for child in node.value]
        try:
            return self.loader.construct_object(node)
        except (yaml.constructor.ConstructorError, ValueError, OverflowError) as error:
            self._wrong(node, f"cannot be read as a value: {getattr(error, 'problem', None) or error}")
            return None

    def _mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.build(key_node)
            if not isinstance(key, str):
                hint = f"; write it in quotes: '{key_node.value}'" if isinstance(key_node, yaml.ScalarNode) else ""
                self._wrong(key_node, f"a key must be text{hint}")
            elif key in data:
                self._wrong(key_node, f"'{key}' stands here for the second time")
            else:
                data[key] = self.build(value_node)
        return data

    def _wrong(self, node: yaml.Node, message: str) -> None:
        self.problems.append(Problem(message, self.file, node.start_mark.line + 1, node.start_mark.column + 1))


def _child(node: yaml.Node, key: Key) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key_node, value in node.value if key_node.value == key), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None
