"""Sound in memory and in files, and its measures: pitch, partials, loudness, spectra."""
