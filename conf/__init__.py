"""The settings and the data that rules are made of, as files."""
