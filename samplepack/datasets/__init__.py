"""Prepared sets of notes for training and evaluation: from sound files, SFZ instruments, soundfonts or recordings."""
