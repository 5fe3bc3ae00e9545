"""Latents that sound like given notes."""
