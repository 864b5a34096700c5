"""The web configuration file: what it may say, what is refused, and when it is read again."""

import os
from collections.abc import Callable
from pathlib import Path

import bcrypt
import pytest

from stream_detector.errors import SettingsError
from stream_detector.web.config import WatchedWebConfig, WebConfig
from support.certificates import CertificateAuthority

PASSWORD = "correct-horse-battery"


def hash_of(password: str) -> str:
    """As fast as bcrypt allows."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With ``server.crt``, ``server.key``, ``locked.key`` and ``ca.pem``."""
    authority = CertificateAuthority(tmp_path)
    authority.issue("server")
    authority.issue("locked", key_password="key-password")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "web.yml"
    file.write_text(text)
    return file


def test_all_supported_keys_with_paths_relative_to_the_file(folder: Path) -> None:
    config = WebConfig(
        write(
            folder,
            f"""
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  min_version: TLS13
  max_version: TLS13
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=31536000
    X-XSS-Protection: ""
basic_auth_users:
  prometheus: {hash_of(PASSWORD)}
""",
        )
    )

    assert config.tls is not None
    assert config.headers == {
        "X-Frame-Options": "deny",
        "Strict-Transport-Security": "max-age=31536000",
    }
    assert set(config.users) == {"prometheus"}
    assert config.content.files(folder / "web.yml") == tuple(
        folder / name for name in ("web.yml", "server.crt", "server.key", "ca.pem")
    )


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}", "---\n"])
def test_an_empty_file_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="is empty"):
        WebConfig(write(folder, text))


FILES = "cert_file: server.crt, key_file: server.key"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("tls_server: {}", ["tls_server is not known here"]),
        (f"tls_server_config: {{{FILES}, curves: [X25519]}}", ["tls_server_config.curves"]),
        ("tls_server_config: {cert_file: server.crt}", ["tls_server_config.key_file", "required"]),
        ("tls_server_config: {cert_file: no.crt, key_file: server.key}", ["no.crt", "No such"]),
        ("tls_server_config: {cert_file: ca.pem, key_file: server.key}", ["ca.pem", "its own key"]),
        (
            "tls_server_config: {cert_file: locked.crt, key_file: locked.key}",
            ["locked.key", "without a password"],
        ),
        (f"tls_server_config: {{{FILES}, client_auth_type: RequestClientCert}}", ["client_auth"]),
        (
            f"tls_server_config: {{{FILES}, client_auth_type: RequireAndVerifyClientCert}}",
            ["client_ca_file"],
        ),
        (f"tls_server_config: {{{FILES}, client_ca_file: ca.pem}}", ["client_auth_type"]),
        (
            f"tls_server_config: {{{FILES}, client_auth_type: VerifyClientCertIfGiven, "
            "client_ca_file: server.key}",
            ["client_ca_file", "server.key"],
        ),
        (f"tls_server_config: {{{FILES}, min_version: TLS10}}", ["min_version", "TLS12"]),
        (
            f"tls_server_config: {{{FILES}, min_version: TLS13, max_version: TLS12}}",
            ["min_version is above max_version"],
        ),
        ("basic_auth_users: {kim: hunter2-in-clear}", ["basic_auth_users.kim", "bcrypt"]),
        ("basic_auth_users: [kim]", ["basic_auth_users"]),
        ("http_server_config: {http2: true}", ["http_server_config.http2"]),
        ("http_server_config: {headers: {Server: x}}", ["headers.Server is not known here"]),
        (
            "http_server_config: {headers: {X-Frame-Options: any}}",
            ["X-Frame-Options: should be 'deny', 'sameorigin'"],
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: a=b"}}',
            ["headers.X-XSS-Protection", "printable"],
        ),
        ("basic_auth_users: {kim: hunter2-in-clear", ["line 1", "is not YAML"]),
        ("a: !!python/object/apply:os.system [true]", ["a is not known here"]),
        ("tls_server_config:", ["tls_server_config: should be names with values"]),
        ("tls_server_config: null", ["tls_server_config: should be names with values"]),
        ("basic_auth_users:", ["basic_auth_users: should be names with values"]),
        ("a: 2020-13-45", ["a is not known here"]),
        ("a: !!int hunter2", ["a is not known here"]),
        ('a: "\\UFFFFFFFF"', ["is not YAML"]),
        ("[" * 5_000, ["nested too deep"]),
        (
            'tls_server_config: {cert_file: "a\\0b", key_file: "\\ud800"}',
            ["tls_server_config.cert_file: should be the path", "tls_server_config.key_file"],
        ),
        ("- a list", ["the file: should be names with values"]),
        (
            "basic_auth_users:\n"
            + "".join(f"  {name}: {hash_of('a')}\n" for name in ("kim", "jo", "kim")),
            ["line 2", "has a key twice"],
        ),
    ],
)
def test_an_error_names_the_key_in_one_line_without_values(
    folder: Path, text: str, parts: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        WebConfig(write(folder, text))

    message = str(caught.value)
    print(message)
    for part in ["web.yml", *parts]:
        assert part in message
    assert "hunter2" not in message
    assert "\n" not in message


def test_a_missing_or_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.yml can't be read"):
        WebConfig(tmp_path / "none.yml")
    (tmp_path / "bytes.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        WebConfig(tmp_path / "bytes.yml")


def test_a_broken_change_is_logged_once_and_the_old_configuration_stays(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write(folder, f"basic_auth_users:\n  kim: {hash_of(PASSWORD)}\n")
    watched = WatchedWebConfig(file)
    before = watched.current()
    file.write_text("basic_auth_users: {kim: hunter2-in-clear}\n")
    assert watched.current() is watched.current() is before
    (record,) = caplog.records
    assert "basic_auth_users.kim" in record.message
    assert "stays in force" in record.message
    assert "hunter2" not in caplog.text

    file.unlink()
    assert watched.current() is before
    file.write_text("a: 2020-13-45\n")
    assert watched.current() is before
    file.write_text(f"basic_auth_users:\n  jo: {hash_of(PASSWORD)}\n")
    after = watched.current()
    assert after is not None
    assert set(after.users) == {"jo"}


LOGINS = f"basic_auth_users: {{kim: {hash_of(PASSWORD)}}}\n"
TLS = f"tls_server_config: {{{FILES}}}\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        (TLS, "no logins any more: restart"),
        (LOGINS, "no TLS any more: restart"),
        (TLS + "basic_auth_users: {}\n", "no logins any more: restart"),
        (
            "http_server_config: {http2: false}\n",
            "has no TLS any more and has no logins any more: restart",
        ),
    ],
    # Not by the text: a hash has another salt in each process that collects the tests.
    ids=["empty", "TLS alone", "logins alone", "no users", "neither"],
)
def test_a_reload_does_not_remove_tls_or_logins(
    folder: Path, caplog: pytest.LogCaptureFixture, text: str, fault: str
) -> None:
    file = write(folder, TLS + LOGINS)
    watched = WatchedWebConfig(file)
    before = watched.current()
    file.write_text(text)
    assert watched.current() is watched.current() is before
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert fault in record.message
    assert "stays in force" in record.message

    file.write_text(TLS + LOGINS + "# again\n")
    assert watched.current() is not before


def tls(**more: str) -> str:
    return f"tls_server_config: {{{FILES}{''.join(f', {k}: {v}' for k, v in more.items())}}}\n"


def client_certificates(client_auth_type: str, **more: str) -> str:
    return tls(client_auth_type=client_auth_type, client_ca_file="ca.pem", **more)


REQUIRED = client_certificates("RequireAndVerifyClientCert", min_version="TLS13")


@pytest.mark.parametrize(
    ("first", "then", "fault"),
    [
        (
            REQUIRED,
            client_certificates("VerifyClientCertIfGiven", min_version="TLS13"),
            "lowers client_auth_type RequireAndVerifyClientCert to VerifyClientCertIfGiven: ",
        ),
        (
            client_certificates("VerifyClientCertIfGiven"),
            tls(),
            "lowers client_auth_type VerifyClientCertIfGiven to NoClientCert: ",
        ),
        (
            REQUIRED,
            client_certificates("RequireAndVerifyClientCert"),
            "lowers min_version TLS13 to TLS12: ",
        ),
        (tls(), tls(max_version="TLS12"), "lowers max_version TLS13 to TLS12: "),
        (
            REQUIRED,
            tls(),
            "lowers client_auth_type RequireAndVerifyClientCert to NoClientCert and lowers "
            "min_version TLS13 to TLS12: ",
        ),
        (REQUIRED, LOGINS, "has no TLS any more: "),
    ],
    ids=["if given", "not asked for", "lowest version", "highest version", "both", "no TLS"],
)
def test_a_reload_does_not_ask_less_of_clients(
    folder: Path, caplog: pytest.LogCaptureFixture, first: str, then: str, fault: str
) -> None:
    file = write(folder, first)
    watched = WatchedWebConfig(file)
    before = watched.current()
    assert before is not None
    file.write_text(then)
    assert watched.current() is watched.current() is before
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert f"{file} {fault}restart if that is meant; the previous" in record.message

    restarted = WatchedWebConfig(file)
    assert restarted.current() is not None
    file.write_text(first + "# again\n")
    assert watched.current() is not before


def test_a_reload_may_ask_more_of_clients(folder: Path) -> None:
    file = write(folder, tls())
    watched = WatchedWebConfig(file)
    file.write_text(client_certificates("VerifyClientCertIfGiven", max_version="TLS12"))
    for text in (REQUIRED, REQUIRED + LOGINS):
        before = watched.current()
        assert before is not None
        file.write_text(text)
        assert watched.current() is not before


def test_braces_in_a_path_are_no_template(tmp_path: Path) -> None:
    folder = tmp_path / "w{eb}"
    folder.mkdir()
    CertificateAuthority(folder).issue("server")
    file = write(folder, TLS)
    (folder / "server.key").write_text("half a key")
    with pytest.raises(SettingsError, match=r"w\{eb\}/server\.key can't be used \("):
        WebConfig(file)


@pytest.mark.parametrize("made", [os.mkfifo, Path.mkdir], ids=["pipe", "folder"])
@pytest.mark.parametrize("name", ["web.yml", "server.crt", "server.key", "ca.pem"])
def test_pipes_and_folders_are_refused_without_waiting(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, made: Callable[[Path], None]
) -> None:
    file = write(folder, client_certificates("RequireAndVerifyClientCert"))
    watched = WatchedWebConfig(file)
    before = watched.current()
    (folder / name).unlink()
    made(folder / name)
    assert watched.current() is watched.current() is before
    (record,) = caplog.records
    assert f"{name} is not a regular file" in record.message
    assert "stays in force" in record.message
    with pytest.raises(SettingsError, match=f"{name} is not a regular file"):
        WebConfig(file)


def test_files_may_be_links_to_others(folder: Path) -> None:
    (folder / "server.crt").rename(folder / "first.crt")
    (folder / "server.crt").symlink_to("first.crt")
    (folder / "link.yml").symlink_to(write(folder, tls()))

    assert WebConfig(folder / "link.yml").tls is not None


def test_files_that_a_new_configuration_names_may_come_later(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = write(folder, TLS)
    watched = WatchedWebConfig(file)
    before = watched.current()
    file.write_text("tls_server_config: {cert_file: new.crt, key_file: new.key}\n")
    assert watched.current() is watched.current() is before
    assert len(caplog.records) == 1
    (folder / "server.crt").rename(folder / "new.crt")
    (folder / "server.key").rename(folder / "new.key")
    after = watched.current()
    assert after is not None
    assert after.content.files(file) == (file, folder / "new.crt", folder / "new.key")
