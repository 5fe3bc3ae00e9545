"""Instruments in the browser: a player, static pages of packs, and a keyboard for notebooks."""
