"""Output of native libraries, which write past Python's logging."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from stream_detector.errors import StreamDetectorError

_STDERR = 2


@contextmanager
def native_output_held_back() -> Iterator[None]:
    """Discard what native code writes to stderr, unless the block fails; logging goes on.

    For the block that loads TensorFlow: its C++ part writes there that this machine has no GPU,
    before any setting of its own can prevent it. A foreseen error has a message of its own; with
    any other, the held output is shown, since it may name the cause.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(_STDERR)
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        except (StreamDetectorError, KeyboardInterrupt):
            raise
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, _STDERR)
            os.close(stderr)
