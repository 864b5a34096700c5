"""TLS and basic authentication of the HTTP server, in the file format of Prometheus' exporters.

The format is that of exporter-toolkit (``--web.config.file``). The server refuses a key that it
does not support, rather than ignore it. As in exporter-toolkit, the file protects every path,
health checks too, and is read again when it or a file that it names changes: a renewed certificate
needs no restart. Unlike there, only a restart ends TLS or logins or asks less of clients: a file
that is half written must not open what it protects.
"""

import logging
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from prometheus_client import Gauge
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from stream_detector.errors import SettingsError
from stream_detector.system.regular_files import check_regular_file, read_regular_file
from stream_detector.web.certificates import CertificateFile, show_certificates

logger = logging.getLogger(__name__)

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CLIENT_CERTIFICATES = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_WEAKER_IF_LOWER: Mapping[str, Mapping[str, int]] = {
    "client_auth_type": _CLIENT_CERTIFICATES,
    "min_version": _VERSIONS,
    "max_version": _VERSIONS,
}


def _matching(pattern: str, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"should be {what}")
        return value

    return AfterValidator(check)


_Path = Annotated[str, _matching(r"[^\0\ud800-\udfff]*", "the path of a file")]
_HeaderValue = Annotated[str, _matching(r"[\x20-\x7e]*", "printable ASCII in one line")]
_Hash = Annotated[
    str,
    _matching(
        r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}",
        "a bcrypt hash, as `htpasswd -nBC 10 NAME` makes it",
    ),
]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class _Tls(_Section):
    """``tls_server_config``. Paths as written in the file."""

    cert_file: _Path = Field(min_length=1)
    key_file: _Path = Field(min_length=1)
    client_auth_type: Literal[
        "NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"
    ] = "NoClientCert"
    client_ca_file: _Path = ""
    min_version: Literal["TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS12", "TLS13"] = "TLS13"

    @model_validator(mode="after")
    def _agree(self) -> "_Tls":
        if (self.client_auth_type != "NoClientCert") != bool(self.client_ca_file):
            raise ValueError(
                "client_ca_file and client_auth_type (RequireAndVerifyClientCert or "
                "VerifyClientCertIfGiven) need one another"
            )
        if _VERSIONS[self.min_version] > _VERSIONS[self.max_version]:
            raise ValueError("min_version is above max_version")
        return self


class _Headers(_Section):
    """What exporter-toolkit allows; an empty value means no such header."""

    csp: _HeaderValue = Field("", alias="Content-Security-Policy")
    frames: Literal["deny", "sameorigin", ""] = Field("", alias="X-Frame-Options")
    sniffing: Literal["nosniff", ""] = Field("", alias="X-Content-Type-Options")
    xss: _HeaderValue = Field("", alias="X-XSS-Protection")
    hsts: _HeaderValue = Field("", alias="Strict-Transport-Security")


class _Http(_Section):
    """``http_server_config``. The server speaks HTTP/1.1 only."""

    http2: Literal["false", "False", "no", "off"] = "false"
    headers: _Headers = Field(default_factory=lambda: _Headers.model_validate({}))


class WebFile(_Section):
    """The whole file, as written."""

    tls_server_config: _Tls | None = None
    http_server_config: _Http = _Http()
    basic_auth_users: dict[str, _Hash] = Field(default_factory=dict, repr=False)

    def certificates(self, path: Path) -> list[CertificateFile]:
        """Those that it names; ``path`` is its own."""
        tls = self.tls_server_config
        if tls is None:
            return []
        setting = f"http_web_config {path}:"
        file = path.parent / tls.cert_file
        files = [CertificateFile("http_server", f"{setting} cert_file", file)]
        if tls.client_ca_file:
            file = path.parent / tls.client_ca_file
            files.append(
                CertificateFile("http_client_authority", f"{setting} client_ca_file", file)
            )
        return files

    def files(self, path: Path) -> tuple[Path, ...]:
        """``path``, which is its own, and the files that it names."""
        tls = self.tls_server_config
        names = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()
        return (path, *(path.parent / name for name in names if name))


class _Loader(yaml.BaseLoader):  # type: ignore[misc] # PyYAML has no types
    """All scalars are strings, and a key that occurs twice is an error.

    Other loaders make a date of a value that looks like one, and fail on 2020-13-45.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping without repeated keys."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key twice", node.start_mark)
        return mapping


class WebConfig:
    """A web configuration file that can be used.

    ``tls`` is None if it has none; every answer has ``headers``; ``users`` are bcrypt hashes by
    name, empty if nobody has to log in; ``content`` is the file as written.
    """

    def __init__(self, path: Path, content: WebFile | None = None) -> None:
        """Read the file at ``path``, unless ``content`` was, and the files that it names.

        Raises:
            SettingsError: as ``read_web_file``, or a certificate can't be used.
        """
        content = content or read_web_file(path)
        headers = content.http_server_config.headers.model_dump(by_alias=True)
        self.headers: Mapping[str, str] = {name: value for name, value in headers.items() if value}
        self.users: Mapping[str, bytes] = {
            name: password_hash.encode() for name, password_hash in content.basic_auth_users.items()
        }
        tls = content.tls_server_config
        self.tls = None if tls is None else _context(path, tls)
        self.content = content


class WatchedWebConfig:
    """A web configuration file that is read again when it or a file that it names changes."""

    def __init__(self, path: Path, certificates: Gauge | None = None) -> None:
        """Read the file; ``certificates`` shows when those in use expire.

        Raises:
            SettingsError: as ``WebConfig``.
        """
        self._path = path
        self._certificates = certificates
        self._files: tuple[Path, ...] = ()
        self._seen: list[Any] = []
        self._current = self._load()

    def current(self) -> WebConfig:
        """The file as it stands now; as it was before, if it can't be used or protects less."""
        if _state(self._files) != self._seen:
            try:
                self._current = self._load(self._current)
            except SettingsError as error:
                logger.warning("%s; the previous configuration stays in force", error)
            else:
                logger.info("http_web_config %s was read again", self._path)
        return self._current

    def _load(self, before: WebConfig | None = None) -> WebConfig:
        # The state of a file comes before its reading, so that a change in between is seen next
        # time. A named file counts before it can be used: it may come later.
        self._files, self._seen = (self._path,), _state((self._path,))
        content = read_web_file(self._path)
        self._files = content.files(self._path)
        self._seen += _state(self._files[1:])
        config = WebConfig(self._path, content)
        if before and (lost := list(_lost_protection(before.content, content))):
            raise SettingsError(
                f"http_web_config {self._path} {' and '.join(lost)}: restart if that is meant"
            )
        show_certificates(content.certificates(self._path), self._certificates)
        return config


def read_web_file(path: Path) -> WebFile:
    """Read the file itself, and nothing that it names.

    Raises:
        SettingsError: it can't be read, or says what this server does not support.
    """
    try:
        text = read_regular_file(path).decode()
    except OSError as error:
        raise SettingsError(f"http_web_config {path} can't be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise SettingsError(f"http_web_config {path} is not UTF-8 text") from None
    try:
        content = yaml.load(text, _Loader)  # noqa: S506 - it makes strings only
    except (yaml.YAMLError, ArithmeticError, RecursionError, ValueError) as error:
        # The error's own text quotes the line, which may hold a hash.
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        what = "is not YAML"
        if error.args[2:3] == ("a key twice",):
            what = "has a key twice"
        elif isinstance(error, RecursionError):
            what = "is nested too deep"
        raise SettingsError(f"http_web_config {path}{line} {what}: correct it") from None
    if not content:
        raise SettingsError(
            f"http_web_config {path} is empty: give it tls_server_config or basic_auth_users, "
            "or start without http_web_config"
        )
    try:
        return WebFile.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_faults(error))
        raise SettingsError(f"http_web_config {path}: {faults}") from None


def _lost_protection(before: WebFile, after: WebFile) -> Iterator[str]:
    was, now = before.tls_server_config, after.tls_server_config
    if was and not now:
        yield "has no TLS any more"
    if before.basic_auth_users and not after.basic_auth_users:
        yield "has no logins any more"
    for key, rank in _WEAKER_IF_LOWER.items() if was and now else ():
        old, new = getattr(was, key), getattr(now, key)
        if rank[new] < rank[old]:
            yield f"lowers {key} {old} to {new}"


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
    context.verify_mode = _CLIENT_CERTIFICATES[tls.client_auth_type]
    fault = f"cert_file {certificate} and key_file {key} can't be used"
    remedy = ": give a certificate and its own key without a password, both PEM"
    try:
        for file in (certificate, key):
            check_regular_file(file)
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
        if tls.client_ca_file:
            authority = path.parent / tls.client_ca_file
            fault = f"client_ca_file {authority} holds no usable PEM certificates"
            remedy = ""
            check_regular_file(authority)
            context.load_verify_locations(authority)
    except OSError as error:  # as are those of TLS
        reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise SettingsError(f"http_web_config {path}: {fault} ({reason}){remedy}") from error
    return context


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
