"""JSON files, read into Pydantic models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from samplepack.base.errors import InputError, Problem
from samplepack.base.files import read_regular
from samplepack.documents.problems import validation_message

_Model = TypeVar("_Model", bound=BaseModel)


def read_json(path: Path, model: type[_Model], what: str, most_bytes: int, remedy: str = "") -> _Model:
    """Read a JSON file into a model.

    Args:
        path: the path of the file.
        model: the model that describes the content.
        what: the noun for such a file in messages, such as `lock file`.
        most_bytes: the largest size of the file, bytes.
        remedy: advice to the user about a damaged file, such as `delete it and fit anew`.

    Raises:
        InputError: the file can't be read, is too long, isn't JSON, or doesn't match the model; it holds the first
            problem only.
    """
    ending = f"; {remedy}" if remedy else ""
    try:
        return model.model_validate(json.loads(read_regular(path, most_bytes)))
    except OSError as error:
        raise InputError(Problem(f"cannot read the {what}: {error.strerror}", str(path))) from error
    except ValidationError as error:
        message = f"no {what} of this version: {validation_message(error.errors()[0])}{ending}"
        raise InputError(Problem(message, str(path))) from error
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(f"no {what}, not even JSON: {error}{ending}", str(path))) from error
