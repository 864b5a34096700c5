"""The options of every Kafka client of the project: aiokafka (the worker) and kafka-python.

Address, TLS and SASL have settings of their own. ``kafka_options`` holds any other option by the
client's own name; each value is converted to the type of that client's default, and reaches each
client that knows the name.
"""

import difflib
import inspect
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiokafka
import kafka
import msgspec

from stream_detector.errors import SettingsError
from stream_detector.settings.fields import Settings

_CLIENT_ID = "stream-detector"
_PRODUCE_BATCH_BYTES = 512 * 1024
_CLIENTS: tuple[type[Any], ...] = (
    aiokafka.AIOKafkaConsumer,
    aiokafka.AIOKafkaProducer,
    kafka.KafkaAdminClient,
    kafka.KafkaConsumer,
    kafka.KafkaProducer,
)

# Options that other settings, or the worker's guarantees, decide.
_DECIDED_ELSEWHERE = {
    "bootstrap_servers": "set bootstrap_servers",
    "security_protocol": "set security_protocol",
    "group_id": "set group_id, or labels_group_id",
    "auto_offset_reset": "set start_at",
    "max_partition_fetch_bytes": "leave it out: it bounds the worker's memory",
    "auto_commit_interval_ms": "leave it out: the worker commits each second",
    "sasl_mechanism": "set sasl_mechanism",
    "sasl_plain_username": "set sasl_username",
    "sasl_plain_password": "set sasl_password_file",
    "ssl_cafile": "set ssl_cafile",
    "ssl_certfile": "set ssl_certfile",
    "ssl_keyfile": "set ssl_keyfile",
    "ssl_password": "set ssl_key_password_file",
    "ssl_check_hostname": "set ssl_check_hostname",
    "enable_auto_commit": "offsets are committed when their verdicts are in Kafka; leave it out",
    "acks": "verdicts are waited for in all replicas; leave it out",
    "transactional_id": "transactions are not used; leave it out",
}


def client_options(
    settings: Settings, client: type[Any] = kafka.KafkaAdminClient
) -> dict[str, Any]:
    """Keyword arguments for ``client``, a class of aiokafka or kafka-python.

    Raises:
        SettingsError: a certificate, a password file or one of ``kafka_options`` is not usable.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": _CLIENT_ID,
        "security_protocol": settings.security_protocol,
    }
    if "SSL" in settings.security_protocol.split("_"):
        options["ssl_context"] = _ssl_context(settings)
    if "SASL" in settings.security_protocol:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = _sasl_password(settings)
    return options | _extra(settings.kafka_options, client)


def output_options(settings: Settings) -> dict[str, Any]:
    """As ``client_options``, for the aiokafka producer of verdicts, alerts and dead letters."""
    return {
        "acks": "all",
        "max_batch_size": _PRODUCE_BATCH_BYTES,
        **client_options(settings, aiokafka.AIOKafkaProducer),
    }


def _ssl_context(settings: Settings) -> ssl.SSLContext:
    """Trusts the CA file, or else the system's CAs; holds the client's certificate, if any."""
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"ssl_cafile {settings.ssl_cafile} holds no usable PEM certificates "
            f"({_reason(error)}): name the file of the CA that signed the brokers' certificates"
        ) from error
    context.check_hostname = settings.ssl_check_hostname
    if settings.ssl_certfile is not None:
        password = ""  # Not None, with which OpenSSL would ask on the terminal.
        if settings.ssl_key_password_file is not None:
            password = _secret(settings.ssl_key_password_file, "ssl_key_password_file")
        try:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, password)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"ssl_certfile {settings.ssl_certfile} and ssl_keyfile {settings.ssl_keyfile} "
                f"can't be used ({_reason(error)}): give a certificate and its own key, both PEM, "
                "and ssl_key_password_file if the key is encrypted"
            ) from error
    return context


def _reason(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or type(error).__name__)


def _sasl_password(settings: Settings) -> str:
    if settings.sasl_password_file is not None:
        return _secret(settings.sasl_password_file, "sasl_password_file")
    return settings.sasl_password.get_secret_value()


def _secret(path: Path, setting: str) -> str:
    """The text of a secret's file without the line break at its end."""
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{setting} {path} can't be read ({error.strerror})") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{setting} {path} is not UTF-8 text") from None
    if not secret:
        raise SettingsError(f"{setting} {path} is empty: put the password on its first line")
    return secret


# --- kafka_options --------------------------------------------------------------------------


class _Version(tuple[int, ...]):
    """Unlike other tuples, which hold classes, a version can be written as text."""


# The default of these is None, which shows no type.
_UNSET_BY_DEFAULT: Mapping[str, type] = {
    "api_version": _Version,
    "client_id": str,
    "client_rack": str,
    "compression_type": str,
    "group_instance_id": str,
    "max_poll_records": int,
    "proxy_url": str,
    "rebalance_timeout_ms": int,
    "receive_buffer_bytes": int,
    "send_buffer_bytes": int,
}
_WANTED: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    _Version: "a version such as 2.0",
}
# aiokafka asks the broker itself, and warns about the option.
_DEPRECATED = {"api_version"}


def _defaults(client: type[Any]) -> Mapping[str, object]:
    """Every option of a client with its default."""
    if hasattr(client, "DEFAULT_CONFIG"):
        return dict(client.DEFAULT_CONFIG)
    parameters = inspect.signature(client).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.kind is not parameter.VAR_POSITIONAL and parameter.name not in _DEPRECATED
    }


def _extra(texts: Mapping[str, str], client: type[Any]) -> dict[str, Any]:
    """Those of ``kafka_options`` that ``client`` knows, converted; all of them are checked."""
    defaults = {each: _defaults(each) for each in _CLIENTS}
    known = {name for names in defaults.values() for name in names}
    options: dict[str, Any] = {}
    for name, text in texts.items():
        if name in _DECIDED_ELSEWHERE:
            raise SettingsError(f"kafka_options can't hold {name}: {_DECIDED_ELSEWHERE[name]}")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "leave it out"
            raise SettingsError(f"kafka_options holds {name}, which no Kafka client knows: {hint}")
        for each, names in defaults.items():
            if name in names:
                value = _converted(name, text, names[name])
                if each is client:
                    options[name] = value
    return options


def _converted(name: str, text: str, default: object) -> object:
    """``text`` in the type of the client's default."""
    kind = _UNSET_BY_DEFAULT.get(name, type(default))
    if kind not in _WANTED:
        raise SettingsError(f"kafka_options can't hold {name}, which is no text: leave it out")
    try:
        if kind is _Version:
            return tuple(map(int, text.strip("() ").replace(",", ".").split(".")))
        return msgspec.convert(text, kind, strict=False)
    except (ValueError, msgspec.ValidationError):
        raise SettingsError(f"kafka_options: {name} takes {_WANTED[kind]}, not {text!r}") from None
