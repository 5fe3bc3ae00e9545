"""Evaluation of a checkpoint against real notes, as figures, a table and pictures."""
