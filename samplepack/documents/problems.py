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

_SHOULD_BE = {"tuple_type": "a list", "dict_type": "a mapping", "model_type": "a mapping"}
"""Kind of error → what to write, where Pydantic speaks of Python's types."""


def wrong(message: str) -> PydanticCustomError:
    """What a validator raises: a problem in words, which are told as they are."""
    # Pydantic would fill in {…} in a message, so a name that a user wrote is never part of the template.
    return PydanticCustomError(_OWN_WORDS, "{text}", {"text": message})


def readable_path(written: str, info: ValidationInfo) -> Path:
    """The path that a document names, if the file lies in the document's own folder or in one that it may read.

    The context of the validation says so: `folder`, what paths are relative to, and `readable`, the folders; without
    them every path is good.

    Raises:
        PydanticCustomError: it lies elsewhere, be it by way of a link.
    """
    context = info.context or {}
    path = Path(context.get("folder", Path()), written)
    if "readable" in context and not lies_in(path, context["readable"]):
        raise wrong(f"'{written}' lies outside the recipe's folder; write the folder that it lies in under reads:")
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
    return [_problem(document, details, root) for details in error.errors() if not _follows(details)]


def _follows(error: ErrorDetails) -> bool:
    """Whether a list is too short only because items of it are wrong, which is told of each."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _problem(document: Document, error: ErrorDetails, root: type[BaseModel]) -> Problem:
    location, kind = error["loc"], error["type"]
    received = "" if isinstance(error["input"], dict | list) else f", not {error['input']!r}"
    if kind == "extra_forbidden":
        *parent, key = location
        known = _keys_at(root, parent)
        if parent[:1] == ["process"] and len(parent) == 2:
            what = f"Pedalboard has no effect '{key}'"
        elif parent[:1] == ["process"]:
            what = f"{parent[2]} has no parameter '{key}'"
        else:
            what = f"unknown key '{key}'"
        what += did_you_mean(str(key), known) or f" (known: {', '.join(known)})"
        return document.problem_with_key(location, _at(parent) + what)
    if kind == "missing":
        *parent, key = location
        return document.problem(parent, _at(parent) + f"'{key}' is missing")
    if location and location[-1] == "[key]":
        return document.problem_with_key(location[:-1], _at(location[:-2]) + error["msg"])
    if kind == "literal_error":
        expected = error["ctx"]["expected"]
        hint = did_you_mean(str(error["input"]), re.findall(r"'([^']*)'", expected))
        return document.problem(location, f"{_at(location)}should be {expected}{received}{hint}")
    if kind == "too_short":
        return document.problem(location, f"{_at(location)}should have at least {error['ctx']['min_length']}")
    if kind in _SHOULD_BE:
        return document.problem(location, f"{_at(location)}should be {_SHOULD_BE[kind]}{received}")
    message = error["msg"].removeprefix("Input ").removeprefix("String ")
    return document.problem(location, _at(location) + message + ("" if kind == _OWN_WORDS else received))


def _at(location: Sequence[Key]) -> str:
    """`process[0].Reverb.room_size: `"""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in location).lstrip(".")
    return f"{text}: " if text else ""


def _keys_at(root: type[BaseModel], location: Sequence[Key]) -> list[str]:
    """The keys that a mapping at a place of the root may have."""
    annotation: Any = root
    for key in location:
        if get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        elif get_origin(annotation) is tuple:
            annotation = get_args(annotation)[0]
        else:
            annotation = _fields(annotation)[str(key)]
    return list(_fields(annotation))


def _fields(annotation: Any) -> dict[str, Any]:
    """Key → type of a model, or of the model in a union."""
    if get_origin(annotation) is Annotated:
        return _fields(get_args(annotation)[0])
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return {field.alias or name: field.annotation for name, field in candidate.model_fields.items()}
    return {}
