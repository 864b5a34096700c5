"""What ``stream-trainer drift`` does: reads verdicts, compares windows of time, explains.

``verdicts`` holds what was read, ``reading`` reads it, ``references`` finds a model's reference,
``comparing`` compares two windows with the help of ``distributions``; ``findings`` are the result,
which ``rendering`` and ``plotting`` turn into text and a picture.
"""
