import pytest

from stream_detector.privacy.letter_bytes import before_query, without_credentials


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"http://user:pass word@ex ample/", b"http://***@ex ample/"),
        (b'{"url":"http:\\/\\/u:p@h"', b'{"url":"http://***@h"'),
        (b'{"url":"http://u\\u003ap\\u0040h"', b'{"url":"http://***@h"'),
        (b'{"url":"http://u:a\\"b@h"', b'{"url":"http://***@h"'),
        (b'{"user":"kim@corp","host":5}', b'{"user":"kim@corp","host":5}'),
        (b"0 1 c TCP/200 1 CONNECT u:p@h:443 -", b"0 1 c TCP/200 1 CONNECT ***@h:443 -"),
        (b"http://a/%3A%2F%2Fu%3Ap%40b", b"http://***@b"),
        (b"http://user:pa", b"http://***"),
        (b"1\tCONNECT\tu\\x3ap\\x40h", b"1\tCONNECT\t***@h"),
        (b"/?u=http%253A%252f%252Fu%253Ap%2540h", b"***@h"),
        (b'{"url":"http://u:p%4\\n0h"', b'{"url":"http://***@h"'),
        (b"a http://u:p%\n2\t54\r0h", b"a http://***@h"),
        (b"http://[::1]:80/ x", b"http://[::1]:80/ x"),
        (b"http://host:8080/a:b x", b"http://host:8080/a:b x"),
        (b"one\nhttp://a:b@c d\nthree", b"one\nhttp://***@c d\nthree"),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"a\0b", b"a\0b"),
        ("http://u:p@h".encode("utf-16"), None),
    ],
)
def test_a_text_that_looks_like_user_info_is_masked(value: bytes, expected: bytes | None) -> None:
    assert without_credentials(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"http://a b/?q=1\nnext", b"http://a b/?"),
        (b'{"url":"http:\\/\\/a\\u003Fq=1"', b'{"url":"http:\\/\\/a\\u003F'),
        (b"#fields\tts\nx#y", b"#fields\tts\nx#"),
        (b"1\t/a\\x3fq=1", b"1\t/a\\x3f"),
        (b'{"uri":"/a\\\\x3Fq=1"', b'{"uri":"/a\\\\x3F'),
        (b'{"url":"http:\\/\\/a\\u0023q=1"', b'{"url":"http:\\/\\/a\\u0023'),
        (b'{"url":"http://a b/p #key"}', b'{"url":"http://a b/p #'),
        (b"#path\thttp\n#close\n", b"#path\thttp\n#close\n"),
        (b"no query", b"no query"),
    ],
)
def test_bytes_end_at_the_first_query(value: bytes, expected: bytes) -> None:
    assert before_query(value) == expected


def test_a_megabyte_takes_no_time_to_speak_of() -> None:
    for piece in (b"/", b"//", b":", b'"', b"http://a:b", b"%2f", b"@", b"a:@", b"//:1"):
        without_credentials(piece * (1_000_000 // len(piece)))  # hangs if it is quadratic
