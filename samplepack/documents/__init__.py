"""Users' YAML and JSON files as plain data, with the line and column of each value and messages about what is wrong."""
