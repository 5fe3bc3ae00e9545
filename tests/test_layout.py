"""What holds of the code as a whole."""

import ast
from pathlib import Path

import samplepack

ORDER = [
    "errors", "agreement", "files", "progress", "parallel", "audio", "latent", "document", "problems", "process", "analysis", "partials",
    "instrument", "tune", "loop", "align", "levels", "finish", "checkpoint", "cache", "models", "download", "library", "formats",
    "fits", "recipe", "plan", "render", "score", "clip", "views", "picture", "manifest", "pack", "verify", "build", "lock", "compare",
    "scaffold", "walk", "performance", "api", "datasets", "evaluation",
    "training", "fitting", "cli",
]  # fmt: skip
"""Each module may import those before it, and its own package's."""

FOLDER = Path(samplepack.__file__).parent


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "samplepack":
            yield from (alias.name for alias in node.names if alias.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("samplepack."):
            yield node.module.split(".")[1]


def test_imports_point_up_the_list_only():
    for path in FOLDER.rglob("*.py"):
        module = path.relative_to(FOLDER).with_suffix("").parts[0]
        if module == "__init__":
            continue
        for other in imported(path):
            assert ORDER.index(other) <= ORDER.index(module), f"{path.name} imports {other}"


def test_every_module_is_in_the_list():
    modules = {path.relative_to(FOLDER).with_suffix("").parts[0] for path in FOLDER.rglob("*.py")}
    assert modules - {"__init__"} == set(ORDER)


def test_every_public_function_and_class_says_what_it_is():
    silent = []
    for path in FOLDER.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            is_definition = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_definition and not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{path.name}: {node.name}")
    assert silent == []
