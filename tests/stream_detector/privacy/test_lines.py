import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.privacy.lines import line_without_secrets

WORD = st.text("abcXYZ019:;$,~%'\\!*()[]|^ \té", max_size=12)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("got 'http://u:p@h/x?tok=abc', sorry", "got 'http://***@h/x?***', sorry"),
        ("(a.com/x?q=1)", "(a.com/x?***)"),
        ("https://a.com/x#access_token=1 failed", "https://a.com/x#*** failed"),
        ("is it there? yes, see issue #5", "is it there? yes, see issue #5"),
        ("proxy u:p@h is away", "proxy ***@h is away"),
        ("password='x y' for http://a.com/?q=1", "password='***' for http://a.com/?***"),
    ],
)
def test_a_line_holds_no_credential_and_no_query(line: str, expected: str) -> None:
    assert line_without_secrets(line, with_queries=False) == expected


def test_queries_are_kept_where_they_are_allowed() -> None:
    line = line_without_secrets("http://u:p@h/?a=b#c", with_queries=True)
    assert line == "http://***@h/?a=b#c"


@given(WORD, WORD)
def test_no_user_info_of_a_url_is_left(before: str, after: str) -> None:
    info = f"{before}CANARY{after}".translate(str.maketrans("", "", " \t"))
    assert "CANARY" not in line_without_secrets(f"x http://{info}@h/ y", with_queries=True)
