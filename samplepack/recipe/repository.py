"""The folder for recipes in git that `samplepack init` writes."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from samplepack.base.errors import InputError
from samplepack.base.files import write_aside
from samplepack.recipe import json_schema

_RECIPE = """\
# yaml-language-server: $schema=recipe.schema.json
recipe: 1
name: First
license: CC0-1.0
checkpoint: starter
pitches: 36-84/3                             # every third key; zones stretch to fill

timbres:
  Glass: 7                                   # a seed: any whole number from 0 to 4294967295 is a timbre
  Choir: 1312
  Between: {seed: 7, toward: Choir, at: 0.5} # a point on the way from seed 7 to Choir

process:                                     # Pedalboard's effects, in order
  - Reverb: {room_size: 0.4, wet_level: 0.2}
"""

_GITIGNORE = """\
# Packs, their pages, training runs and data sets, which samplepack can make again.
output/
site/
runs/
sets/
"""

_GITATTRIBUTES = """\
# The bytes of a recipe go into its pack: they are the same on every system.
*.yaml text eol=lf
*.fit.json text eol=lf
# Builds write lock files: they are compared as text and collapsed in reviews.
*.lock text eol=lf linguist-generated=true
*.npy binary
*.wav binary
*.flac binary
*.aif binary
*.aiff binary
*.safetensors binary
"""

_WORKFLOW_FILE = ".github/workflows/packs.yml"

_WORKFLOW = """\
# Checks every recipe, builds every pack from its lock file, and publishes a page on which the packs can be played: that
# of the default branch at the top of the site, that of a pull request, which plays before and after, below pr/.
name: packs
on: [push, pull_request]
permissions:
  contents: read
jobs:
  packs:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@34e114876b0b11c390a56381ad16ebd13914f8d5 # v4.3.1
        with: {{fetch-depth: 0}}
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with: {{python-version: "3.12"}}
      - uses: actions/cache@5a3ec84eff668545956fd18022155c47e93e2684 # v4.2.3
        with:
          path: ~/.cache/samplepack
          key: samplepack-${{{{ hashFiles('recipes/*.lock') }}}}
          restore-keys: samplepack-
      - run: pip install '{requirement}'
      - run: samplepack check recipes/*.yaml
      - run: samplepack build recipes/*.yaml --locked
      - name: Write the page, with what changed since the version before if that can be built
        env:
          BEFORE: ${{{{ github.event.pull_request.base.sha || github.event.before }}}}
        run: |
          if git worktree add --detach before "$BEFORE" && samplepack build before/recipes/*.yaml --output before/output
          then samplepack page output/*/ --output site --before before/output
          else samplepack page output/*/ --output site
          fi
      - uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        with: {{name: packs, path: output}}
      - uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        with: {{name: site, path: site}}

  # Pull requests from forks get no right to publish; their site is among the artifacts of the run.
  publish:
    needs: packs
    if: >-
      github.event_name == 'push' && github.ref_name == github.event.repository.default_branch
      || github.event.pull_request.head.repo.full_name == github.repository
    runs-on: ubuntu-latest
    permissions: {{contents: write, pull-requests: write, actions: read, pages: read}}
    concurrency: {{group: pages}}
    env:
      GH_TOKEN: ${{{{ github.token }}}}
      GH_REPO: ${{{{ github.repository }}}}
      NUMBER: ${{{{ github.event.number }}}}
    steps:
      - name: Publish the site to the branch gh-pages, which keeps no history
        run: |
          origin=https://x-access-token:$GH_TOKEN@github.com/$GH_REPO
          gh run download "$GITHUB_RUN_ID" --name site --dir site
          git clone --quiet --depth 1 --branch gh-pages "$origin" pages || mkdir pages
          mkdir -p pages/pr
          for folder in pages/pr/*/; do
            state=$(gh pr view "$(basename "$folder")" --json state --jq .state || true)
            [ "$state" = OPEN ] || rm -rf "$folder"
          done
          if [ -n "$NUMBER" ]
          then rm -rf "pages/pr/$NUMBER"; cp -R site "pages/pr/$NUMBER"
          else find pages -mindepth 1 -maxdepth 1 ! -name pr -exec rm -rf {{}} +; cp -R site/. pages
          fi
          touch pages/.nojekyll
          cd pages
          rm -rf .git
          git init --quiet --initial-branch gh-pages
          git add --all
          git -c user.name=samplepack -c user.email=samplepack@localhost commit --quiet --message "Pages"
          git push --quiet --force "$origin" gh-pages
      - name: Comment on the pull request
        if: github.event.number
        run: |
          if address=$(gh api "repos/$GH_REPO/pages" --jq .html_url)
          then gh pr comment "$NUMBER" --edit-last --create-if-none \\
            --body "How it sounds, before and after: ${{address%/}}/pr/$NUMBER/"
          else echo "::warning::Switch on GitHub Pages: Settings, Pages, deploy from the branch gh-pages"
          fi
"""

_README = """\
# Instruments

Sampler instruments from recipes, made by samplepack.

    samplepack build recipes/first.yaml

Commit recipes, their lock files (`recipes/*.lock`) and the files that they name: packs can be built from these again.

Where GitHub Pages is switched on (Settings, Pages, deploy from the branch `gh-pages`), each push publishes a page on
which the packs can be played, and each pull request one that plays before and after.
"""


_DISTRIBUTION = "gansynth-samplepack"

_UNKNOWN_ADDRESS = "ADDRESS@COMMIT"


@dataclass(frozen=True)
class NewRepository:
    """The result of `write_repository`."""

    files: list[Path]
    """The files that were written."""

    remark: str | None
    """A line about what the user has to complete by hand; None if nothing is left."""


def write_repository(folder: Path) -> NewRepository:
    """Write a folder for recipes in git. Files that exist stay as they are.

    Raises:
        InputError: all files exist.
        OSError: a file can't be written.
    """
    address = installed_from()
    requirement = f"{_DISTRIBUTION}[midi] @ {address or f'git+{_UNKNOWN_ADDRESS}'}"
    files = {
        "recipes/first.yaml": _RECIPE,
        "recipes/recipe.schema.json": json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n",
        ".gitignore": _GITIGNORE,
        ".gitattributes": _GITATTRIBUTES,
        _WORKFLOW_FILE: _WORKFLOW.format(requirement=requirement),
        "README.md": _README,
    }
    missing = {folder / name: text for name, text in files.items() if not (folder / name).exists()}
    if not missing:
        raise InputError(f"{folder} has all of it already")
    for path, text in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, text.encode())
    workflow = folder / _WORKFLOW_FILE
    remark = f"{workflow}: put the address of samplepack's git repository and a commit in place of {_UNKNOWN_ADDRESS}"
    return NewRepository(list(missing), remark if address is None and workflow in missing else None)


def installed_from() -> str | None:
    """The address from which pip can install this samplepack on another machine: `git+https://HOST/PATH@COMMIT`, or the
    address of a wheel; None if it isn't known.

    It comes from the installation's record (PEP 610). For a local folder, it is the git remote `origin` and the commit.
    """
    try:
        record = distribution(_DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        return _address_of_checkout(Path(__file__).parents[2])
    if record is None:  # installed from an index, where the name may belong to another project
        return None
    try:
        origin = json.loads(record)
        if "dir_info" in origin:
            return _address_of_checkout(Path(url2pathname(urlsplit(origin["url"]).path)))
        address = _public_address(origin["url"])
        if address and "vcs_info" in origin:
            return f"{origin['vcs_info']['vcs']}+{address}@{origin['vcs_info']['commit_id']}"
    except (ValueError, KeyError, TypeError):  # a damaged record
        return None
    return address


def _address_of_checkout(folder: Path) -> str | None:
    top, remote, commit = (
        _git(folder, *arguments)
        for arguments in (["rev-parse", "--show-toplevel"], ["remote", "get-url", "origin"], ["rev-parse", "HEAD"])
    )
    address = _public_address(remote)
    # A folder within another repository, such as a virtual environment, isn't a checkout of samplepack.
    return f"git+{address}@{commit}" if address and commit and Path(top).resolve() == folder.resolve() else None


def _git(folder: Path, *arguments: str) -> str:
    """The output of git; empty if git fails or isn't installed."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _public_address(url: str) -> str | None:
    """A git address as https, without user name and password; None for an address on this machine.

    The forms `git@HOST:PATH` and `ssh://git@HOST/PATH` are converted, since they need a key that workflows don't have.
    """
    if match := re.fullmatch(r"[\w.-]+@([\w.-]+):(?!/)([^\s'\"#?${}]+)", url):
        return f"https://{match[1]}/{match[2]}"
    match = re.fullmatch(r"(https|ssh)://(?:[^\s/@]*@)?([\w.-]+)((?::\d+)?)(/[^\s'\"#?${}]+)", url)
    if match is None:
        return None
    port = match[3] if match[1] == "https" else ""
    return f"https://{match[2]}{port}{match[4]}"
