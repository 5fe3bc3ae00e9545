"""Instruments in the browser: a player, and static pages of packs."""
