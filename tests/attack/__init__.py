"""Hostile records in one topic beside an ordinary topic, against workers as users run them.

``make attack`` runs it, and holds what it measures to bounds.
"""
