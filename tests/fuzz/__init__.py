"""A fuzzer that plays the attacker: random bytes for every reader of what somebody else wrote.

``make fuzz`` runs it. Targets say what they read and what must hold; atheris (libFuzzer for Python)
changes inputs so that they reach more of the code. Of each target a small corpus lies in
``corpus``; what a run adds to it goes to ``.cache/fuzz``. What was found is a test among those of
the code concerned.
"""
