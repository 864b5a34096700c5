"""One target under atheris, until libFuzzer's own options end it; it ends the process.

``python -m fuzz.one_target NAME -max_total_time=60 CORPUS``; ``fuzz.runs`` starts it.
"""

import logging
import sys

import atheris

PLANTED = "planted"
"""A target with a fault, which is there to show that faults are found."""


def _planted(data: bytes) -> None:
    if data[:4] == b"http":
        if data[4:5] == b":":
            raise ValueError("a planted fault")
        return


def main() -> None:
    """Fuzz the target that the first argument names."""
    name = sys.argv.pop(1)
    # Python prints no line of what runs without a failure.
    logging.disable(logging.CRITICAL)
    if name == PLANTED:
        check, bytes_max = atheris.instrument_func(_planted), 64
    else:
        # Only what is imported within is instrumented.
        with atheris.instrument_imports(include=["stream_detector", "trainer"]):
            from fuzz.targets import TARGETS
        check, bytes_max = TARGETS[name].check, TARGETS[name].bytes_max
    atheris.Setup([sys.argv[0], f"-max_len={bytes_max}", *sys.argv[1:]], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
