"""One module a command of ``stream-detector``; what a command does lives in other packages.

``CommandGroup`` imports a module when its command is asked for. The modules import at their top;
only Faust, in ``run``, waits until the settings are checked, and TensorFlow loads at its first use.
"""
