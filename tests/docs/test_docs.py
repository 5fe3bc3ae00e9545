"""The documents agree with the program, and with each other."""

import re
import shlex

import click
import jsonschema
import pytest
import yaml

from docs import generate
from samplepack.cli.app import main
from samplepack.pack.lock import Lock, LockedCheckpoint, LockedInstrument, LockedWavetable
from samplepack.pack.manifest import (
    Manifest,
    PackedCheckpoint,
    PackedClip,
    PackedInstrument,
    PackedLoop,
    PackedNote,
    PackedTuning,
    PackedWavetable,
)
from samplepack.recipe import json_schema, load_recipe
from tests.helpers.places import REPOSITORY

README = REPOSITORY / "README.md"
DOCS = sorted((REPOSITORY / "docs").rglob("*.md"))
DOCUMENTS = [README, REPOSITORY / "CHANGELOG.md", REPOSITORY / "benchmarks/README.md", *DOCS]

GENERATED = [
    "docs/reference/commands.md",
    "docs/reference/recipe.md",
    "docs/reference/training.md",
    "recipes/recipe.schema.json",
]


def named(path):
    return str(path.relative_to(REPOSITORY))


def blocks(text, language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)


def commands(group=main, prefix=("samplepack",)):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield " ".join((*prefix, name)), command


@pytest.fixture(scope="module")
def generated_files():
    return generate.generated_files()


@pytest.mark.parametrize("name", GENERATED)
def test_the_reference_is_what_the_program_says(generated_files, name):
    written = (REPOSITORY / name).read_text(encoding="utf-8")
    assert written == generated_files[name], "run: python -m docs.generate"
    assert list(generated_files) == GENERATED


def test_every_command_and_option_is_in_the_reference():
    sections = re.split(r"^## ", (REPOSITORY / "docs/reference/commands.md").read_text(encoding="utf-8"), flags=re.M)
    by_name = {section.splitlines()[0]: section for section in sections}
    for name, command in commands():
        for option in (o for p in command.params if isinstance(p, click.Option) for o in p.opts):
            assert option in by_name[name], f"{name} {option}"


def test_every_command_is_in_a_guide():
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCS if path.name != "commands.md")
    for name, _ in commands():
        assert name in text or name.removeprefix("samplepack ") in text, name


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_every_command_in_a_document_is_one(path):
    known = dict(commands())
    text = "\n".join(blocks(path.read_text(encoding="utf-8"), ""))
    for line in re.findall(r"^(?:\$ )?(?:\.venv/bin/)?(samplepack .*)$", text, re.MULTILINE):
        words = shlex.split(line, comments=True)
        if "[OPTIONS]" in words:
            continue
        name = " ".join(words[:3]) if words[1] in ("checkpoints", "cache") else " ".join(words[:2])
        assert name in known or words[1].startswith("-"), line
        options = {option for parameter in known[name].params for option in parameter.opts} if name in known else set()
        assert {word.rstrip(",") for word in words if word.startswith("--")} <= options | {"--help", "--version"}, line


def anchors(path):
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_relative_links_and_pictures_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if not target.startswith(("https://", "http://")):
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target
            # The site holds docs/ alone: a page must not lead out of it.
            assert path not in DOCS or there.is_relative_to(REPOSITORY / "docs"), target


def test_the_schema_takes_every_recipe_in_the_documents():
    validator = jsonschema.Draft202012Validator(json_schema())
    for path in [README, *DOCS]:
        for block in blocks(path.read_text(encoding="utf-8"), "yaml"):
            assert [error.json_path for error in validator.iter_errors(yaml.safe_load(block))] == [], named(path)


@pytest.mark.parametrize(
    ("page", "models"),
    [
        (
            "pack.md",
            [
                Manifest,
                PackedCheckpoint,
                PackedInstrument,
                PackedNote,
                PackedTuning,
                PackedLoop,
                PackedClip,
                PackedWavetable,
            ],
        ),
        ("lock-file.md", [Lock, LockedCheckpoint, LockedInstrument, LockedWavetable]),
    ],
    ids=["pack.json", "lock file"],
)
def test_every_key_is_in_the_reference(page, models):
    text = (REPOSITORY / "docs" / "reference" / page).read_text(encoding="utf-8")
    missing = [f"{model.__name__}.{key}" for model in models for key in model.model_fields if f"`{key}`" not in text]
    assert missing == []


def test_the_recipe_in_the_readme_loads(tmp_path):
    (recipe,) = blocks(README.read_text(encoding="utf-8"), "yaml")
    file = tmp_path / "glass-choir.yaml"
    file.write_text(recipe, encoding="utf-8")
    assert len(load_recipe(file).recipe.timbres) == 3


def test_nobody_is_sent_to_the_package_of_another_project():
    folders = ["docs", "recipes", "samplepack", "tests", "benchmarks", ".github"]
    files = [path for folder in folders for path in (REPOSITORY / folder).rglob("*.*") if path.is_file()]
    texts = [path for path in files if path.suffix in {".md", ".py", ".yaml", ".yml", ".ipynb"}]
    offending = [
        named(path)
        for path in [*DOCUMENTS, *texts]
        if re.search(r"pip install\s+['\"]?samplepack\b", path.read_text(encoding="utf-8"))
    ]
    assert len(texts) > 200 and offending == []
