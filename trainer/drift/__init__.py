"""The drift report: reads verdicts, compares two windows of time, and explains what moved.

``reading`` fills ``verdicts``, ``references`` finds a model's reference, ``comparing`` compares the
windows by ``distributions``. ``findings`` are the result, which ``rendering`` and ``plotting`` turn
into text and a picture.
"""
