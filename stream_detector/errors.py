"""Every error the project raises, by what has to happen next.

::

    StreamDetectorError
    |-- RetryableError            wait and try again: the broker is away
    |-- RecordError               the record's fault: it becomes a dead letter
    |   |-- ScoringError          the model raised while it scored some texts
    |   |-- LabelError            a label can't be made of what was given
    |   `-- VerdictIdError        no event is to be found by a verdict's id
    `-- FatalError                the process must stop, uncommitted
        |-- SettingsError         a setting is missing, wrong or contradicts another
        |-- BundleError           a model bundle was refused
        |-- DeviceError           memory or device failed, or the device asked for is absent
        |-- ModelError            the model cannot score even a text known to be good
        |-- TopicsError           a topic is missing or may not be used
        |-- PublishError          Kafka refused an output for good
        `-- StalledError          there is lag, and no commit for too long

A message says what was wrong, where, and what to do. It never holds a secret.
"""

__all__ = [
    "BundleError",
    "DeviceError",
    "FatalError",
    "LabelError",
    "ModelError",
    "PublishError",
    "RecordError",
    "RetryableError",
    "ScoringError",
    "SettingsError",
    "StalledError",
    "StreamDetectorError",
    "TopicsError",
    "VerdictIdError",
]


class StreamDetectorError(Exception):
    """Root of the tree: catch this to catch everything the project raises on purpose."""


class RetryableError(StreamDetectorError):
    """A passing fault outside the process, such as a broker that is away. Try again later."""


class RecordError(StreamDetectorError):
    """The record itself is at fault: it goes to the dead-letter topic, its neighbours go on."""


class ScoringError(RecordError):
    """The model raised on a batch of texts; splitting the batch finds the text at fault."""


class LabelError(RecordError):
    """A label can't be made of what was given: a part is missing, too long or out of its range."""


class VerdictIdError(RecordError):
    """No event is to be found by a verdict's id: it is none, or its input record has expired."""


class FatalError(StreamDetectorError):
    """No record is at fault and waiting will not help: stop, leave offsets uncommitted."""

    exit_code = 1


class SettingsError(FatalError):
    """A setting is missing, malformed or contradicts another one."""

    exit_code = 2


class BundleError(FatalError):
    """A model bundle is missing, damaged, or made for another version of the code."""


class DeviceError(FatalError):
    """Memory or the device failed while scoring, or the device asked for is not there."""


class ModelError(FatalError):
    """The model raises on a text known to be good, so no record can be blamed."""


class TopicsError(FatalError):
    """A topic that is needed is missing, or the client has no right to use it."""


class PublishError(FatalError):
    """Kafka refused an output for a reason that a retry will not mend."""


class StalledError(FatalError):
    """A partition has lag but has committed nothing for longer than allowed."""
