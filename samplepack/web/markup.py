"""The HTML of pages. All text that comes from packs is escaped here."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from samplepack.base.errors import counted
from samplepack.base.version import __version__
from samplepack.pack.diff import Changes
from samplepack.pack.manifest import Manifest, PackedInstrument
from samplepack.pack.readme import clip_summary, summary


@dataclass(frozen=True)
class Picture:
    """A picture of a page."""

    file: str
    """Its path within the page's folder."""

    width: int
    height: int


@dataclass(frozen=True)
class Listed:
    """A pack in the list of a site."""

    address: str
    """The page's path within the site."""

    name: str
    description: str
    about: tuple[str, ...]
    """Who made it and what kind of sounds it has, as its recipe says."""

    instruments: tuple[str, ...]
    """Their names."""

    cover: Picture | None


@dataclass(frozen=True)
class Page:
    """What the page of a pack shows. Paths are relative to the page's folder."""

    manifest: Manifest
    data: Mapping[str, Any]
    """What `page.js` reads."""

    sizes: Mapping[str, int]
    """Instrument → the size of its sounds, bytes."""

    previews: Mapping[str, str]
    """Instrument → the file of its phrase."""

    pictures: Mapping[str, Picture]
    """Instrument → its picture."""

    clips: Mapping[str, str]
    """Clip → its sound file."""

    cover: Picture | None
    recipe: str
    licence: str
    changes: Changes | None
    """What differs from the version before; None if there is none."""


def index(packs: Sequence[Listed]) -> str:
    """The list of a site's packs."""
    items = []
    for pack in packs:
        address = quote(pack.address)
        cover = _picture(pack.cover, "", "lazy", address.rpartition("/")[0] + "/") if pack.cover else ""
        names = ", ".join(pack.instruments)
        items.append(
            f'<li><a href="{_attribute(address)}">{cover}<span class="name">{escape(pack.name)}</span></a>'
            f'<p class="description">{escape(pack.description)}</p>'
            f'<p class="quiet about">{escape(" · ".join(pack.about))}</p>'
            f'<p class="quiet clamped" title="{_attribute(names)}">{counted(len(pack.instruments), "instrument")}: '
            f'<span class="names">{escape(names)}</span></p></li>\n'
        )
    body = f"""\
<header class="top"><h1>Instruments</h1></header>
<main>
<p class="search" hidden><label for="words">Search</label>
<input type="search" id="words" aria-controls="packs" aria-keyshortcuts="/" spellcheck="false">
<span class="quiet" id="found" role="status"></span></p>
<ul class="packs" id="packs">
{"".join(items)}</ul>
</main>
<script src="assets/list.js"></script>
"""
    return _document("Instruments", "Sampler instruments that play in the browser.", body, "assets/")


def page(page: Page) -> str:
    """The page of a pack."""
    manifest = page.manifest
    cards = [_card(number, packed, page) for number, packed in enumerate(manifest.instruments)]
    facts = [counted(len(manifest.instruments), "instrument"), f"checkpoint {manifest.checkpoint.name}"]
    facts += [text for text in (manifest.author, manifest.license) if text]
    cover = _picture(page.cover, "", "eager") if page.cover else ""
    body = f"""\
<header class="top">
{cover}
<div>
<h1>{escape(manifest.name)}</h1>
<p class="lead">{escape(manifest.description)}</p>
<p class="quiet">{" · ".join(escape(fact) for fact in facts)}</p>
</div>
</header>
<p class="notice" id="notice">The keyboard isn't there: a browser runs this page's scripts only from a web server. Run
<code>python -m http.server</code> in the site's folder and open <code>http://localhost:8000</code>.</p>
<main>
{_changes(page.changes)}
<h2>Instruments</h2>
<div class="cards">
{"".join(cards)}
</div>
{_clips(page)}
{_folded("Recipe", page.recipe)}
{_folded("Licence", page.licence)}
</main>
<section class="dock" id="dock" aria-label="Player" hidden>
<div class="playing"><h2 id="playing"></h2><span id="state" role="status"></span>
<button id="fold" aria-expanded="true" aria-controls="keyboard">Hide keyboard</button>
<label class="volume">Volume <input id="volume" type="range" min="-40" max="0" value="-8"></label></div>
<sample-keyboard id="keyboard" everywhere></sample-keyboard>
</section>
<script type="application/json" id="data">{_json(page.data)}</script>
<script type="module" src="../assets/page.js"></script>
"""
    return _document(
        manifest.name, manifest.description, body, "../assets/", '<a href="../index.html">All packs</a> · '
    )


def _card(number: int, packed: PackedInstrument, page: Page) -> str:
    name, data = escape(packed.name), page.data["instruments"][number]
    parts = [f'<article class="card" data-instrument="{number}" aria-labelledby="name-{number}">']
    parts.append(f'<h3 id="name-{number}">{name}</h3><p class="origin">{escape(packed.origin)}</p>')
    sides = {"now": "Play now", "before": "Play as before"} if "before" in data else {"now": "Play"}
    buttons = "".join(
        f'<button class="play" data-side="{side}" aria-pressed="false" aria-describedby="name-{number}">{text}</button>'
        for side, text in sides.items()
    )
    parts.append(f'<p class="buttons">{buttons}</p>')
    if preview := page.previews.get(packed.name):
        parts.append(_audio(preview, f"A phrase of {packed.name}"))
    parts.append(f'<p class="quiet">{escape(summary(packed.notes))}</p>')
    kept, keys = len({zone["root"] for zone in data["zones"]}), len({note.pitch for note in packed.notes})
    size = f"{page.sizes[packed.name] / 1e6:.1f} MB on this page"
    if kept < keys:
        size += f", with {kept} of its {keys} keys, which play the others, too"
    parts.append(f'<p class="quiet">{size}</p>')
    if picture := page.pictures.get(packed.name):
        parts.append(
            "<details><summary>Picture</summary>"
            f"{_picture(picture, f'Spectrogram of {packed.name} over the keyboard', 'lazy')}</details>"
        )
    return "".join([*parts, "</article>\n"])


def _changes(changes: Changes | None) -> str:
    if changes is None:
        return ""
    groups = []
    for heading in ("instruments", "clips", "effects", "settings"):
        lines: list[str] = getattr(changes, heading)
        if lines:
            items = "".join(f"<li>{escape(line)}</li>" for line in lines)
            groups.append(f"<h3>{heading.capitalize()}</h3><ul>{items}</ul>")
    content = "".join(groups) or "<p>Nothing.</p>"
    return f'<section class="changes"><h2>What changed</h2>{content}</section>'


def _clips(page: Page) -> str:
    if not page.clips:
        return ""
    items = [
        f"<li><h3>{escape(clip.name)}</h3>{_audio(page.clips[clip.name], clip.name)}"
        f'<p class="quiet">{escape(clip_summary(clip))}</p></li>'
        for clip in page.manifest.clips
    ]
    return f'<h2>Clips</h2><ul class="cards">{"".join(items)}</ul>'


def _folded(heading: str, text: str) -> str:
    if not text:
        return ""
    return f'<details class="text"><summary>{heading}</summary><pre tabindex="0">{escape(text)}</pre></details>'


def _audio(file: str, label: str) -> str:
    return f'<audio controls preload="none" src="{_attribute(file)}" aria-label="{_attribute(label)}"></audio>'


def _picture(picture: Picture, alternative: str, loading: str, folder: str = "") -> str:
    return (
        f'<img src="{_attribute(folder + picture.file)}" alt="{_attribute(alternative)}" loading="{loading}" '
        f'width="{picture.width}" height="{picture.height}">'
    )


def _document(title: str, description: str, body: str, assets: str, links: str = "") -> str:
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="{_attribute(description)}">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{assets}page.css">
</head>
<body>
{body}<footer>{links}Made by samplepack {escape(__version__)}.</footer>
</body>
</html>
"""


def _attribute(text: str) -> str:
    return escape(text, quote=True)


def _json(value: Any) -> str:
    """JSON that can stand in a script element: no text in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
