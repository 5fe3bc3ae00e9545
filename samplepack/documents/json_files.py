"""JSON files as models: what a file says, or one line about what is wrong with it."""

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
    """Read a JSON file.

    Args:
        path: of the file.
        model: what it should hold.
        what: what such a file is called in messages: `lock file`.
        most_bytes: a longer file is refused.
        remedy: what a user can do about a file that is damaged: `delete it and fit anew`.

    Raises:
        InputError: the file can't be read, isn't JSON, or doesn't hold what the model describes; the first problem.
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
