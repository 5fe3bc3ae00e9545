"""What holds of the code as a whole."""

import ast
from pathlib import Path

import samplepack

ROOMS = [
    "base", "documents", "sound", "formats", "finishing", "models", "checkpoints", "recipe", "rendering", "datasets",
    "evaluation", "fitting", "training", "clips", "pack", "api", "cli",
]  # fmt: skip
"""Each room of the first level may import those before it, and itself."""

FOLDER = Path(samplepack.__file__).parent


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "samplepack":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samplepack."):
            yield node.module.split(".")[1]


def test_imports_point_up_the_list_only():
    upward = []
    for path in FOLDER.rglob("*.py"):
        room = path.relative_to(FOLDER).with_suffix("").parts[0]
        if room in ("__init__", "__main__"):
            continue
        upward += [
            f"{path.relative_to(FOLDER)} imports {o}" for o in imported(path) if ROOMS.index(o) > ROOMS.index(room)
        ]
    assert upward == []


def test_every_room_is_in_the_list():
    rooms = {path.relative_to(FOLDER).with_suffix("").parts[0] for path in FOLDER.rglob("*.py")}
    assert rooms - {"__init__", "__main__"} == set(ROOMS)


def test_every_public_function_and_class_says_what_it_is():
    silent = []
    for path in FOLDER.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_definition and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{path.name}: {node.name}")
    assert silent == []
