"""Speed and memory, by ratios within one run; see README.md."""
