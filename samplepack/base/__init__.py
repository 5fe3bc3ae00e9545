"""What every room stands on: errors, files, threads and progress."""
