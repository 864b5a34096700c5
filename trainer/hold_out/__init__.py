"""How well models detect sources that they never saw."""
