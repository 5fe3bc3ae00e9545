"""Write the files that are taken from the program itself.

    python -m docs.generate

The help of each command is in `docs/reference/commands.md`, the keys of a recipe in `docs/reference/recipe.md` and, as
JSON Schema, in `recipes/recipe.schema.json`; those of a training configuration are in `docs/reference/training.md`. Run
it after a change of an option, a key or the docstring of a key: tests fail while a file differs from what this writes.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

REPOSITORY = Path(__file__).parent.parent

_GENERATED = "<!-- Written by docs/generate.py: change the program, then run `python -m docs.generate`. -->"

_COMMANDS = f"""\
{_GENERATED}

# Commands

Each command prints the text below with `--help`. Results go to standard output, problems and progress to standard
error; progress bars are shown in a terminal only. [Environment variables, exit codes and
files](environment.md) lists the exit codes.

The shell completes commands, options, the names of checkpoints and the timbres of a recipe after one of these lines in
its start-up file:

```
eval "$(_SAMPLEPACK_COMPLETE=bash_source samplepack)"      # ~/.bashrc
eval "$(_SAMPLEPACK_COMPLETE=zsh_source samplepack)"       # ~/.zshrc
_SAMPLEPACK_COMPLETE=fish_source samplepack | source       # ~/.config/fish/config.fish
```
"""

_RECIPE = f"""\
{_GENERATED}

# Recipe

A recipe is a YAML file of the keys below; an unknown key is refused. Examples of each key are in
[Write a recipe](../how-to/write-a-recipe.md). Numbers of pitches are MIDI note numbers: 60 is called C4 here. The same
rules as a JSON Schema, for editors, stand in `recipes/recipe.schema.json`; `samplepack schema` prints them.
"""

_EFFECTS = """\
## Effects

The effects of `process` are [Pedalboard](https://spotify.github.io/pedalboard/)'s, by their own names and parameters.
An effect's name alone takes all of its defaults. A parameter without a default has to be given.
"""

_TRAINING = f"""\
{_GENERATED}

# Training configuration

The YAML file that `samplepack train` takes has the keys below; an unknown key is refused. How to write one is in
[Train a checkpoint](../how-to/train-a-checkpoint.md).
"""


def generated_files() -> dict[str, str]:
    """The text of each generated file, by its path in the repository."""
    from samplepack.cli.app import main
    from samplepack.finishing.effects import EFFECTS
    from samplepack.models.backend import start_backend
    from samplepack.recipe import Recipe, json_schema

    start_backend()  # or Keras imports more than it needs
    from samplepack.training.config import Training

    schema, training = json_schema(), Training.model_json_schema(by_alias=True)
    effects = [_parameters(name, schema["$defs"][name]) for name in EFFECTS]
    return {
        "docs/reference/commands.md": "\n".join([_COMMANDS, *_commands(main, None)]),
        "docs/reference/recipe.md": "\n".join([_RECIPE, *_keys(Recipe, schema), _EFFECTS, *effects]),
        "docs/reference/training.md": "\n".join([_TRAINING, *_keys(Training, training)]),
        "recipes/recipe.schema.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
    }


def _commands(command: click.Command, parent: click.Context | None) -> Iterator[str]:
    """A section for each command of the tree."""
    name = "samplepack" if parent is None else command.name
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    options = [option.get_help_record(context) for option in command.get_params(context)]
    lines = [f"## {context.command_path}" if parent else "## Options of the program", "", "```", usage, "```", ""]
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        examples = paragraph.removeprefix("\b\n")
        is_block = examples != paragraph and "\n" in examples
        if is_block:
            heading, *rest = examples.splitlines()
            lines += [heading, "", "```", *textwrap.dedent("\n".join(rest)).splitlines(), "```", ""]
        else:
            lines += [" ".join(examples.splitlines()), ""]
    lines += [f"- `{record[0]}`: {' '.join(record[1].split())}" for record in options if record and record[1]]
    yield "\n".join([*lines, ""])
    if isinstance(command, click.Group):
        for sub in sorted(command.commands):
            yield from _commands(command.commands[sub], context)


def _keys(model: type[BaseModel], schema: Mapping[str, Any]) -> Iterator[str]:
    """A table of the keys of a model, and one of each model that its keys are made of."""
    places = _places(model, "")
    links = {name: f"[mapping](#{_anchor(place)})" for name, (_, place) in places.items()}
    for name, (one, place) in places.items():
        own = schema if one is model else schema["$defs"][name]
        lines = [f"## `{place}`" if place else "## Keys", ""]
        if place:
            lines += [_paragraph(inspect.getdoc(one) or ""), ""]
        docstrings = _docstrings(one)
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        by_alias = {field.alias or attribute: attribute for attribute, field in one.model_fields.items()}
        for key, value in own["properties"].items():
            default = _default(value) if key not in own.get("required", ()) else "required"
            about = _paragraph(docstrings.get(by_alias[key], ""))
            lines.append(f"| `{key}` | {_kind(value, links)} | {default} | {about} |")
        yield "\n".join([*lines, ""])


def _parameters(effect: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    lines = [f"### {effect}", ""]
    rows = [
        f"| `{key}` | {_kind(value, {})} | {'required' if key in required else _default(value)} |"
        for key, value in schema.get("properties", {}).items()
    ]
    lines += ["| parameter | value | default |", "|---|---|---|", *rows] if rows else ["No parameters."]
    return "\n".join([*lines, ""])


def _places(model: type[BaseModel], place: str) -> dict[str, tuple[type[BaseModel], str]]:
    """The name of a model, and of each model within it → the model, and where it stands in the YAML file."""
    found = {model.__name__: (model, place)}
    for attribute, field in model.model_fields.items():
        for inner, below in _models_in(field.annotation, ""):
            if inner.__name__ != "Step":
                found |= _places(inner, f"{place}.{field.alias or attribute}{below}".lstrip("."))
    return found


def _models_in(annotation: Any, below: str) -> Iterator[tuple[type[BaseModel], str]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, below
    for part in get_args(annotation):
        is_mapping = getattr(annotation, "__origin__", None) is dict
        yield from _models_in(part, below + (".NAME" if is_mapping else ""))


def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Attribute → the docstring below it, of a model and those that it inherits from."""
    found: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        if issubclass(ancestor, BaseModel) and ancestor is not BaseModel:
            definition = _classes(ancestor.__module__)[ancestor.__name__]
            for attribute, after in pairwise(definition.body):
                if (
                    isinstance(attribute, ast.AnnAssign)
                    and isinstance(attribute.target, ast.Name)
                    and isinstance(after, ast.Expr)
                    and isinstance(after.value, ast.Constant)
                ):
                    found[attribute.target.id] = inspect.cleandoc(str(after.value.value))
    return found


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """Name → definition of the classes of a module."""
    body = ast.parse(inspect.getsource(sys.modules[module])).body
    return {statement.name: statement for statement in body if isinstance(statement, ast.ClassDef)}


def _kind(schema: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        return links.get(schema["$ref"].rpartition("/")[2], "[effect](#effects)")
    if "anyOf" in schema:
        return " or ".join(_kind(one, links) for one in schema["anyOf"] if one.get("type") != "null")
    if "const" in schema:
        return f"`{_yaml(schema['const'])}`"
    if "enum" in schema:
        *others, last = [f"`{_yaml(one)}`" for one in schema["enum"]]
        return f"{', '.join(others)} or {last}" if others else last
    kind = schema.get("type")
    if kind == "array":
        items = schema["items"] if "items" in schema else schema["prefixItems"][0]
        return f"list of: {_kind(items, links)}"
    if kind == "object":
        value = schema.get("additionalProperties")
        return f"names, each with: {_kind(value, links)}" if isinstance(value, Mapping) else "mapping"
    if kind == "boolean":
        return "`true` or `false`"
    if kind == "string":
        return "text"
    return f"{'whole number' if kind == 'integer' else 'number'}{_bounds(schema)}"


def _bounds(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f", {_yaml(schema['minimum'])} to {_yaml(schema['maximum'])}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return ",".join(f" {sign} {_yaml(schema[key])}" for key, sign in signs.items() if key in schema)


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default in (None, "", [], {}):
        return "none"
    if isinstance(default, Mapping):
        return f"`{default['path']}`" if "path" in default else "its defaults"
    return f"`{_yaml(default)}`"


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _paragraph(docstring: str) -> str:
    """The first paragraph of a docstring, on a line."""
    return " ".join(docstring.split("\n\n")[0].split()).replace("|", "\\|")


def _anchor(place: str) -> str:
    return "".join(c for c in place.lower() if c.isalnum() or c in "-_ ").replace(" ", "-")


def main() -> None:
    """Write the files."""
    for name, text in generated_files().items():
        (REPOSITORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
