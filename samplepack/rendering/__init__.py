"""Recipes to raw notes: what to render, the network's work, and the cache that keeps it."""
