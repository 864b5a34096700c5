"""Every error the project raises, by what has to happen next.

::

    StreamDetectorError
    |-- RetryableError            wait and try again: the broker is away
    |-- RecordError               the record's fault: it becomes a dead letter
    |   |-- ScoringError          the model raised while it scored some texts
    |   |-- LabelError            a label can't be made of what was given
    |   |-- VerdictIdError        no event is to be found by a verdict's id
    |   `-- MissingRecordError    Kafka has no record where one should be
    |-- RefusedModelError         an announced model is not taken: the one that serves goes on
    `-- FatalError                the process must stop, uncommitted
        |-- SettingsError         a setting is missing, wrong or contradicts another
        |-- BundleError           a model bundle was refused
        |   `-- IncompatibleBundleError   it was made for other code
        |-- DeviceError           memory or device failed
        |-- ModelError            the model cannot score even a text known to be good
        |-- TopicsError           a topic is missing or may not be used
        |-- PublishError          Kafka refused an output for good
        `-- StalledError          there is lag, and no commit for too long

A message says what was wrong, where, and what to do. It never holds a secret.
"""

from enum import StrEnum


class StreamDetectorError(Exception):
    """Root of the tree: catch this to catch everything the project raises on purpose."""

    exit_code = 1
    """Of a command that this error ends."""


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


class MissingRecordError(RecordError):
    """Kafka has no record at a position: it has expired, or the topic was made again."""


class RefusalReason(StrEnum):
    """Why a worker did not take a model that was announced. A closed list."""

    MALFORMED = "malformed"
    """The announcement is none, or says other things than the bundle's manifest."""
    UNAVAILABLE = "unavailable"
    """The store has no such bundle, or can't be reached. Tried again later."""
    DAMAGED = "damaged"
    """A file does not match its SHA-256, or is none that a bundle has."""
    SIGNATURE = "signature"
    """A public key is set, and the signature of the announcement or of the bundle is missing or
    not by its private key."""
    OUTDATED = "outdated"
    """A public key is set, and a newer announcement was signed before: somebody wrote an old one
    again."""
    INCOMPATIBLE = "incompatible"
    """Made for another canonical form or architecture than this program has."""
    WRONG_KIND = "wrong_kind"
    """A bundle for hosts announced as one for URLs, or the reverse."""
    THRESHOLDS = "thresholds"
    """The settings override one threshold so that it contradicts the bundle's other one."""
    TOO_SLOW = "too_slow"
    """Not fetched, built and warm within ``model_load_timeout``."""
    FAILED = "failed"
    """It raises, or gives no probability, on texts known to be good."""


class RefusedModelError(StreamDetectorError):
    """An announced model is not taken, for ``reason``; the one that serves goes on serving."""

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FatalError(StreamDetectorError):
    """No record is at fault and waiting will not help: stop, leave offsets uncommitted."""


class SettingsError(FatalError):
    """A setting is missing, malformed or contradicts another one."""

    exit_code = 2


class BundleError(FatalError):
    """A model bundle is missing, damaged, or made for another version of the code."""


class IncompatibleBundleError(BundleError):
    """A bundle made for another canonical form, or an architecture that this program has not."""


class DeviceError(FatalError):
    """Memory or the device failed while scoring."""


class ModelError(FatalError):
    """The model raises on a text known to be good, so no record can be blamed."""


class TopicsError(FatalError):
    """A topic that is needed is missing, or the client has no right to use it."""


class PublishError(FatalError):
    """Kafka refused an output for a reason that a retry will not mend."""


class StalledError(FatalError):
    """A partition has lag but has committed nothing for longer than allowed."""
