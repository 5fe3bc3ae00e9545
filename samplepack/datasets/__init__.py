"""Sets of notes to train with and to be judged by: prepared from sound files, samplers' instruments or soundfonts."""
