"""Ways to write named values into one line, one module each: CEF, LEEF, key=value, W3C extended,
and delimited columns. What the values mean is for ``formats``.

Each reads a text in linear time, raises nothing, and gives None for a text that is not of its kind.
"""
