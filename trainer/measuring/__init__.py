"""How good scores are, and how far a figure can be trusted."""
