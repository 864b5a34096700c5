import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical, Kind
from stream_detector.privacy.urls import (
    observed_without_credentials,
    with_query_masked,
    without_nested_credentials,
)

WORD = st.text("abcXYZ019:;$,~%'\\!*()[]|^ \té", max_size=12)


def shown(observed: str, kind: Kind = "url") -> str:
    canonical = canonicalise(kind, observed)
    assert isinstance(canonical, Canonical)
    return observed_without_credentials(observed, canonical)


class TestUserInfo:
    @pytest.mark.parametrize(
        ("observed", "expected"),
        [
            ("http://user:password@example.com/x", "http://***@example.com/x"),
            ("http://us@er:p@ss@example.com", "http://***@example.com"),
            ("HTTP:\\\\user@example.com", "HTTP:\\\\***@example.com"),
            ("user:password@example.com/x", "***@example.com/x"),
            ("ht\ntp://us\ter:pw@example.com/", "http://***@example.com/"),
            ("http://a.com/?u=//u:pw%4\n0b.com&c=\n1", "http://a.com/?u=//***%40b.com&c=1"),
            ("http://a.com/?u=b\nc%40d", "http://a.com/?u=b\nc%40d"),
            ("http:8080@example.com", "***@example.com"),
            ("http://a.com/@user?x=a@b", "http://a.com/@user?x=a@b"),
            ("http://a.com/http://u:p@b.com/", "http://a.com/http://***@b.com/"),
            ("http://a.com/?u=http%3A%2F%2Fu%3Ap%40b", "http://a.com/?u=http%3A%2F%2F***%40b"),
            ("http://a.com/?u=http://b.com&mail=x@y", "http://a.com/?u=http://b.com&mail=x@y"),
        ],
    )
    def test_it_is_masked_wherever_a_url_stands(self, observed: str, expected: str) -> None:
        assert shown(observed) == expected
        assert shown(expected) == expected

    @given(
        st.sampled_from(["http://", "https:", "", "  HTTP://", "http:\\/", "ftp:///", "//"]),
        WORD,
        WORD,
        st.sampled_from(["", "/", "/a@b", "?q=a@b", "#x@y", "\\x"]),
    )
    def test_it_goes_and_the_url_stays_the_same(
        self, scheme: str, before: str, after: str, rest: str
    ) -> None:
        observed = f"{scheme}{before}CANARY{after}@example.com:81{rest}"
        canonical = canonicalise("url", observed)
        if isinstance(canonical, Canonical) and canonical.host == "example.com":
            masked = observed_without_credentials(observed, canonical)
            assert "CANARY" not in masked
            again = canonicalise("url", masked)
            assert isinstance(again, Canonical)
            assert again.text == canonical.text

    @pytest.mark.parametrize(
        ("rest", "expected"),
        [
            ("/go/http://u:p%2Fzz@x.com/", "/go/http://***@x.com/"),
            ("/go/u:pw@x.com/", "/go/***@x.com/"),
            ("/r/https:/u:pw@x.com/", "/r/https:/***@x.com/"),
            ("/?next=//u:pw@x.com", "/?next=//***@x.com"),
            ("/?next=u:p=w@x.com", "/?next=***@x.com"),
            ("/?a=http:\\\\u:pw@x", "/?a=http:\\\\***@x"),
            ("/?a=u%3Ap%252Fw%40x&b=1", "/?a=***%40x&b=1"),
            ("/?a=http%253A%252F%252Fu%253Apw%2540x", "/?a=http%253A%252F%252F***%2540x"),
            ("/#u:pw@x.com", "/#***@x.com"),
            ("/?a=http%253A%252F%252Fu%2540x", "/?a=http%253A%252F%252F***%2540x"),
            ("/?a=http://u%40x%2540y", "/?a=http://***%2540y"),
            ("/?a=http://@pw@x", "/?a=http://***@x"),
        ],
    )
    def test_a_password_is_masked_in_path_query_and_fragment(
        self, rest: str, expected: str
    ) -> None:
        assert without_nested_credentials(f"h.example{rest}") == f"h.example{expected}"
        assert without_nested_credentials(f"h.example{expected}") == f"h.example{expected}"

    @pytest.mark.parametrize(
        "text",
        [
            "h.example/@user/",
            "h.example:81/maps/@52.5,13.4?t=12:30",
            "h.example/?mail=kim@corp.example&at=10:15",
            "h.example/?u=mailto:kim@corp.example",
            "h.example/?resource=acct%3Akim%40corp.example",
            "h.example/a:b/c@d",
        ],
    )
    def test_a_text_that_is_not_a_password_stays(self, text: str) -> None:
        assert without_nested_credentials(text) == text

    def test_a_canonical_text_stays_one(self) -> None:
        masked = without_nested_credentials("a.com/http://u:p@b.com/")
        canonical = canonicalise("url", masked)
        assert isinstance(canonical, Canonical)
        assert canonical.text == masked == "a.com/http://***@b.com/"


class TestQuery:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("http://a.com/?user=kim&id=7", "http://a.com/?user=***&id=***"),
            ("a.com/x?a=b=c&&d", "a.com/x?a=***&&***"),
            ("a.com/?dG9rZW4=", "a.com/?***"),
            ("a.com/?", "a.com/?"),
            ("a.com/?a=1#access_token=x", "a.com/?a=***#***"),
            ("a.com/#?a=1", "a.com/#***"),
            ("a.com/x=1;y=2", "a.com/x=1;y=2"),
        ],
    )
    def test_values_are_masked_and_names_kept(self, text: str, expected: str) -> None:
        assert with_query_masked(text) == expected
        assert with_query_masked(expected) == expected

    @given(st.text(max_size=20), st.text(max_size=20))
    def test_no_value_is_left(self, before: str, after: str) -> None:
        assert "CANARY" not in with_query_masked(f"a.com/?name={before}CANARY")
        assert "CANARY" not in with_query_masked(f"a.com/#{before}CANARY{after}")
