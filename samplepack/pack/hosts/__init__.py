"""Projects of music programs: a module for each program, whose function returns the files of a project."""
