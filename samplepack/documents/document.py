"""YAML files as plain data, with the line and column of each value."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from samplepack.base.errors import InputError, Problem

_MOST_BYTES = 1 << 20
_MOST_VALUES = 40_000
_MOST_KEYS = 5000
_MOST_CHARACTERS = 2 << 20
_MOST_MARKS = 30
_LONGEST_NUMBER = 400
_LARGEST_INTEGER = 2**64

_TAG = "tag:yaml.org,2002:"

Key = str | int


@dataclass(frozen=True)
class Kind:
    """A kind of document."""

    name: str
    """The noun for such a document in messages, as it follows "a": `recipe`."""

    first_line: str
    """The first line of such a document, which messages suggest: `recipe: 1`."""

    path_keys: frozenset[str]
    """Keys whose text is the path of a file. It isn't normalised to NFC: some file systems distinguish it from NFD."""


@dataclass(frozen=True)
class Document:
    """The content of a YAML file."""

    file: str
    """The path of the file, as the user wrote it."""

    content: bytes
    """The bytes of the file."""

    data: dict[str, Any]
    """Plain dicts, lists, strings and numbers. Text is normalised to NFC, except for paths of files."""

    node: yaml.Node

    def problem(self, location: Sequence[Key], message: str) -> Problem:
        """A problem at a place in the data; keys that the data doesn't have are ignored."""
        node = self.node
        for key in location:
            node = _child(node, key) or node
        return _problem_at(node.start_mark, message, self.file)

    def problem_with_key(self, location: Sequence[Key], message: str) -> Problem:
        """A problem at the last key of a place, rather than at the key's value."""
        node = self.node
        for key in location[:-1]:
            node = _child(node, key) or node
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if _is_key(key_node, str(location[-1])):
                node = key_node
                break
        return _problem_at(node.start_mark, message, self.file)


def read_document(path: Path, kind: Kind, content: bytes | None = None) -> Document:
    """Read a YAML file that holds plain data of limited size; no tag in it can run code.

    Args:
        path: the path of the file.
        kind: the kind of document that the file should hold.
        content: what to read in place of the file's bytes.

    Raises:
        InputError: the file can't be read, isn't YAML, isn't a mapping, has a key twice, or is too large.
    """
    file = str(path)
    try:
        if content is None:
            with path.open("rb") as opened:
                content = opened.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a null character in the path is a ValueError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(Problem(f"cannot read it: {reason}", file)) from error
    if len(content) > _MOST_BYTES:
        raise InputError(Problem(f"longer than {_MOST_BYTES >> 20} MiB, the most that a {kind.name} may have", file))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Problem(f"not UTF-8 text (byte {error.start})", file)) from error
    try:
        loader = _Loader(text)
        node = _single_node(loader, file)
        if node is None:
            raise InputError(Problem(f"empty; a {kind.name} starts with: {kind.first_line}", file, 1, 1))
        builder = _Builder(file, kind, loader)
        data = builder.build(node)
    except RecursionError as error:
        raise InputError(Problem("nested too deeply", file)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise InputError(Problem(f"not YAML: {error.problem or error.context}", file, line, column)) from error
    except yaml.YAMLError as error:
        raise InputError(Problem(f"not YAML: {' '.join(str(error).split())}", file)) from error
    except _TooMuch as error:
        raise InputError(Problem(str(error), file)) from error
    if builder.problems:
        raise InputError(*builder.problems)
    if not isinstance(data, dict):
        message = f"a {kind.name} is a mapping that starts with: {kind.first_line}"
        raise InputError(_problem_at(node.start_mark, message, file))
    return Document(file, content, data, node)


class _TooMuch(Exception):
    """A document is longer than any real one; the message says in what respect."""


class _Loader(yaml.SafeLoader):
    """A loader that stops at the limit of values, since PyYAML takes many seconds for a million of them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._nodes += 1
        if self._nodes > _MOST_VALUES:
            raise _TooMuch(f"more than {_MOST_VALUES} values")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


def _single_node(loader: yaml.SafeLoader, file: str) -> yaml.Node | None:
    try:
        return loader.get_single_node()
    except (ValueError, OverflowError) as error:
        # PyYAML passes escapes such as "\U00110000" and the digits of %YAML to Python unchecked.
        message = "not YAML: an escape or a version that is out of range"
        raise InputError(_problem_at(loader.get_mark(), message, file)) from error


class _Builder:
    """Turns YAML's nodes into data and collects the problems in them."""

    def __init__(self, file: str, kind: Kind, loader: yaml.SafeLoader) -> None:
        self.file = file
        self.kind = kind
        self.loader = loader
        self.values = 0
        self.characters = 0
        self.problems: list[Problem] = []

    def build(self, node: yaml.Node, is_path: bool = False) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise _TooMuch(f"more than {_MOST_VALUES} values (aliases counted out)")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(child, is_path) for child in node.value]
        self.characters += len(node.value)
        if self.characters > _MOST_CHARACTERS:
            raise _TooMuch(f"more than {_MOST_CHARACTERS >> 20} million characters of text (aliases counted out)")
        value = self._scalar(node)
        return unicodedata.normalize("NFC", value) if isinstance(value, str) and not is_path else value

    def _scalar(self, node: yaml.Node) -> Any:
        tag = node.tag.removeprefix(_TAG)
        if tag in ("int", "float") and len(node.value) > _LONGEST_NUMBER:
            return self._wrong(node, f"a number of more than {_LONGEST_NUMBER} digits")
        try:
            value = self.loader.construct_object(node)
        except yaml.constructor.ConstructorError as error:
            return self._wrong(node, f"cannot be read as a value: {error.problem}")
        except (ValueError, ArithmeticError, LookupError, AttributeError) as error:
            # PyYAML's constructors rely on their tag's pattern, but a tag that is written out may precede any text.
            reason = f": {error}" if tag == "timestamp" and type(error) is ValueError else ""
            return self._wrong(node, f"'{node.value[:40]}' cannot be read as !!{tag}{reason}")
        if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
            return self._wrong(node, "a number beyond 2^64")
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            return self._wrong(node, f"not text: {ascii(value)[:40]} holds half of a character")
        if isinstance(value, str) and _has_too_many_marks(value):
            return self._wrong(node, f"not text: it holds more than {_MOST_MARKS} combining marks in a row")
        if value is not None and not isinstance(value, str | int | float):
            return self._wrong(node, f"a {self.kind.name} holds text and numbers, no !!{tag}; write it in quotes")
        return value

    def _mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        if len(node.value) > _MOST_KEYS:
            self._wrong(node, f"more than {_MOST_KEYS} keys")
            return data
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                self._wrong(key_node, "merge keys (<<) aren't supported; write the keys out")
                continue
            problems_before = len(self.problems)
            key = self.build(key_node)
            if isinstance(key, str):
                if key in data:
                    self._wrong(key_node, f"'{key}' stands here for the second time")
                else:
                    data[key] = self.build(value_node, is_path=key in self.kind.path_keys)
            elif len(self.problems) == problems_before:
                hint = f"; write it in quotes: '{key_node.value}'" if isinstance(key_node, yaml.ScalarNode) else ""
                self._wrong(key_node, f"a key must be text{hint}")
        return data

    def _wrong(self, node: yaml.Node, message: str) -> None:
        self.problems.append(_problem_at(node.start_mark, message, self.file))


def _has_too_many_marks(text: str) -> bool:
    """Whether a text has more combining marks in a row than any script needs; normalising such a text takes a time that
    grows with the square of their number. The limit is that of the Stream-Safe Text Format, UAX #15."""
    if text.isascii():
        return False
    in_a_row = 0
    for character in text:
        in_a_row = in_a_row + 1 if unicodedata.combining(character) else 0
        if in_a_row > _MOST_MARKS:
            return True
    return False


def _problem_at(mark: Any, message: str, file: str) -> Problem:
    return Problem(message, file, mark.line + 1, mark.column + 1)


def _is_key(key_node: yaml.Node, key: Key) -> bool:
    """Whether a node of YAML is the given key of the data."""
    return isinstance(key_node, yaml.ScalarNode) and unicodedata.normalize("NFC", key_node.value) == key


def _child(node: yaml.Node, key: Key) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key_node, value in node.value if _is_key(key_node, key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        child: yaml.Node = node.value[key]
        return child
    return None
