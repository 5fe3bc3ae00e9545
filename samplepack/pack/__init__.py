"""Packs: built, written, described, verified, locked and compared."""
