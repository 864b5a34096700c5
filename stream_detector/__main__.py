"""``python -m stream_detector`` is ``stream-detector``."""

from stream_detector.cli import main

main()
