"""TLS and basic authentication of the HTTP server, from a file as Prometheus' exporters have it.

The format is that of Prometheus' exporter-toolkit (``--web.config.file``), of which this server
heeds what it can do; a key that it does not heed is refused, never passed over. As there, every
path is protected, health checks too, and the files are read again when they change, so that a
renewed certificate needs no restart. Unlike there, TLS and logins end with a restart alone: a file
that is empty while it is being written must not open what it protects.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
import ssl
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Literal

import bcrypt
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from stream_detector.errors import SettingsError

__all__ = ["WebAccess", "WebConfig", "load_web_config"]

logger = logging.getLogger(__name__)

_PASSWORD_BYTES_MAX = 72
"""bcrypt reads no more."""
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
"""Headers that may be added, and their values where not any will do."""


def _printable(value: str) -> str:
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError("should be printable ASCII in one line")
    return value


def _bcrypt_hash(value: SecretStr) -> SecretStr:
    if not _HASH.fullmatch(value.get_secret_value()):
        raise ValueError("should be a bcrypt hash, as `htpasswd -nBC 10 NAME` makes it")
    return value


def _path(value: str) -> str:
    try:
        usable = b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        usable = False
    if not usable:
        raise ValueError("should be the path of a file")
    return value


FilePath = Annotated[str, AfterValidator(_path)]
HeaderValue = Annotated[str, AfterValidator(_printable)]
Hash = Annotated[SecretStr, AfterValidator(_bcrypt_hash)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class _Tls(_Section):
    """``tls_server_config``. Paths as written in the file."""

    cert_file: FilePath = Field(min_length=1)
    key_file: FilePath = Field(min_length=1)
    client_auth_type: Literal[
        "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
    ] = "NoClientCert"
    client_ca_file: FilePath = ""
    min_version: Literal["TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS12", "TLS13"] = "TLS13"

    @model_validator(mode="after")
    def _agree(self) -> "_Tls":
        verifies = self.client_auth_type != "NoClientCert"
        if verifies != bool(self.client_ca_file):
            raise ValueError(
                "client_ca_file and client_auth_type (RequireAndVerifyClientCert or "
                "VerifyClientCertIfGiven) are of no use without one another"
            )
        if _VERSIONS[self.min_version] > _VERSIONS[self.max_version]:
            raise ValueError("min_version is above max_version")
        return self


class _Http(_Section):
    """``http_server_config``."""

    http2: Literal[False] = False
    """This server speaks HTTP/1.1 alone."""
    headers: dict[str, HeaderValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_headers(self) -> "_Http":
        for name, value in self.headers.items():
            if name not in _HEADERS:
                raise ValueError(f"headers may be {', '.join(_HEADERS)}, and nothing else")
            if value and (allowed := _HEADERS[name]) and value not in allowed:
                raise ValueError(f"the header {name} may be {' or '.join(allowed)}")
        return self


class _File(_Section):
    tls_server_config: _Tls | None = None
    http_server_config: _Http = _Http()
    basic_auth_users: dict[str, Hash] = Field(default_factory=dict)

    @field_validator("tls_server_config", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        if value is None:
            raise ValueError("is empty: fill it in, or leave it out")
        return value


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # PyYAML has no types
    """Plain types alone, and no key twice: of two passwords neither is meant."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping without repeated keys."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key twice", node.start_mark)
        return mapping


class WebConfig:
    """What one reading of the file says.

    ``tls`` is None where there is none; ``headers`` are for each answer; ``users`` are bcrypt
    hashes by name, empty where nobody has to log in; ``files`` are all that was read.
    """

    def __init__(self, path: Path, content: _File) -> None:
        self.users: Mapping[str, bytes] = {
            name: password.get_secret_value().encode()
            for name, password in content.basic_auth_users.items()
        }
        self.headers: Mapping[str, str] = {
            name: value for name, value in content.http_server_config.headers.items() if value
        }
        tls = content.tls_server_config
        self.tls = None if tls is None else _context(path, tls)
        self.files = (path, *_named_files(path, content))


def load_web_config(path: Path) -> WebConfig:
    """Read a web configuration file and the files that it names, relative to its folder.

    Raises:
        SettingsError: it can't be read, says what this server does not heed, or a certificate in
            it can't be used.
    """
    return WebConfig(path, _read(path))


def _read(path: Path) -> _File:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"http_web_config {path} can't be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise SettingsError(f"http_web_config {path} is not UTF-8 text") from None
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - a safe one
    except yaml.YAMLError as error:
        # The error's own text quotes the line, which may hold a hash.
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        what = "has a key twice" if error.args[2:3] == ("a key twice",) else "is not YAML"
        raise SettingsError(f"http_web_config {path}{line} {what}: correct it") from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        # PyYAML lets through what its constructors of dates and numbers raise.
        raise SettingsError(
            f"http_web_config {path} has a value that is none, such as the date 2020-13-45, "
            "or is nested too deep: correct it"
        ) from None
    if not content and (content is None or isinstance(content, dict)):
        raise SettingsError(
            f"http_web_config {path} is empty: give it tls_server_config or basic_auth_users, "
            "or start without http_web_config"
        )
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_faults(error))
        raise SettingsError(f"http_web_config {path}: {faults}") from None


def _named_files(path: Path, content: _File) -> tuple[Path, ...]:
    tls = content.tls_server_config
    names = () if tls is None else (tls.cert_file, tls.key_file, tls.client_ca_file)
    return tuple(path.parent / name for name in names if name)


def _faults(error: ValidationError) -> Iterator[str]:
    """One message for each key that is wrong, without its value."""
    for fault in error.errors(include_url=False, include_context=False, include_input=False):
        key = ".".join(str(part) for part in fault["loc"]) or "the file"
        if fault["type"] == "extra_forbidden":
            yield f"{key} is not known here: leave it out"
        elif fault["type"] in {"dict_type", "model_type"}:
            yield f"{key}: should be names with values"
        else:
            message = re.sub("^(Value error, |Input )", "", fault["msg"])
            yield f"{key}: {message[0].lower()}{message[1:]}"


def _context(path: Path, tls: _Tls) -> ssl.SSLContext:
    certificate, key = path.parent / tls.cert_file, path.parent / tls.key_file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    try:
        # A password that is none: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"http_web_config {path}: cert_file {certificate} and key_file {key} can't be used "
            f"({_reason(error)}): give a certificate and its own key without a password, both PEM"
        ) from error
    context.verify_mode = _CLIENT_CERTIFICATES[tls.client_auth_type]
    if tls.client_ca_file:
        authority = path.parent / tls.client_ca_file
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"http_web_config {path}: client_ca_file {authority} holds no usable PEM "
                f"certificates ({_reason(error)})"
            ) from error
    return context


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or type(error).__name__)


class WebAccess:
    """Who may have an answer, by the file as it stands now. Called from one event loop.

    A password is checked in a thread of its own, one at a time, since bcrypt is made to be slow;
    who was let in once is known by a keyed digest, and costs nothing. Of an unknown user the
    password is checked too, so that time tells no names.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file; without one everybody is let in, in the clear.

        Raises:
            SettingsError: as ``load_web_config``.
        """
        self._path = path
        self._files: tuple[Path, ...] = ()
        self._seen: list[Any] = []
        self._config: WebConfig | None = None
        self._key = secrets.token_bytes(32)
        self._let_in: dict[str, bytes] = {}
        self._checking = ThreadPoolExecutor(1, thread_name_prefix="password")
        if path is not None:
            self._config = self._load(path)

    def close(self) -> None:
        """End the thread."""
        self._checking.shutdown(wait=False, cancel_futures=True)

    @property
    def config(self) -> WebConfig | None:
        """What the file says now; what it said before, where it can't be used any more.

        Nor does a file take TLS or logins away while the process runs.
        """
        path, before = self._path, self._config
        if path is not None and before is not None and _state(self._files) != self._seen:
            try:
                config = self._load(path)
                _check_still_protected(path, before, config)
            except SettingsError as error:
                logger.warning("%s; what it said before stays in force", error)
            else:
                self._config = config
                self._let_in.clear()
                logger.info("http_web_config %s was read again", path)
        return self._config

    def _load(self, path: Path) -> WebConfig:
        """Read it, and note how the files looked before: what changes meanwhile is seen next time.

        Files that it names are noted where they can't be used too, since they may come later.
        """
        self._files, self._seen = (path,), _state((path,))
        content = _read(path)
        named = _named_files(path, content)
        self._files += named
        self._seen += _state(named)
        return WebConfig(path, content)

    async def allows(self, config: WebConfig | None, authorization: str) -> bool:
        """Whether the value of an Authorization header lets its sender in."""
        if config is None or not config.users:
            return True
        login = _login(authorization)
        if login is None:
            return False
        user, password = login
        known = config.users.get(user)
        digest = hmac.digest(self._key, b"\0".join((known or b"", password)), hashlib.sha256)
        if known and hmac.compare_digest(self._let_in.get(user, b""), digest):
            return True
        # For an unknown user, the slowest hash there is.
        compared = known or max(config.users.values(), key=_rounds)
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._checking, _matches, password, compared)
        if known and right:
            self._let_in[user] = digest
            return True
        return False


def _check_still_protected(path: Path, before: WebConfig, after: WebConfig) -> None:
    lost = [
        name
        for name, had, has in [
            ("TLS", before.tls, after.tls),
            ("logins", before.users, after.users),
        ]
        if had and not has
    ]
    if lost:
        raise SettingsError(
            f"http_web_config {path} has no {' and no '.join(lost)} any more: "
            "restart if that is meant"
        )


def _state(files: tuple[Path, ...]) -> list[Any]:
    """What changes when one of ``files`` does."""
    states: list[Any] = []
    for file in files:
        try:
            found = file.stat()
            states.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError as error:
            states.append(error.errno)
    return states


def _login(authorization: str) -> tuple[str, bytes] | None:
    """User and password of a header ``Basic ...``."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def _rounds(password_hash: bytes) -> int:
    return int(password_hash[4:6])


def _matches(password: bytes, password_hash: bytes) -> bool:
    """bcrypt's own comparison, which takes the same time whatever differs."""
    if len(password) > _PASSWORD_BYTES_MAX:
        bcrypt.checkpw(password[:_PASSWORD_BYTES_MAX], password_hash)
        return False
    return bcrypt.checkpw(password, password_hash)
