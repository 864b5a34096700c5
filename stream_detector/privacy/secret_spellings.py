"""Masks a known secret in a text: plain, escaped, and percent-encoded."""

import json
import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus

from stream_detector.privacy.mask import MASK

_BOTH_QUOTES = "'\""
_HEX = re.compile("%[0-9A-F]{2}")


class KnownSecrets:
    """Masks secrets whose values are known.

    It knows the escapes of Python (``repr``, ``ascii``, of strings and of bytes) and JSON, the
    percent-encoding of URLs and forms, and each of these within another, such as the ``repr`` of an
    exception that quotes JSON.

    Args:
        secrets: of four characters or more; shorter ones occur in any text by chance.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        once = {spelling for secret in secrets for spelling in (secret, *_spelled(secret))}
        twice = {spelling for each in once for spelling in (each, *_spelled(each))}
        # Longest first: a shorter spelling may be part of a longer one.
        self._spellings = sorted(twice, key=len, reverse=True)

    def masked(self, text: str) -> str:
        """``text`` without them."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text


def _spelled(text: str) -> Iterator[str]:
    utf_8 = text.encode(errors="surrogatepass")
    yield repr(text)[1:-1]
    yield ascii(text)[1:-1]
    yield repr(utf_8)[2:-1]
    # ``repr`` escapes quotes only where a text has both kinds, and the text around may add one.
    yield repr(text + _BOTH_QUOTES)[1:-4]
    yield ascii(text + _BOTH_QUOTES)[1:-4]
    yield repr(utf_8 + _BOTH_QUOTES.encode())[2:-4]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", r"\/")
    for encoded in (quote(utf_8), quote(utf_8, safe=""), quote_plus(utf_8)):
        yield encoded
        yield _HEX.sub(lambda found: found[0].lower(), encoded)
