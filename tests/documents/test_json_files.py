"""Reading JSON files as models, and what is said of files that aren't what they should be."""

import pytest
from pydantic import BaseModel

from samplepack.base.errors import InputError
from samplepack.documents.json_files import read_json


class Shelf(BaseModel):
    shelf: int
    books: list[str]


def test_a_json_file_is_read_as_its_model(tmp_path):
    path = tmp_path / "shelf.json"
    path.write_text('{"shelf": 1, "books": ["Été"]}', encoding="utf-8")
    assert read_json(path, Shelf, "list of books", 1000) == Shelf(shelf=1, books=["Été"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot read the list of books: No such file or directory"),
        (b" " * 2000, "cannot read the list of books: longer than 0 KiB"),
        (
            b"{",
            "no list of books, not even JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1); count anew",
        ),
        (b"\xff", "no list of books, not even JSON: 'utf-8' codec can't decode"),
        (b"[" * 900, "no list of books, not even JSON: "),
        (
            b"[]",
            "no list of books of this version: Input should be a valid dictionary or instance of Shelf; count anew",
        ),
        (
            b'{"shelf": 1, "books": ["a", 2, 3]}',
            "no list of books of this version: books.1: Input should be a valid string; count anew",
        ),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_file_that_is_something_else_is_told_in_one_line(tmp_path, content, problem):
    path = tmp_path / "shelf.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_json(path, Shelf, "list of books", 1000, "count anew")
    (found,) = raised.value.problems
    assert str(found).startswith(f"{path}: {problem}")
