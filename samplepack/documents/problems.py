"""Problems made of Pydantic's errors: clear messages, each with its place in a document."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from samplepack.base.errors import Problem, counted, did_you_mean
from samplepack.documents.document import Document, Key

_CUSTOM_TYPE = "samplepack"

_MOST_PROBLEMS = 200
"""How many problems of a document are listed; the others are counted."""

UNKNOWN_KEY = "unknown_key_message"
"""Name of the class variable with a model's message about an unknown key: a template such as
`{model} has no parameter '{key}'`, in which `model` is the name of the class."""

_SHOULD_BE = {"tuple_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"}
"""Type of Pydantic's error → what the user should write, for errors whose own message names a type of Python."""


def wrong(message: str) -> PydanticCustomError:
    """An error for a validator to raise; its message reaches the user unchanged."""
    # Pydantic fills in {…} in a template, so the message, which may hold a user's text, isn't part of the template.
    return PydanticCustomError(_CUSTOM_TYPE, "{text}", {"text": message})


def unknown(message: str, name: str, known: Collection[str]) -> PydanticCustomError:
    """Like `wrong`, about a name that isn't among the known ones; the message ends with a similar one of these."""
    return PydanticCustomError(_CUSTOM_TYPE, "{text}", {"text": message, "name": name, "known": known})


def readable_path(written: str, info: ValidationInfo) -> Path:
    """The path that a document names, provided that it lies in one of the folders that the document may read.

    The validation's context holds `folder`, which paths are relative to; `readable`, the list of folders; and
    `outside`, the message about a path that lies in none of them. Without `readable`, every path is accepted.

    Raises:
        PydanticCustomError: the path lies in none of the folders, once links are followed.
    """
    context = info.context or {}
    path = Path(context.get("folder", Path()), written)
    if "readable" in context and not lies_in(path, context["readable"]):
        raise wrong(f"'{written}' {context['outside']}")
    return path


def lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path lies in one of the folders, once links are followed. True for a path that doesn't exist."""
    if not os.path.exists(path):
        return True
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def validation_message(error: ErrorDetails) -> str:
    """The message of one of Pydantic's errors, after its place in the data: `fits.0.like: Field required`."""
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else error["msg"]


def problems_in(document: Document, error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """The problems that Pydantic found in a document.

    Args:
        document: the document whose data was validated.
        error: the error that the validation raised.
        root: the model that the data was validated against.
    """
    problems = [
        (document.problem_with_key if is_key else document.problem)(location, message)
        for location, is_key, message in _messages(error, root)
    ]
    more = error.error_count() - _MOST_PROBLEMS
    return problems + [Problem(f"and {more} more problems", document.file)] * (more > 0)


def messages_in(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Messages about the problems that Pydantic found in data without a document, each after its place in the data."""
    return [message for _, _, message in _messages(error, root)]


def _messages(error: ValidationError, root: type[BaseModel]) -> list[tuple[Sequence[Key], bool, str]]:
    """For each error: its place in the data, whether the key there is wrong rather than its value, and a message."""
    listed = [details for details in error.errors(include_url=False) if not _follows(details)]
    return [_message(details, root) for details in listed[:_MOST_PROBLEMS]]


def _follows(error: ErrorDetails) -> bool:
    """Whether the error follows from others: a list counts as too short because Pydantic left out its wrong items."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _message(error: ErrorDetails, root: type[BaseModel]) -> tuple[Sequence[Key], bool, str]:
    location, kind = error["loc"], error["type"]
    received = "" if isinstance(error["input"], dict | list) else f", not {error['input']!r}"
    if kind == "extra_forbidden":
        *parent, key = location
        model = _model_at(root, parent)
        known = list(_fields(model))
        template = getattr(model, UNKNOWN_KEY, "unknown key '{key}'")
        text = template.format(key=key, model=model.__name__)
        text += did_you_mean(str(key), known) or f" (known: {', '.join(known)})"
        return location, True, _at(parent) + text
    if kind == "missing":
        *parent, key = location
        return parent, False, _at(parent) + f"'{key}' is missing"
    # Looked up here, for the listed problems only: it takes long for many names.
    names = error.get("ctx", {}).get("known")
    similar = did_you_mean(error["ctx"]["name"], names) if names is not None else ""
    if location and location[-1] == "[key]":
        return location[:-1], True, _at(location[:-2]) + error["msg"] + similar
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        hint = did_you_mean(str(error["input"]), re.findall(r"'([^']*)'", expected))
        return location, False, f"{_at(location)}should be {expected}{received}{hint}"
    if kind == "too_short":
        return location, False, f"{_at(location)}should have at least {counted(error['ctx']['min_length'], 'item')}"
    if kind == "too_long":
        return location, False, f"{_at(location)}should have at most {counted(error['ctx']['max_length'], 'item')}"
    if kind in _SHOULD_BE:
        return location, False, f"{_at(location)}should be {_SHOULD_BE[kind]}{received}"
    if names is not None:
        return location, False, _at(location) + error["msg"] + similar
    message = error["msg"].removeprefix("Input ").removeprefix("String ")
    return location, False, _at(location) + message + ("" if kind == _CUSTOM_TYPE else received)


def _at(location: Sequence[Key]) -> str:
    """A location as a prefix of a message, such as `process[0].Reverb.room_size: `."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location).lstrip(".")
    return f"{text}: " if text else ""


def _model_at(root: type[BaseModel], location: Sequence[Key]) -> type[BaseModel]:
    """The model of the mapping at a place in the data of `root`."""
    annotation: Any = root
    for key in location:
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        else:
            annotation = _fields(_model_in(annotation))[str(key)]
    return _model_in(annotation)


def _model_in(annotation: Any) -> type[BaseModel]:
    """The model in a type: the type itself, or a member of the union, annotated or not."""
    return next(_models_in(annotation))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Key → type, for the fields of a model."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
