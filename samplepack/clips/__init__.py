"""Music played by timbres: MIDI files along a path, walks and previews."""
