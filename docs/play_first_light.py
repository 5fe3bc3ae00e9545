"""Play a phrase on the built First Light in sfizz and write docs/first-light.mp3, the sound that the README links.

samplepack build recipes/first-light.yaml
python -m docs.play_first_light output/first-light
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pysfizz
from pedalboard.io import AudioFile

RATE_HZ = 48000
BEAT_S = 60.0 / 72.0
LENGTH_S = 16.5

# Instrument, MIDI pitch, velocity, first beat, beats held.
PHRASE = [
    # Four chords on Dawn, above a bass on Haze.
    *(("Dawn", pitch, 60, 0.0, 3.8) for pitch in (57, 60, 64)),
    *(("Dawn", pitch, 60, 4.0, 3.8) for pitch in (57, 60, 65)),
    *(("Dawn", pitch, 60, 8.0, 3.8) for pitch in (55, 60, 64)),
    *(("Dawn", pitch, 60, 12.0, 5.0 + i * 0.4) for i, pitch in enumerate((66, 62, 59, 55))),
    ("Haze", 45, 80, 0.0, 3.8),
    ("Haze", 41, 80, 4.0, 3.8),
    ("Haze", 48, 80, 8.0, 3.8),
    ("Haze", 43, 80, 12.0, 6.5),
    # A melody whose notes go along the path from Dawn to Noon and back.
    ("Dawn to Noon 1", 76, 100, 0.5, 1.0),
    ("Dawn to Noon 2", 72, 95, 1.5, 1.0),
    ("Dawn to Noon 3", 74, 95, 2.5, 1.5),
    ("Dawn to Noon 4", 77, 100, 4.5, 1.0),
    ("Dawn to Noon 5", 76, 95, 5.5, 1.0),
    ("Dawn to Noon 4", 72, 95, 6.5, 1.5),
    ("Dawn to Noon 3", 79, 105, 8.5, 1.0),
    ("Dawn to Noon 2", 76, 95, 9.5, 1.0),
    ("Dawn to Noon 1", 74, 95, 10.5, 1.5),
    ("Noon", 74, 100, 12.5, 1.0),
    ("Noon", 71, 95, 13.5, 1.0),
    ("Noon", 66, 95, 14.5, 3.0),
]


def main(pack: Path, to: Path) -> None:
    """Play `PHRASE` on a pack and write it as MP3.

    Args:
        pack: folder of the built First Light.
        to: the MP3 file.
    """
    mix = np.zeros((2, int(LENGTH_S * RATE_HZ)), np.float32)
    for name in {note[0] for note in PHRASE}:
        synth = pysfizz.Synth(sample_rate=RATE_HZ, block_size=256)
        if not synth.load_sfz_file(str(pack / "Instruments" / f"{name}.sfz")):
            sys.exit(f"sfizz cannot load {name}.sfz")
        for instrument, pitch, velocity, beat, beats in PHRASE:
            if instrument == name:
                held_s = beats * BEAT_S
                played = np.asarray(synth.render_note(pitch, velocity, held_s, held_s + 2.0), np.float32)
                synth._synth.all_sound_off()
                start = int(beat * BEAT_S * RATE_HZ)
                room = mix[:, start : start + played.shape[1]]
                room += played[:, : room.shape[1]]
    mix *= 0.8 / np.abs(mix).max()
    with AudioFile(str(to), "w", RATE_HZ, num_channels=1, quality=80) as file:
        file.write(mix.mean(axis=0, keepdims=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent / "first-light.mp3")
