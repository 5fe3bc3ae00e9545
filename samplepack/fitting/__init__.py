"""Fitting latents to the sound of given notes."""
