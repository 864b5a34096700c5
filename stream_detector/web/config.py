"""TLS and basic authentication of the HTTP server, from a file as Prometheus' exporters have it.

The format is that of Prometheus' exporter-toolkit (``--web.config.file``), of which this server
heeds what it can do; a key that it does not heed is refused, never passed over. As there, every
path is protected, health checks too, and the files are read again when they change, so that a
renewed certificate needs no restart. Unlike there, it takes a restart to end TLS or logins and to
ask less of clients: a file that is half written must not open what it protects.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

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
from stream_detector.system.regular_files import check_regular_file, read_regular_file

__all__ = [
    "WebConfig",
    "WebFile",
    "load_web_config",
    "named_files",
    "protection_lost",
    "read_web_file",
]

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


class WebFile(_Section):
    """The whole file, as it is written."""

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
    hashes by name, empty where nobody has to log in; ``files`` are all that was read; ``content``
    is as written.
    """

    def __init__(self, path: Path, content: WebFile) -> None:
        """``content`` was read from ``path``.

        Raises:
            SettingsError: a certificate that it names can't be used.
        """
        self.users: Mapping[str, bytes] = {
            name: password.get_secret_value().encode()
            for name, password in content.basic_auth_users.items()
        }
        self.headers: Mapping[str, str] = {
            name: value for name, value in content.http_server_config.headers.items() if value
        }
        tls = content.tls_server_config
        self.tls = None if tls is None else _context(path, tls)
        self.files = (path, *named_files(path, content))
        self.content = content


def load_web_config(path: Path) -> WebConfig:
    """Read a web configuration file and the files that it names, relative to its folder.

    Raises:
        SettingsError: it can't be read, says what this server does not heed, or a certificate in
            it can't be used.
    """
    return WebConfig(path, read_web_file(path))


def read_web_file(path: Path) -> WebFile:
    """What the file itself says; nothing that it names is looked at.

    Raises:
        SettingsError: it can't be read, or says what this server does not heed.
    """
    try:
        text = read_regular_file(path).decode()
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
        return WebFile.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_faults(error))
        raise SettingsError(f"http_web_config {path}: {faults}") from None


def named_files(path: Path, content: WebFile) -> tuple[Path, ...]:
    """The files that ``content``, read from ``path``, names."""
    tls = content.tls_server_config
    names = () if tls is None else (tls.cert_file, tls.key_file, tls.client_ca_file)
    return tuple(path.parent / name for name in names if name)


def protection_lost(before: WebFile, after: WebFile) -> list[str]:
    """What ``after`` asks of clients no more, or less strictly: each in some words."""
    lost = []
    was, now = before.tls_server_config, after.tls_server_config
    if was and not now:
        lost.append("has no TLS any more")
    if before.basic_auth_users and not after.basic_auth_users:
        lost.append("has no logins any more")
    if was and now:
        if _CLIENT_CERTIFICATES[now.client_auth_type] < _CLIENT_CERTIFICATES[was.client_auth_type]:
            lost.append(f"lowers client_auth_type {was.client_auth_type} to {now.client_auth_type}")
        if _VERSIONS[now.min_version] < _VERSIONS[was.min_version]:
            lost.append(f"lowers min_version {was.min_version} to {now.min_version}")
        if _VERSIONS[now.max_version] < _VERSIONS[was.max_version]:
            lost.append(f"lowers max_version {was.max_version} to {now.max_version}")
    return lost


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
        for file in (certificate, key):
            check_regular_file(file)
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
            check_regular_file(authority)
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"http_web_config {path}: client_ca_file {authority} holds no usable PEM "
                f"certificates ({_reason(error)})"
            ) from error
    return context


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or type(error).__name__)
