"""A night on duty in short: failures caused on real parts, and the alerts that tell of them.

``python -m night`` runs it (``make night``). ``failures`` lists what is played, ``world`` holds
the real parts, ``shipped`` shortens the rules, ``play`` watches and ``judge`` decides.
"""
