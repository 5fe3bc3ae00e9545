"""Instruments that a checkpoint knows by name: found whatever their case, and proposed for a common word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from samplepack.base.errors import InputError
from samplepack.models.checkpoint import Checkpoint, read_instruments
from samplepack.models.latent import Latent

_MOST_PROPOSED = 4

_LEAST_SIMILARITY = 0.8
"""`SequenceMatcher.ratio` of two spellings of one word: gitar and guitar have 0.91, paino and piano 0.8."""

_COMMON_WORDS = {
    "bell": ("bell", "glockenspiel", "celesta", "music box"),
    "brass": ("brass", "trumpet", "trombone", "french horn", "tuba"),
    "choir": ("choir", "voice"),
    "double bass": ("contrabass", "acoustic bass"),
    "drum": ("drum", "timpani"),
    "hammond": ("drawbar organ",),
    "keyboard": ("piano", "organ", "harpsichord", "clavinet"),
    "key": ("piano", "organ", "harpsichord", "clavinet"),
    "mallet": ("marimba", "xylophone", "vibraphone", "glockenspiel"),
    "percussion": ("timpani", "marimba", "xylophone", "vibraphone"),
    "pipe organ": ("church organ",),
    "reed": ("oboe", "clarinet", "bassoon", "sax", "reed organ"),
    "rhodes": ("electric piano",),
    "saxophone": ("sax",),
    "singer": ("voice", "choir"),
    "string": ("string", "violin", "viola", "cello", "contrabass"),
    "synthesiser": ("synth", "lead", "pad"),
    "synthesizer": ("synth", "lead", "pad"),
    "upright bass": ("contrabass", "acoustic bass"),
    "vibe": ("vibraphone",),
    "vocal": ("voice", "choir"),
    "voice": ("voice", "choir"),
    "woodwind": ("flute", "clarinet", "oboe", "bassoon", "piccolo", "english horn", "sax"),
}
"""What people ask for (in the singular) → words in the names of instruments, those that fit best first."""


def find_instrument(name: str, checkpoint: Checkpoint) -> tuple[str, Latent]:
    """Look up an instrument that a checkpoint knows.

    Args:
        name: of the instrument, in upper or lower case.
        checkpoint: which knows it.

    Returns:
        The name as the checkpoint spells it, and its latent, float32, shape (latent_dim,).

    Raises:
        InputError: the checkpoint knows no such instrument; the message proposes some where the name suggests any.
    """
    known = read_instruments(checkpoint)
    if not known:
        raise InputError(f"checkpoint '{checkpoint.name}' has no instruments with names; write a seed instead")
    spelled = name if name in known else {n.casefold(): n for n in known}.get(name.casefold())
    if spelled is None:
        raise InputError(
            f"checkpoint '{checkpoint.name}' has no instrument '{name}'{_proposal(similar_instruments(name, known))} "
            f"(`samplepack checkpoints info {checkpoint.name}` lists all {len(known)})"
        )
    return spelled, known[spelled]


def similar_instruments(name: str, known: Iterable[str]) -> list[str]:
    """The known instruments that a name may mean, the likeliest first.

    They are those in whose names its words occur (`bass` in `Fretless Bass`, not in `Bassoon`) and those that a common
    word stands for (`brass`), else those of nearly its spelling.
    """
    words_of = {known_name: _words(known_name) for known_name in known}
    asked = _words(name)
    for words in (asked, asked[-1:]):  # without its last word, `jazz piano` is no piano
        phrases = [words, *map(_words, _COMMON_WORDS.get(" ".join(words), ()))]
        found = [n for phrase in phrases if phrase for n, of_name in words_of.items() if set(phrase) <= set(of_name)]
        if found:
            return list(dict.fromkeys(found))
    spellings: dict[str, list[str]] = {}
    for known_name, of_name in words_of.items():
        for spelling in {" ".join(of_name), *of_name}:
            spellings.setdefault(spelling, []).append(known_name)
    written = " ".join(asked)
    # Few slips of a finger hit the ends of a word, while other words often differ there: lute and flute.
    candidates = [spelling for spelling in spellings if (spelling[:1], spelling[-1:]) == (written[:1], written[-1:])]
    near = difflib.get_close_matches(written, candidates, n=1, cutoff=_LEAST_SIMILARITY)
    return spellings[near[0]] if near else []


def _words(name: str) -> list[str]:
    """The words of a name in lower case and the singular, as far as an s tells."""
    words = re.findall(r"\w+", name.casefold())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words]


def _proposal(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(f"; did you mean '{name}'?" for name in names)
    more = " …" if len(names) > _MOST_PROPOSED else ""
    return "; did you mean one of " + ", ".join(f"'{name}'" for name in names[:_MOST_PROPOSED]) + f"{more}?"
