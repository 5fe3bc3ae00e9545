"""Sounds on demand, for the audition page and for live use: finished notes as a build would write them, and servers."""
