"""Sound in memory and in files, and what is measured of it."""
