"""Every error the project raises, by what has to happen next.

::

    StreamDetectorError
    |-- RetryableError            wait and try again
    |-- RecordError               the record becomes a dead letter, its neighbours go on
    |   |-- ScoringError
    |   |-- LabelError
    |   |-- VerdictIdError
    |   `-- MissingRecordError
    |-- RefusedModelError         the served model stays
    `-- FatalError                the process stops and leaves offsets uncommitted
        |-- SettingsError
        |-- BundleError
        |   `-- IncompatibleBundleError
        |-- DeviceError
        |-- ModelError
        |-- TopicsError
        |-- PublishError
        `-- StalledError

A message says what was wrong, where, and what to do. It never holds a secret.
"""

from enum import StrEnum


class StreamDetectorError(Exception):
    """Root of the tree: catch this to catch everything the project raises on purpose."""

    exit_code = 1
    """Of a command that this error ends."""


class RetryableError(StreamDetectorError):
    """A passing fault outside the process, such as a broker that is away."""


class RecordError(StreamDetectorError):
    """The record itself is at fault."""


class ScoringError(RecordError):
    """The model raised on a batch of texts; splitting the batch finds the text at fault."""


class LabelError(RecordError):
    """A part of a label is missing, too long or out of its range."""


class VerdictIdError(RecordError):
    """A verdict's id leads to no event: it is none, or its input record has expired."""


class MissingRecordError(RecordError):
    """Kafka has no record at a position: it expired, or the topic was deleted and created again."""


class RefusalReason(StrEnum):
    """Why a worker refused an announced model. A closed list."""

    MALFORMED = "malformed"
    """The announcement can't be read, or contradicts the bundle's manifest."""
    UNAVAILABLE = "unavailable"
    """The store has no such bundle, or can't be reached. The worker tries again later."""
    DAMAGED = "damaged"
    """A file does not match its SHA-256, or does not belong into a bundle."""
    SIGNATURE = "signature"
    """A public key is set, and the announcement or the bundle lacks a signature by its private
    key."""
    OUTDATED = "outdated"
    """A public key is set, and a newer signed announcement came before: somebody repeated an old
    one."""
    INCOMPATIBLE = "incompatible"
    """Made for a canonical form or architecture that this program lacks."""
    WRONG_KIND = "wrong_kind"
    """A bundle for hosts announced as one for URLs, or the reverse."""
    THRESHOLDS = "thresholds"
    """The settings override one threshold so that it contradicts the bundle's other one."""
    TOO_SLOW = "too_slow"
    """Not fetched, built and warm within ``model_load_timeout``."""
    FAILED = "failed"
    """It raises, or gives no probability, on texts known to be good."""


class RefusedModelError(StreamDetectorError):
    """The worker refuses an announced model for ``reason``."""

    def __init__(self, reason: RefusalReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FatalError(StreamDetectorError):
    """No record is at fault and waiting will not help."""


class SettingsError(FatalError):
    """A setting is missing, malformed or contradicts another one."""

    exit_code = 2


class BundleError(FatalError):
    """A model bundle is missing, damaged, or made for another version of the code."""


class IncompatibleBundleError(BundleError):
    """A bundle made for a canonical form or architecture that this program lacks."""


class DeviceError(FatalError):
    """Memory or the device failed while scoring."""


class ModelError(FatalError):
    """The model fails on a text known to be good, so no record can be blamed."""


class TopicsError(FatalError):
    """A topic is missing, or the client has no right to use it."""


class PublishError(FatalError):
    """Kafka refused an output for a reason that a retry will not mend."""


class StalledError(FatalError):
    """A partition has lag but has committed nothing for longer than allowed."""
