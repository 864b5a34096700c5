import pytest

from stream_detector.privacy.secret_names import names_secret, without_named_secrets


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sasl_plain_password='x y'", "sasl_plain_password='***'"),
        ('{"token": "abc", "n": 1}', '{"token": "***", "n": 1}'),
        (r'"{\"password\": \"x y\", \"n\": 1}"', r'"{\"password\": \"***\", \"n\": 1}"'),
        (r'password="a\"b c" n=1', 'password="***" n=1'),
        ("{b'passphrase': b'x y'}", "{b'passphrase': b'***'}"),
        ("password = 'cut off", "password = '***"),
        ("password: x", "password: ***"),
        ("password: hunter, user: kim", "password: ***, user: kim"),
        ("password: hunter user: kim", "password: *** user: kim"),
        ("Password: Hunter2 is wrong", "Password: *** is wrong"),
        ("password=pa'ss;x", "password=***;x"),
        ("PGPASSWORD=x psql -h db", "PGPASSWORD=*** psql -h db"),
        ("AWS_SECRET_ACCESS_KEY=x AWS_REGION=y", "AWS_SECRET_ACCESS_KEY=*** AWS_REGION=y"),
        ("mysql_pwd=x", "mysql_pwd=***"),
        ("ssl.key.passphrase => x", "ssl.key.passphrase => ***"),
        ("azure: AccountKey=a/b==;Suffix=c", "azure: AccountKey=***;Suffix=c"),
        ("curl --password x --user kim", "curl --password *** --user kim"),
        ("kinit --db-passwd=x", "kinit --db-passwd=***"),
        ("private_key: 'x y'", "private_key: '***'"),
        ("credentials=x", "credentials=***"),
        ("PHPSESSID=x, JSESSIONID=y", "PHPSESSID=***, JSESSIONID=***"),
        (
            'PlainLoginModule required username="kim" password="x y";',
            'PlainLoginModule required username="kim" password="***";',
        ),
        ("Authorization: Basic dTpw", "Authorization: Basic ***"),
        ("proxy-authorization: bearer a.b-c", "proxy-authorization: bearer ***"),
        ("{'Authorization': 'Basic dTpw', 'n': 1}", "{'Authorization': 'Basic ***', 'n': 1}"),
        ("[(b'authorization', b'Basic dTpw')]", "[(b'authorization', b'Basic ***')]"),
        ('Authorization: Digest username="k", response="r"', "Authorization: Digest ***"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("Set-Cookie: a=b; Path=/", "Set-Cookie: ***"),
        ("sent Bearer eyJhbGciOiJub25lIn0.e30.", "sent Bearer ***"),
    ],
)
def test_a_named_secret_is_masked(line: str, expected: str) -> None:
    assert without_named_secrets(line) == expected
    assert without_named_secrets(expected) == expected


@pytest.mark.parametrize(
    "line",
    [
        "set sasl_password_file to a file",
        "sasl_password_file=/run/secrets/kafka can't be read",
        "SASL_SSL needs a password: set sasl_password_file, or leave it out",
        "the password is wrong",
        "unexpected token 3 of 5",
        "max_tokens=512 total_tokens: 3",
        "tokenizer=bytes",
        "Authorization failed for group stream-detector",
        "[Error 30] GroupAuthorizationFailedError: stream-detector",
        "PWD is empty, OLDPWD=/srv",
        "the bearer of this is 7 characters",
        "secretary: kim",
        "public_key=/etc/key.pem",
        "partition_key=example.com",
        "session timeout: 30 s",
    ],
)
def test_a_text_that_names_no_secret_stays(line: str) -> None:
    assert without_named_secrets(line) == line


def test_a_long_line_takes_no_time_to_speak_of() -> None:
    pieces = [
        "password ",
        "--",
        "--a",
        "password: ",
        "cookie:",
        "password='\\",
        'token"',
        "bearer ",
    ]
    for piece in [*pieces, "password" + " " * 1000, "authorization" + "\\" * 1000]:
        text = piece * (200_000 // len(piece))
        without_named_secrets(text)  # hangs if it is quadratic


@pytest.mark.parametrize(
    "name", ["SASL_PASSWORD", "x-api-key", "pwd", "Set-Cookie", "tokenValue", "sasl.jaas.config"]
)
def test_a_name_with_a_secret_s_name_in_it_is_one(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize("name", ["tokens", "partition_key", "oldpwd", "ssl_cafile", "passed"])
def test_another_name_is_none(name: str) -> None:
    assert not names_secret(name)
