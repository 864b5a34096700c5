"""Keyed pseudonyms of clients: the same client has the same one wherever the key is the same."""

import hmac
import ipaddress
import re
from functools import lru_cache

KEY_BYTES_MIN = 16
"""There are few addresses: who guesses the key can turn each pseudonym back."""

_PREFIX = "p-"
_DIGEST_BYTES = 10
"""80 bits: two of a million clients share one with a probability below one in a trillion."""
_PSEUDONYM = re.compile(rf"{_PREFIX}[0-9a-f]{{{2 * _DIGEST_BYTES}}}")
_REMEMBERED = 65_536


class Pseudonyms:
    """Gives ``p-`` and 20 hexadecimal digits: HMAC-SHA-256 of the client, cut to 80 bits.

    All spellings of an address are one client, and so are all cases of a name.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.of = lru_cache(_REMEMBERED)(self._of)
        """The pseudonym of a client."""

    def _of(self, client: str) -> str:
        digest = hmac.digest(self._key, _normal(client).encode(errors="surrogatepass"), "sha256")
        return _PREFIX + digest[:_DIGEST_BYTES].hex()


def is_pseudonym(client: str) -> bool:
    """Whether ``client`` looks like a pseudonym."""
    return _PSEUDONYM.fullmatch(client) is not None


def _normal(client: str) -> str:
    client = client.strip()
    try:
        address = ipaddress.ip_address(client.strip("[]"))
    except ValueError:
        return client.lower()
    # Dual-stack programs write the same IPv4 client in both ways.
    return str(getattr(address, "ipv4_mapped", None) or address)
