"""Removes secrets, credentials and query strings from the texts and fields of log lines."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream_detector.limits import LOG_TEXT_CHARACTERS_MAX, LOG_TEXT_UNSURE_CHARACTERS
from stream_detector.logs.record_fields import text_of
from stream_detector.privacy.lines import line_without_secrets
from stream_detector.privacy.mask import MASK
from stream_detector.privacy.secret_names import names_secret
from stream_detector.privacy.secret_spellings import KnownSecrets
from stream_detector.settings.fields import SECRET_FILES, SECRETS, Settings

_SECRET_CHARACTERS_MIN = 4
"""Shorter texts occur in any line by chance."""
_DEPTH_MAX = 5
"""Of fields in fields: a value may contain itself."""
_INT_BITS_MAX = 14_000
"""Python writes no int of more than 4,300 digits."""


class Redaction:
    """Masks what no log line may hold.

    These are the values of the settings' secrets, user info in URLs, values called ``password`` or
    similar and, unless ``settings.log_queries``, query strings.
    """

    def __init__(self, settings: Settings) -> None:
        self._with_queries = settings.log_queries
        found = {getattr(settings, name).get_secret_value().strip() for name in SECRETS}
        found |= {_content(getattr(settings, name)) for name in SECRET_FILES}
        self._secrets = KnownSecrets(
            [secret for secret in found if len(secret) >= _SECRET_CHARACTERS_MIN]
        )

    def text(self, text: str) -> str:
        """``text`` with secrets masked; cut if it is long."""
        masked = self._secrets.masked(text[:LOG_TEXT_CHARACTERS_MAX])
        masked = line_without_secrets(masked, with_queries=self._with_queries)
        if len(text) > LOG_TEXT_CHARACTERS_MAX:
            masked = f"{masked[:-LOG_TEXT_UNSURE_CHARACTERS]}... ({len(text)} characters)"
        return masked

    def fields(self, fields: Mapping[str, object], depth: int = _DEPTH_MAX) -> dict[str, Any]:
        """Fields with secrets masked, ready for JSON; numbers that JSON lacks become text."""
        named = {text_of(name): item for name, item in fields.items()}
        return {
            self.text(name): MASK if names_secret(name) else self._value(item, depth)
            for name, item in named.items()
        }

    def _value(self, value: object, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            if not depth:
                return f"<{type(value).__name__} nested too deep>"
            if isinstance(value, Mapping):
                return self.fields(value, depth - 1)
            return [self._value(item, depth - 1) for item in value]
        text = text_of(value)
        masked = self.text(text)
        is_number = (isinstance(value, int) and value.bit_length() <= _INT_BITS_MAX) or (
            isinstance(value, float) and math.isfinite(value)
        )
        return value if is_number and masked == text else masked


def _content(path: Path | None) -> str:
    """The secret in a file; empty if it can't be read, which other code reports."""
    try:
        content = path.read_bytes().strip() if path is not None else b""
    except OSError:
        return ""
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        return content.decode("latin-1")
