"""Pydantic's errors in the project's words, each at its place in a document."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from samplepack.base.errors import Problem, did_you_mean
from samplepack.documents.document import Document, Key

_OWN_WORDS = "samplepack"

UNKNOWN_KEY = "unknown_key_message"
"""The class variable by which a model words what is said of a key that it doesn't know: `{model} has no parameter
'{key}'`, in which `model` is the class's name."""

_SHOULD_BE = {"tuple_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"}
"""Kind of error → what to write, where Pydantic speaks of Python's types."""


def wrong(message: str) -> PydanticCustomError:
    """What a validator raises: a problem in words, which are told as they are."""
    # Pydantic would fill in {…} in a message, so a name that a user wrote is never part of the template.
    return PydanticCustomError(_OWN_WORDS, "{text}", {"text": message})


def readable_path(written: str, info: ValidationInfo) -> Path:
    """The path that a document names, if the file lies in one of the folders that the document may read.

    The validation's context says which: `folder`, what paths are relative to; `readable`, the folders; `outside`, what
    to answer about a path elsewhere. Without them every path is good.

    Raises:
        PydanticCustomError: it lies elsewhere, be it by way of a link.
    """
    context = info.context or {}
    path = Path(context.get("folder", Path()), written)
    if "readable" in context and not lies_in(path, context["readable"]):
        raise wrong(f"'{written}' {context['outside']}")
    return path


def lies_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path lies in one of some folders, links followed; so does what isn't there at all."""
    if not os.path.exists(path):
        return True
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(folder)) for folder in folders)


def validation_message(error: ErrorDetails) -> str:
    """One of Pydantic's errors, after its place in the data: `fits.0.like: Field required`."""
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else error["msg"]


def problems_in(document: Document, error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """What Pydantic found wrong in a document.

    Args:
        document: of which the data was validated.
        error: what came of it.
        root: the model that it was validated as.
    """
    return [
        (document.problem_with_key if is_key else document.problem)(location, message)
        for location, is_key, message in _worded(error, root)
    ]


def messages_in(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """What Pydantic found wrong in data that stands in no document, each after its place in the data."""
    return [message for _, _, message in _worded(error, root)]


def _worded(error: ValidationError, root: type[BaseModel]) -> list[tuple[Sequence[Key], bool, str]]:
    """For each error the place in the data, whether the key there is wrong rather than its value, and the message."""
    return [_message(details, root) for details in error.errors() if not _follows(details)]


def _follows(error: ErrorDetails) -> bool:
    """Whether a list is too short only because items of it are wrong, which is told of each."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _message(error: ErrorDetails, root: type[BaseModel]) -> tuple[Sequence[Key], bool, str]:
    location, kind = error["loc"], error["type"]
    received = "" if isinstance(error["input"], dict | list) else f", not {error['input']!r}"
    if kind == "extra_forbidden":
        *parent, key = location
        model = _model_at(root, parent)
        known = list(_fields(model))
        template = getattr(model, UNKNOWN_KEY, "unknown key '{key}'")
        what = template.format(key=key, model=model.__name__)
        what += did_you_mean(str(key), known) or f" (known: {', '.join(known)})"
        return location, True, _at(parent) + what
    if kind == "missing":
        *parent, key = location
        return parent, False, _at(parent) + f"'{key}' is missing"
    if location and location[-1] == "[key]":
        return location[:-1], True, _at(location[:-2]) + error["msg"]
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        hint = did_you_mean(str(error["input"]), re.findall(r"'([^']*)'", expected))
        return location, False, f"{_at(location)}should be {expected}{received}{hint}"
    if kind == "too_short":
        return location, False, f"{_at(location)}should have at least {error['ctx']['min_length']}"
    if kind in _SHOULD_BE:
        return location, False, f"{_at(location)}should be {_SHOULD_BE[kind]}{received}"
    message = error["msg"].removeprefix("Input ").removeprefix("String ")
    return location, False, _at(location) + message + ("" if kind == _OWN_WORDS else received)


def _at(location: Sequence[Key]) -> str:
    """A location as a prefix of a message, such as `process[0].Reverb.room_size: `."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location).lstrip(".")
    return f"{text}: " if text else ""


def _model_at(root: type[BaseModel], location: Sequence[Key]) -> type[BaseModel]:
    """The model of the mapping at a place of the root."""
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
    """The model that a type is, or that is in a union."""
    if get_origin(annotation) is Annotated:
        return _model_in(get_args(annotation)[0])
    types = (annotation, *get_args(annotation))
    return next(one for one in types if isinstance(one, type) and issubclass(one, BaseModel))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Key → type of a model."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}
