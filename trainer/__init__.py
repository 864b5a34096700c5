"""Trains, calibrates and measures the models that ``stream_detector`` serves.

Imports the canonical form, the encoding, the networks and the bundle from there, so that what is
trained is what is served. ``stream_detector`` never imports from here.
"""
