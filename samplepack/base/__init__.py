"""Errors, files, threads, pictures and progress: what all other packages use."""
