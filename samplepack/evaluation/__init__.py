"""Judging a checkpoint against real notes: figures, a table and pictures."""
