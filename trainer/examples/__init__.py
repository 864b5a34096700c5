"""Labelled examples: read, brought to canonical form, split."""
