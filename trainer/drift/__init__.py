"""What ``stream-trainer drift`` does: reads verdicts, compares windows of time, explains.

``verdicts`` holds what was read, ``reading`` reads it, ``references`` finds what a model's traffic
is compared with, ``comparing`` makes figures of it (``findings``) with the help of ``statistics``
and ``groups``, ``telling`` and ``plotting`` show them.
"""
