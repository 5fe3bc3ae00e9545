"""The command line."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import click
import pytest

from samplepack import __version__
from samplepack.checkpoints import library
from samplepack.cli import app as cli
from tests.helpers.places import FIXTURES, REPOSITORY


def commands(group=cli.main, prefix=("samplepack",)):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*prefix, name))
        else:
            yield (*prefix, name), command


def test_help_shows_an_example_of_every_command(run):
    for path, _ in commands():
        ran = run(*path[1:], "--help")
        assert ran.code == 0 and "Example" in ran.out and f"  {' '.join(path)}" in ran.out


def test_help_lists_every_command_with_the_whole_sentence_about_it(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    for arguments in (("--help",), ("cache", "--help"), ("checkpoints", "--help")):
        listed = run(*arguments).out.split("Commands:")[1]
        assert listed and "..." not in listed and max(map(len, listed.splitlines())) <= 60


def test_version_and_help_exit_with_0_and_nonsense_with_2(run):
    assert run("--version").out == f"samplepack {__version__}\n"
    assert run("--help").code == 0
    for arguments in ((), ("biuld",), ("build",), ("build", "--wrong", "x"), ("build", "x.yaml", "--workers", "0")):
        ran = run(*arguments)
        assert ran.code == 2 and ran.err and "Traceback" not in ran.err


def test_build_says_what_it_made_and_that_it_was_there(run, write_recipe, tmp_path):
    recipe, output = write_recipe(pitches="60"), tmp_path / "output"
    first, glass = run("build", recipe, "--output", output).out.splitlines()
    assert first == f"{output / 'small'}: 1 instrument, 1 note"
    assert glass.startswith("  Glass: 1 key, 1 of 1 in tune") and re.search(r"-18\.0 LUFS, peak -\d\.\d dBTP$", glass)
    again = run("build", recipe, "--output", output).out.splitlines()
    assert again == [f"{output / 'small'}: unchanged: 1 instrument, 1 note", glass]
    assert run("build", recipe, "--output", output, "--quiet").out == ""
    built = json.loads(run("build", recipe, "--output", output, "--json", "--workers", "1").out)
    assert built["pack"] == str(output / "small") and built["unchanged"] and built["notes"] == 1


def test_a_draft_is_marked_and_leaves_the_lock_file_and_the_exact_notes_alone(run, write_recipe, tmp_path):
    recipe = write_recipe(pitches="[60]")
    assert run("build", recipe, "--output", tmp_path / "exact").code == 0
    lock = recipe.with_suffix(".lock").read_bytes()
    assert run("build", recipe, "--output", tmp_path / "draft", "--precision", "bfloat16").code == 0
    exact, draft = (json.loads((tmp_path / name / "small/pack.json").read_text()) for name in ("exact", "draft"))
    assert (exact["precision"], draft["precision"]) == ("float32", "bfloat16")
    assert exact["instruments"][0]["rendered"] != draft["instruments"][0]["rendered"]
    assert recipe.with_suffix(".lock").read_bytes() == lock
    refused = run("build", recipe, "--locked", "--precision", "bfloat16")
    assert refused.code == 2 and "--locked judges packs in float32" in refused.err


def test_a_gpu_that_is_not_there_is_told_in_a_line(run, write_recipe, tmp_path, monkeypatch):
    import tensorflow

    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: [])
    ran = run("build", write_recipe(pitches="[60]"), "--output", tmp_path, "--device", "gpu")
    assert ran.code == 2 and ran.err.count("\n") == 1 and "finds no GPU here" in ran.err


def test_one_bad_recipe_keeps_all_from_being_built(run, write_recipe, tmp_path):
    good, bad = write_recipe(name="good.yaml"), write_recipe("x: 1\n", name="bad.yaml")
    ran = run("build", good, bad, tmp_path / "none.yaml", "--output", tmp_path / "output")
    assert ran.code == 2 and ran.out == ""
    assert ran.err.splitlines() == [
        f"{bad}:5:1: unknown key 'x' (known: {ran.err.splitlines()[0].split('known: ')[1]}",
        f"{tmp_path / 'none.yaml'}: cannot read it: No such file or directory",
    ]
    assert not (tmp_path / "output").exists()


def test_check_names_the_good_and_tells_of_the_bad(run, write_recipe):
    recipe = write_recipe()
    assert run("check", recipe).out == f"{recipe}: good\n"
    assert run("check", write_recipe("process: [Revreb]\n")).code == 2


def test_plan_tells_what_the_cache_holds(run, write_recipe, tmp_path):
    recipe = write_recipe("bank: {seeds: 1-2}\n", pitches="[60, 61]")
    planned = json.loads(run("plan", recipe, "--json").out)
    assert [one["name"] for one in planned["instruments"]] == ["Glass", "Bank 1", "Bank 2"]
    assert planned["to_render"] == 6
    run("build", recipe, "--output", tmp_path / "output")
    assert "to render: 0 notes" in run("plan", recipe).out
    assert "Glass: 2 notes, 2 of them in the cache (seed: 7)" in run("plan", recipe).out


def test_checkpoints_are_listed_imported_and_described(run):
    assert run("checkpoints", "list").out.startswith("starter: gansynth, latents of 32, pitches 24-84, 48000 Hz, ")
    ran = run("checkpoints", "import", FIXTURES / "magenta-tiny", "tiny")
    assert ran.code == 0 and "in a recipe: checkpoint: tiny" in ran.out
    assert [one["name"] for one in json.loads(run("checkpoints", "list", "--json").out)] == [
        "starter",
        *library.STARTERS,
        "tiny",
    ]
    info = run("checkpoints", "info", "tiny").out
    assert '"imported_from": "Magenta", "stage": 12, "step": 11000000' in info and "direct" in info
    assert json.loads(run("checkpoints", "info", "starter", "--json").out)["instruments"][0] == "Acoustic Grand Piano"
    assert run("checkpoints", "info", "strater").code == 2
    assert run("checkpoints", "import", FIXTURES / "magenta-tiny", "tiny").code == 2


def test_the_schema_is_printed(run):
    assert json.loads(run("schema").out)["title"] == "A samplepack recipe"


def test_an_output_that_cannot_be_a_folder_is_told_in_a_line(run, write_recipe, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for output, code in ((tmp_path / "file", 2), (tmp_path / "file" / "below", 1)):
        ran = run("build", write_recipe(pitches="60"), "--output", output)
        assert ran.code == code and ran.err.count("\n") == 1 and str(tmp_path / "file") in ran.err


def test_help_and_check_start_without_the_heavy_imports(write_recipe):
    recipe = write_recipe("process: [Reverb]\n")
    for arguments, absent in (
        (["--help"], {"numpy", "pydantic", "rich", "tensorflow"}),
        (["check", str(recipe)], {"tensorflow", "keras", "jax", "matplotlib", "scipy"}),
        (["plan", str(recipe)], {"tensorflow", "keras", "jax"}),
    ):
        script = (
            "import sys\nfrom samplepack.cli import app as cli\n"
            f"try: cli.main({arguments!r})\n"
            f"except SystemExit as end: assert end.code == 0\nassert not {absent!r} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.DEVNULL)


def samplepack(*arguments):
    return [sys.executable, "-m", "samplepack", *map(str, arguments)]


def test_progress_goes_to_a_terminal_only_and_tells_notes_and_time(write_recipe, tmp_path):
    pty = pytest.importorskip("pty", reason="Windows has no pseudo-terminals")
    recipe = write_recipe()
    piped = subprocess.run(
        samplepack("build", recipe, "--output", tmp_path / "a"), capture_output=True, text=True, check=True
    )
    assert piped.stderr == ""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        samplepack("build", recipe, "--output", tmp_path / "b"), stderr=theirs, stdout=subprocess.PIPE
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:
            break
    assert process.wait() == 0
    assert b"Small" in shown and b"3/3" in shown and b"a second" in shown and b"left" in shown


def test_a_build_whose_cache_cannot_be_written_is_built_and_says_so(run, write_recipe, tmp_path, home):
    (home / "notes").write_text("in the way")
    built = run("build", write_recipe(pitches="60"), "--output", tmp_path / "output")
    assert built.code == 0 and "built without keeping all notes in the cache" in built.err
    assert (tmp_path / "output" / "small" / "pack.json").is_file()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_says_so_in_a_line_and_leaves_nothing(write_recipe, tmp_path, how):
    recipe = write_recipe("bank: {seeds: 1-40}\n", pitches="36-84")
    output = tmp_path / "output"
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job ignores it
    program = f"{heeds}; from samplepack.cli.app import main; main(prog_name='samplepack')"
    command = [sys.executable, "-c", program, "build", str(recipe), "--output", str(output)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not list(output.glob(".small.building-*/.spool*/*")):
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(how)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.strip() == "samplepack: interrupted; nothing is half-written"
    assert list(output.iterdir()) == []


@pytest.mark.parametrize("heading", ["## Unreleased"])
def test_the_changelog_has_what_is_to_come(heading):
    assert heading in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("samplepack checkpoints info starter@1", {"starter@1"}),
        ("samplepack checkpoints fetch a", {"acoustic_only", "all_instruments"}),
        ("samplepack evaluate ", {"starter", *library.STARTERS}),
        ("samplepack clip RECIPE song.mid --timbre ", {"Glass", "Choir"}),
        ("samplepack che", {"check", "checkpoints"}),
    ],
)
def test_the_shell_completes_commands_checkpoints_and_timbres(write_recipe, words, offered):
    recipe = write_recipe(timbres="{Glass: 7, Choir: 9}")
    words = words.replace("RECIPE", str(recipe))
    count = len(words.split(" ")) - 1
    environment = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(count), "_SAMPLEPACK_COMPLETE": "bash_complete"}
    program = "from samplepack.cli.app import main; main(prog_name='samplepack')"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert {line.partition(",")[2] for line in ran.stdout.splitlines()} == offered


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("environment", "code", "told"),
    [
        ({"PYTHONIOENCODING": "latin-1"}, 0, r"\u2192"),
        (ASCII, 1, "file names are encoded in ascii, which lacks 'é'"),
    ],
)
def test_text_that_a_terminal_or_a_file_system_lacks_is_escaped_or_told(
    write_recipe, tmp_path, environment, code, told
):
    one, two = write_recipe(), write_recipe(name="two.yaml", timbres="{Glass: 7, Émile: 8}")
    two.write_text(two.read_text().replace("Small", "Émile"))
    command = ["build", two, "--output", tmp_path / "output"] if code else ["diff", one, two]
    ran = subprocess.run(
        [sys.executable, "-m", "samplepack", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    assert ran.returncode == code and told in ran.stdout + ran.stderr and "Traceback" not in ran.stderr
