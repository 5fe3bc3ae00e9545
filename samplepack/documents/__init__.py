"""YAML and JSON from users: plain data that knows where each value stands, and what is wrong with it."""
