"""Training networks: from a prepared set of notes to a checkpoint."""
