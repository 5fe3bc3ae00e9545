"""Finishing rendered notes for samplers: tuning, effects, loops, phase alignment and levels."""
