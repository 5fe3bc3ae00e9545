"""Looking up a checkpoint's instruments by name, whatever its case; similar ones are proposed for an unknown name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from samplepack.base.errors import InputError
from samplepack.models.checkpoint import Checkpoint, read_instruments
from samplepack.models.latent import Latent

_MOST_PROPOSED = 4

_LEAST_SIMILARITY = 0.8
"""Least `SequenceMatcher.ratio` of a misspelled word and the right one: gitar and guitar have 0.91, paino and piano
0.8."""

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
"""Common word, in the singular → words that occur in names of instruments, the best match first."""


def find_instrument(name: str, checkpoint: Checkpoint) -> tuple[str, Latent]:
    """Look up an instrument of a checkpoint.

    Args:
        name: the instrument's name, in upper or lower case.
        checkpoint: the checkpoint to look in.

    Returns:
        The name as the checkpoint spells it, and its latent, float32, shape (latent_dim,).

    Raises:
        InputError: the checkpoint has no such instrument; the message proposes similar ones where there are any.
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
    """The known instruments that a name may refer to, the likeliest first.

    An instrument matches if its name has all words of `name` (`bass` matches `Fretless Bass`, not `Bassoon`), or those
    of an entry in the table of common words. If none matches, the last word alone is tried, then similar spellings.
    """
    words_of = {known_name: _words(known_name) for known_name in known}
    query_words = _words(name)
    for words in (query_words, query_words[-1:]):  # the last word of `jazz piano` is the instrument
        phrases = [words, *map(_words, _COMMON_WORDS.get(" ".join(words), ()))]
        matches = [n for phrase in phrases if phrase for n, own in words_of.items() if set(phrase) <= set(own)]
        if matches:
            return list(dict.fromkeys(matches))
    spellings: dict[str, list[str]] = {}
    for known_name, name_words in words_of.items():
        for spelling in {" ".join(name_words), *name_words}:
            spellings.setdefault(spelling, []).append(known_name)
    query = " ".join(query_words)
    # Typing errors are rare at the ends of a word, while different words often differ there: lute and flute.
    candidates = [spelling for spelling in spellings if (spelling[:1], spelling[-1:]) == (query[:1], query[-1:])]
    closest = difflib.get_close_matches(query, candidates, n=1, cutoff=_LEAST_SIMILARITY)
    return spellings[closest[0]] if closest else []


def _words(name: str) -> list[str]:
    """The words of a name in lower case, without the s of a plural."""
    words = re.findall(r"\w+", name.casefold())
    return [word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words]


def _proposal(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(f"; did you mean '{name}'?" for name in names)
    more = " …" if len(names) > _MOST_PROPOSED else ""
    return "; did you mean one of " + ", ".join(f"'{name}'" for name in names[:_MOST_PROPOSED]) + f"{more}?"
