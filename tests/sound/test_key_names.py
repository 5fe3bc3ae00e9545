"""Names of keys, and what the name of a sound file says."""

import pytest

from samplepack.sound import key_names as pitch_names


@pytest.mark.parametrize(
    "stem, instrument, pitch, velocity",
    [
        ("piano_62", "piano", 62, None),
        ("C#4", "", 61, None),
        ("Db3", "", 49, None),
        ("piano-c4-v100", "piano", 60, 100),
        ("bass_synthetic_033-022-050", "bass_synthetic_033", 22, 50),
        ("Flute.vib.ff.C5.stereo", "Flute.vib.ff", 72, None),
        ("violin_As3_1_forte_arco-normal", "violin", 58, None),
        ("D#1v16", "", 27, 16),
        ("1st-violins-sus-a#3", "1st-violins-sus", 58, None),
        ("MiniMoogBb2", "MiniMoog", 46, None),
        ("01 Strings 60 127", "01 Strings", 60, None),
        ("Lead C-4", "Lead", 60, None),
        ("Dawn_036", "Dawn", 36, None),
        ("kick 2", "", None, None),
        ("Take one", "", None, None),
        ("tr808 vel90", "", None, 90),
        ("", "", None, None),
    ],
)
def test_a_file_s_name_tells_instrument_pitch_and_velocity(stem, instrument, pitch, velocity):
    assert pitch_names.parse(stem) == (instrument, pitch, velocity)


def test_key_names_count_c4_as_60():
    assert [pitch_names.key_number(text) for text in ("60", "c4", "C-1", "Bb3", "h4", "")] == [
        60,
        60,
        0,
        58,
        None,
        None,
    ]
    assert all(pitch_names.key_number(pitch_names.key_name(pitch)) == pitch for pitch in range(128))
