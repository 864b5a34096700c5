"""Checks across settings that are valid one by one: contradictions, unreadable files."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from stream_detector.name_rules import name_fault
from stream_detector.privacy.pseudonyms import KEY_BYTES_MIN
from stream_detector.privacy.secret_names import names_secret
from stream_detector.settings.fields import ENVIRONMENT_PREFIX, FILES, Settings
from stream_detector.settings.kinds import VALUE_SHOWN_CHARACTERS
from stream_detector.sources.base import CHOOSABLE_FIELDS, FORMAT_NAMES

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_LOGIN_IN_URL = re.compile(r"://(?:[^/]*@|[^/@]*:.*@)")
"""Passwords may have slashes, as secret keys of AWS do."""


def faults(settings: Settings) -> Iterator[str]:
    """Each fault and what to do. A message begins with the setting to look at first."""
    yield from _security_faults(settings)
    for name in FILES:
        if (path := getattr(settings, name)) is not None:
            yield from _unreadable(name, path)
    for voice, path in settings.label_keys.items():
        yield from _label_key_faults(voice, Path(path))
    yield from _topic_faults(settings)
    yield from _source_faults(settings)
    for field in ("cluster", "group_id", "labels_group_id", "sasl_username"):
        name = getattr(settings, field)
        if name and (fault := name_fault(name)):
            yield f"{field} {fault}: give a short name"
    yield from _store_faults(settings)
    yield from _privacy_faults(settings)
    for kind in ("url", "host"):
        suspicious = getattr(settings, f"{kind}_suspicious_threshold")
        malicious = getattr(settings, f"{kind}_malicious_threshold")
        if suspicious is not None and malicious is not None and suspicious > malicious:
            yield (
                f"{kind}_suspicious_threshold ({suspicious:g}) is above {kind}_malicious_threshold "
                f"({malicious:g}): lower the one or raise the other"
            )


def _security_faults(settings: Settings) -> Iterator[str]:
    protocol = settings.security_protocol
    password = settings.sasl_password.get_secret_value()
    if "SASL" in protocol:
        if not settings.sasl_username:
            yield f"security_protocol {protocol} needs a user: set sasl_username"
        if not password and settings.sasl_password_file is None:
            yield (
                f"security_protocol {protocol} needs a password: set sasl_password_file, or "
                f"{ENVIRONMENT_PREFIX}SASL_PASSWORD"
            )
    elif settings.sasl_username:
        yield (
            f"sasl_username is set, but security_protocol {protocol} has no login: set "
            "security_protocol to SASL_SSL"
        )
    if password and settings.sasl_password_file is not None:
        yield "sasl_password_file and sasl_password are both set: leave one out"
    if (settings.ssl_certfile is None) != (settings.ssl_keyfile is None):
        names = ("ssl_certfile", "ssl_keyfile")
        given, missing = names if settings.ssl_certfile is not None else reversed(names)
        yield f"{given} is of no use without {missing}: set both"
    if "SSL" not in protocol.split("_"):
        for name in ("ssl_cafile", "ssl_certfile"):
            if getattr(settings, name) is not None:
                yield (
                    f"{name} is set, but security_protocol {protocol} has no TLS: set "
                    "security_protocol to SSL or SASL_SSL"
                )
    for name, value in settings.kafka_options.items():
        if names_secret(name) or _LOGIN_IN_URL.search(value):
            yield (
                f"kafka_options can't hold a secret such as {name}, since its values are shown: "
                "set sasl_password_file or ssl_key_password_file, or leave it out"
            )


def _unreadable(name: str, path: Path) -> Iterator[str]:
    try:
        # Without O_NONBLOCK a pipe without a writer would hang the start.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)):
            pass
    except OSError as error:
        yield f"{name} {path} can't be read ({error.strerror}): correct it"


def _label_key_faults(voice: str, path: Path) -> Iterator[str]:
    part, _, name = voice.partition(":")
    if part in {"analyst", "feed"} and name:
        yield from _unreadable("label_keys", path)
    else:
        yield (
            f"label_keys names {voice[:VALUE_SHOWN_CHARACTERS]!r}: write analyst:NAME=FILE or "
            "feed:NAME=FILE, with * as the name for all others"
        )


def _topic_faults(settings: Settings) -> Iterator[str]:
    outputs = ("verdicts_topic", "alerts_topic", "dead_letters_topic")
    labels = ("labels_topic", "feed_labels_topic", "labels_dead_letters_topic")
    names = [("input_topics", name) for name in settings.input_topic_names]
    names += zip(outputs, settings.output_topic_names, strict=True)
    names += zip(labels, settings.label_topic_names, strict=True)
    names += [("models_topic", name) for name in settings.announcement_topic_names]
    names += [("shadow_topic", name) for name in settings.shadow_topic_names]
    users: dict[str, str] = {}
    for field, name in names:
        if not _TOPIC_NAME.fullmatch(name) or name in {".", ".."}:
            yield (
                f"{field} names {name[:VALUE_SHOWN_CHARACTERS]!r}, which can't be a topic's name: "
                "take 1 to 249 of letters, digits, dot, underscore and hyphen"
            )
        if name in users:
            yield f"{field} names {name}, as {users[name]} does: give each its own topic"
        users[name] = field


def _source_faults(settings: Settings) -> Iterator[str]:
    for topic, name in settings.input_formats.items():
        if topic not in settings.input_topics:
            yield (
                f"input_formats sets a format for {topic!r}, which is not among input_topics "
                f"({', '.join(settings.input_topics)}): correct one of the two"
            )
        if name not in FORMAT_NAMES:
            yield (
                f"input_formats sets {name!r} for {topic!r}, which is not a format: take one of "
                f"{', '.join(FORMAT_NAMES)}"
            )
    for name, path in settings.json_fields.items():
        if name not in CHOOSABLE_FIELDS:
            yield (
                f"json_fields sets a field for {name!r}, which is unknown: take some of "
                f"{', '.join(CHOOSABLE_FIELDS)}, such as url=request.url,client=src.addr"
            )
        elif not path:
            yield f"json_fields names no field for {name}: write {name}=FIELD"


def _store_faults(settings: Settings) -> Iterator[str]:
    if _LOGIN_IN_URL.search(settings.model_store):
        yield (
            "model_store can't hold a login, since its value is shown: give it to the store's "
            "driver by its own variables or files (such as AWS_PROFILE)"
        )
    if settings.model_public_key is not None and not settings.model_store:
        yield "model_public_key is of no use without model_store: set both"


def _privacy_faults(settings: Settings) -> Iterator[str]:
    given = "client_key" if settings.client_key.get_secret_value() else "client_key_file"
    if given == "client_key" and settings.client_key_file is not None:
        yield "client_key and client_key_file are both set: leave one out"
        return
    key = settings.client_key_bytes()
    if not settings.client_pseudonyms:
        if key or settings.client_key_file is not None:
            yield (
                f"{given} is of no use without client_pseudonyms: name the outputs, such as "
                "verdicts,alerts,dead_letters, or leave the key out"
            )
    elif settings.client_key_file is None and not key:
        yield (
            "client_pseudonyms needs a key: set client_key_file (openssl rand -hex 32 makes one), "
            f"or {ENVIRONMENT_PREFIX}CLIENT_KEY"
        )
    elif len(key) < KEY_BYTES_MIN:
        yield (
            f"{given} holds {len(key)} bytes, and a key needs {KEY_BYTES_MIN} or more: take what "
            "openssl rand -hex 32 prints"
        )
