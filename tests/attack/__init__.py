"""An attack on a real worker: whoever can write records, announcements and labels writes the worst.

``make attack`` runs it beside an ordinary topic and holds what it measures against bounds. A short
run of the same is part of ``make test``.
"""
