"""What holds of the code as a whole."""

import ast
from pathlib import Path

import samplepack

FOLDER = Path(samplepack.__file__).parent

ORDER = [
    "base", "documents", "sound", "formats", "finishing", "models", "checkpoints", "recipe", "rendering", "datasets",
    "evaluation", "fitting", "training", "clips", "pack", "api", "web", "interactive", "cli",
]  # fmt: skip
"""The rooms of the first level, from the lowest floor: none imports one that stands after it."""

RULES = {
    "base": set(),
    "documents": {"base"},
    "sound": {"base"},
    "formats": {"base", "sound"},
    "finishing": {"base", "documents", "sound"},
    "models": {"base", "documents", "sound"},
    "datasets": {"base", "documents", "sound"},
}
"""Rooms that import no others but these, so that they can be read and used by themselves."""

SEPARATE = {
    "pack": {"training", "fitting", "evaluation", "datasets"},
    "clips": {"training", "fitting", "evaluation", "datasets"},
}
"""Rooms that make packs and sounds know nothing of those that make checkpoints."""


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samplepack."):
            yield node.module.split(".")[1]


def imports():
    for path in sorted(FOLDER.rglob("*.py")):
        room = path.relative_to(FOLDER).with_suffix("").parts[0]
        if room not in ("__init__", "__main__"):
            for other in imported_rooms(path):
                if other != room:
                    yield path.relative_to(FOLDER), room, other


def test_every_room_has_its_floor():
    rooms = {path.relative_to(FOLDER).with_suffix("").parts[0] for path in FOLDER.rglob("*.py")}
    assert rooms - {"__init__", "__main__"} == set(ORDER)
    assert len([entry for entry in FOLDER.iterdir() if entry.name not in ("__pycache__", "py.typed")]) <= 22


def test_no_room_imports_one_above_it():
    assert [
        f"{path} imports {other}" for path, room, other in imports() if ORDER.index(other) > ORDER.index(room)
    ] == []


def test_rooms_keep_to_their_rules():
    wrong = [f"{path} imports {other}" for path, room, other in imports() if room in RULES and other not in RULES[room]]
    wrong += [f"{path} imports {other}" for path, room, other in imports() if other in SEPARATE.get(room, ())]
    assert wrong == []


def test_modules_of_a_room_import_each_other_in_no_circle():
    edges = {}
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samplepack."):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                module = ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts)
                edges.setdefault(module, set()).update(names)
    edges = {module: {other for other in others if other in edges} for module, others in edges.items()}
    while leaves := {module for module, others in edges.items() if not others}:
        edges = {module: others - leaves for module, others in edges.items() if module not in leaves}
    assert edges == {}


def test_every_public_function_and_class_says_what_it_is():
    silent = []
    for path in FOLDER.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_definition and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{path.name}: {node.name}")
    assert silent == []
