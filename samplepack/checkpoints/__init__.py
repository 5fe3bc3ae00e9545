"""Where checkpoints come from: the package, the user's library, a path, Magenta's zips, a download."""
