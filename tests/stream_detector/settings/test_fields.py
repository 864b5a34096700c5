"""Where settings come from, what is refused, and that secrets stay secret."""

import tomllib
from pathlib import Path

import pytest

from stream_detector.errors import SettingsError
from stream_detector.privacy.secret_names import names_secret
from stream_detector.settings.checks import faults
from stream_detector.settings.fields import FILES, SECRET_FILES, SECRETS, SETTING_GROUPS, Settings
from stream_detector.settings.loading import load_settings

PASSWORD = "hunter2-with-a-long-tail"


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "detector.toml"
    path.write_text('group_id = "from-file"\nhttp_port = 1\nalert_window = 7\n')
    return path


def test_a_flag_goes_before_the_environment_before_the_file_before_the_default(toml: Path) -> None:
    environ = {"STREAM_DETECTOR_GROUP_ID": "from-environment", "STREAM_DETECTOR_HTTP_PORT": "2"}

    settings, origins = load_settings({"group_id": "from-flag"}, environ, toml)

    assert (settings.group_id, origins["group_id"]) == ("from-flag", "flag")
    assert (settings.http_port, origins["http_port"]) == (2, "environment")
    assert (settings.alert_window, origins["alert_window"]) == (7.0, "file")
    assert (settings.device, origins["device"]) == ("auto", "default")


def test_every_setting_has_an_origin() -> None:
    _, origins = load_settings({}, {}, None)

    assert set(origins) == set(Settings.model_fields)


def test_every_setting_is_in_one_group() -> None:
    names = [name for group in SETTING_GROUPS.values() for name in group]

    assert sorted(names) == sorted(Settings.model_fields)


def test_the_environment_names_the_file_where_no_flag_does(toml: Path) -> None:
    settings, _ = load_settings({}, {"STREAM_DETECTOR_CONFIG": str(toml)}, None)

    assert settings.group_id == "from-file"


def test_settings_made_in_code_read_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_DETECTOR_GROUP_ID", "from-environment")

    assert Settings().group_id == "stream-detector"


@pytest.mark.parametrize("given", [None, ()])
def test_a_flag_that_was_not_given_sets_nothing(given: object) -> None:
    _, origins = load_settings({"input_topics": given}, {}, None)

    assert origins["input_topics"] == "default"


def test_an_empty_variable_counts_as_not_set() -> None:
    settings, origins = load_settings({}, {"STREAM_DETECTOR_SSL_CAFILE": ""}, None)

    assert settings.ssl_cafile is None
    assert origins["ssl_cafile"] == "default"


def test_lists_are_strings_with_commas_or_repeated_flags_or_arrays(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('input_topics = ["a", "b"]\n')

    assert load_settings({}, {}, file)[0].input_topics == ["a", "b"]
    assert load_settings({"input_topics": ("a,b", "c")}, {}, None)[0].input_topics == [*"abc"]
    environ = {"STREAM_DETECTOR_INPUT_TOPICS": " a, b ,"}
    assert load_settings({}, environ, None)[0].input_topics == ["a", "b"]


def test_tables_are_pairs_with_commas_or_repeated_flags_or_toml_tables(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[kafka_options]\nlinger_ms = 5\ncheck_crcs = false\n")

    assert load_settings({}, {}, file)[0].kafka_options == {"linger_ms": "5", "check_crcs": "false"}
    flags = {"kafka_options": ("linger_ms=5", "client_id=a,b")}
    assert load_settings(flags, {}, None)[0].kafka_options == {"linger_ms": "5", "client_id": "a,b"}
    environ = {"STREAM_DETECTOR_KAFKA_OPTIONS": "linger_ms=5,client_id=a"}
    assert load_settings({}, environ, None)[0].kafka_options == {"linger_ms": "5", "client_id": "a"}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("STREAM_DETECTOR_SERVICE_HOST", "10.0.0.1"),
        ("STREAM_DETECTOR_SERVICE_PORT_METRICS", "9464"),
        ("STREAM_DETECTOR_PORT", "tcp://10.0.0.1:9464"),
        ("STREAM_DETECTOR_PORT_9464_TCP_ADDR", "10.0.0.1"),
        ("STREAM_DETECTOR_METRICS_PORT_9464_TCP", "tcp://10.0.0.1:9464"),
    ],
)
def test_variables_that_kubernetes_adds_are_ignored(variable: str, value: str) -> None:
    assert load_settings({}, {variable: value}, None)[0] == Settings()


def fault(
    flags: dict[str, object] | None = None,
    environ: dict[str, str] | None = None,
    config: Path | None = None,
) -> str:
    """The one line that says why these are refused."""
    with pytest.raises(SettingsError) as caught:
        load_settings(flags or {}, environ or {}, config)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_unknown_variable_is_named_with_the_nearest_setting() -> None:
    message = fault(environ={"STREAM_DETECTOR_GROUPID": "a"})

    assert "STREAM_DETECTOR_GROUPID" in message
    assert "STREAM_DETECTOR_GROUP_ID" in message


def test_an_unknown_key_of_the_file_is_named_with_file_and_nearest_setting(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('bootstrap_server = "a:1"\n')

    message = fault(config=file)

    assert all(part in message for part in ("'bootstrap_server'", "bootstrap_servers", str(file)))


@pytest.mark.parametrize(
    ("flags", "environ", "place"),
    [
        ({"http_port": "99999"}, {}, "--http-port"),
        ({}, {"STREAM_DETECTOR_HTTP_PORT": "99999"}, "STREAM_DETECTOR_HTTP_PORT"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(
    flags: dict[str, object], environ: dict[str, str], place: str
) -> None:
    message = fault(flags, environ)

    assert all(part in message for part in ("http_port", "65535", "'99999'", place))


@pytest.mark.parametrize(
    "content", ["group_id = ", "\xff", "http_port = [1]", "input_topics = [1]"]
)
def test_a_file_that_can_not_be_used_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(content.encode("latin-1"))

    assert str(file) in fault(config=file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "missing.toml" in fault(config=tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"security_protocol": "SASL_SSL"}, "sasl_username"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "a"}, "sasl_password_file"),
        ({"sasl_username": "a"}, "security_protocol"),
        ({"security_protocol": "SSL", "ssl_certfile": __file__}, "ssl_keyfile"),
        ({"security_protocol": "SSL", "ssl_keyfile": __file__}, "ssl_certfile"),
        ({"ssl_cafile": __file__}, "security_protocol"),
        ({"security_protocol": "SSL", "ssl_cafile": "/no/such"}, "ssl_cafile /no/such"),
        ({"allow_list": "/no/such"}, "allow_list /no/such"),
        ({"input_topics": "a b"}, "'a b'"),
        ({"input_formats": "typo=json"}, "'typo', which is not among input_topics (url-events)"),
        ({"input_formats": "url-events=zeek_typo"}, "'zeek_typo' for 'url-events'"),
        ({"json_fields": "urls=a"}, "'urls'"),
        ({"alerts_topic": "x" * 250}, "alerts_topic"),
        ({"topic_prefix": "ä."}, "input_topics"),
        ({"input_topics": "a,url-alerts"}, "alerts_topic"),
        ({"labels_topic": "url-events"}, "labels_topic"),
        ({"labels_dead_letters_topic": "url-events-dlq"}, "labels_dead_letters_topic"),
        ({"model_store": "/srv/models", "models_topic": "url-alerts"}, "models_topic"),
        ({"model_store": "/srv/models", "shadow_topic": "url-models"}, "shadow_topic"),
        ({"model_public_key": __file__}, "model_store"),
        ({"client_pseudonyms": "verdicts"}, "client_key_file"),
        ({"client_pseudonyms": "verdicts", "client_key_file": "/no/such"}, "/no/such"),
        ({"client_pseudonyms": "verdicts", "client_key_file": "/dev/null"}, "holds 0 bytes"),
        ({"client_pseudonyms": "labels", "client_key_file": __file__}, "client_pseudonyms"),
        ({"client_key_file": __file__}, "client_pseudonyms"),
        ({"mask_queries": "labels"}, "mask_queries"),
        ({"alerts_topic": "a", "verdicts_topic": "a"}, "verdicts_topic"),
        ({"input_topics": ","}, "input_topics"),
        ({"bootstrap_servers": "kafka"}, "host:port"),
        ({"bootstrap_servers": "kafka-1:9092,kafka-2:90922"}, "host:port"),
        ({"bootstrap_servers": "kafka-1:9092,kafka-2:90922"}, "and not 'kafka-2:90922'"),
        ({"bootstrap_servers": "http://kafka-1:9092"}, "and not 'http://kafka-1:9092'"),
        ({"bootstrap_servers": "joe:secret@kafka-1:9092"}, "and not one with an @"),
        ({"bootstrap_servers": "::1:9092"}, "such as [::1]:9092"),
        ({"url_suspicious_threshold": ".9", "url_malicious_threshold": ".5"}, "url_malicious"),
        ({"host_suspicious_threshold": "1", "host_malicious_threshold": "0"}, "host_malicious"),
        ({"kafka_options": "linger_ms"}, "name=value"),
        ({"alert_window": "nan"}, "alert_window"),
        ({"cluster": "x" * 201}, "cluster is longer than 200 characters"),
        ({"group_id": "a\u202eb"}, "group_id holds a control character"),
        ({"nonsense": "1"}, "--nonsense"),
    ],
)
def test_contradictions_and_impossible_values_are_refused_by_name(
    flags: dict[str, object], named: str
) -> None:
    assert named in fault(flags)


@pytest.mark.parametrize("host", ["", " ", "*"])
def test_an_address_that_means_all_interfaces_in_silence_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="http_host"):
        load_settings({"http_host": host}, {}, None)


def test_two_passwords_contradict_each_other(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("a")
    flags = {"security_protocol": "SASL_SSL", "sasl_username": "a", "sasl_password_file": str(file)}

    assert "leave one out" in fault(flags, {"STREAM_DETECTOR_SASL_PASSWORD": "b"})


def test_two_keys_of_clients_contradict_each_other() -> None:
    flags = {"client_pseudonyms": "verdicts", "client_key_file": __file__}

    assert "leave one out" in fault(flags, {"STREAM_DETECTOR_CLIENT_KEY": PASSWORD})


def test_a_key_of_clients_that_could_be_guessed_is_refused_and_not_shown() -> None:
    message = fault(
        {"client_pseudonyms": "alerts"}, {"STREAM_DETECTOR_CLIENT_KEY": " fifteen bytes! "}
    )

    assert "client_key holds 14 bytes, and a key needs 16" in message
    assert "fifteen" not in message


def test_every_path_that_may_be_left_out_is_a_file_that_has_to_be_there() -> None:
    paths = {n for n, field in Settings.model_fields.items() if field.annotation == Path | None}

    assert set(FILES) == paths
    assert {name for name in Settings.model_fields if name.endswith("file")} <= paths


def test_every_file_of_a_secret_is_known_as_one() -> None:
    named = {name for name in FILES if names_secret(name) or "keyfile" in name}

    assert set(SECRET_FILES) == named
    assert {f"{name}_file" for name in SECRETS} <= set(SECRET_FILES)


@pytest.mark.parametrize("name", FILES)
def test_an_unreadable_file_is_named_with_its_setting(name: str, tmp_path: Path) -> None:
    path = tmp_path / "none"

    told = faults(Settings.model_construct(**{name: path}))

    assert any(fault.startswith(f"{name} {path} can't be read") for fault in told)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_no_flag_sets_a_secret(name: str) -> None:
    message = fault({name: PASSWORD})

    assert name in message
    assert PASSWORD not in message


SECRET_ENVIRONMENT = {
    "STREAM_DETECTOR_SASL_PASSWORD": PASSWORD,
    "STREAM_DETECTOR_SASL_USERNAME": "alice",
    "STREAM_DETECTOR_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
}


def test_a_secret_is_in_no_text_of_the_settings() -> None:
    settings, _ = load_settings({}, SECRET_ENVIRONMENT, None)

    assert settings.sasl_password.get_secret_value() == PASSWORD
    for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings!r}"):
        assert PASSWORD not in text


@pytest.mark.parametrize(
    ("flags", "environ", "toml"),
    [
        ({"http_port": "x"}, {}, ""),
        ({"alerts_topic": "url-verdicts"}, {}, ""),
        ({}, {"STREAM_DETECTOR_SECURITY_PROTOCOL": "PLAINTEXT"}, ""),
        ({}, {"STREAM_DETECTOR_KAFKA_OPTIONS": f"sasl_plain_password={PASSWORD}"}, ""),
        ({}, {"STREAM_DETECTOR_KAFKA_OPTIONS": f"proxy_url=socks5://a:{PASSWORD}@b:1"}, ""),
        ({}, {"STREAM_DETECTOR_BOOTSTRAP_SERVERS": f"a:{PASSWORD}@b:1"}, ""),
        ({}, {"STREAM_DETECTOR_MODEL_STORE": f"s3://a:x/{PASSWORD}@bucket/models"}, ""),
        ({}, {"STREAM_DETECTOR_MODEL_STORE": f"s3://a:{PASSWORD}@bucket/models"}, ""),
        ({}, {"STREAM_DETECTOR_SASL_PASWORD": PASSWORD}, ""),
        ({}, {}, f"sasl_password = {PASSWORD}"),
        ({}, {}, f'sasl_password = ["{PASSWORD}"]'),
        ({}, {}, f'sasl_pasword = "{PASSWORD}"'),
        ({}, {}, f'sasl_password = {{ value = "{PASSWORD}" }}'),
    ],
)
def test_a_secret_is_in_no_error(
    flags: dict[str, object], environ: dict[str, str], toml: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(toml)

    assert PASSWORD not in fault(flags, SECRET_ENVIRONMENT | environ, file)


def test_a_secret_may_stand_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        f'sasl_password = "{PASSWORD}"\nsasl_username = "a"\nsecurity_protocol = "SASL_SSL"\n'
    )
    assert tomllib.loads(file.read_text())["sasl_password"] == PASSWORD

    settings, origins = load_settings({}, {}, file)

    assert settings.sasl_password.get_secret_value() == PASSWORD
    assert origins["sasl_password"] == "file"
