"""From a recipe to rendered notes: the plan of what to render, rendering with the network, and the cache of notes."""
