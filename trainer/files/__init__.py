"""Locks and private files."""
