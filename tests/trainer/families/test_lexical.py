import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.canonical import canonical_url
from stream_detector.events import Canonical
from trainer.families.lexical import LEXICAL_NAMES, lexical_features


def features(text):
    return dict(zip(LEXICAL_NAMES, lexical_features([text])[0].tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a-b.example.com:8080/x/y_z.php?q=1&r=%41",
            {
                "length": 40,
                "host length": 15,
                "path length": 10,
                "query length": 9,
                "labels": 3,
                "longest label": 7,
                "length of the last label": 3,
                "path segments": 2,
                "length of the extension": 3,
                "parameters": 2,
                "port": 1,
                "address": 0,
                "escapes": 1,
                "hyphens of the host": 1,
                "underscores": 1,
                "equals signs": 2,
                "longest run of digits": 4,
            },
        ),
        ("203.0.113.9/a", {"address": 1, "port": 0, "labels": 4}),
        ("[2001:db8::1]/", {"address": 1, "port": 0}),
        ("[2001:db8::1]:8080", {"address": 1, "port": 1}),
        ("xn--bcher-kva.example", {"punycode": 1, "path length": 0, "entropy of the rest": 0}),
    ],
)
def test_numbers_are_those_of_the_text(text, expected):
    numbers = features(text)
    assert {name: numbers[name] for name in expected} == expected


@given(st.text())
def test_any_canonical_text_has_finite_numbers(text):
    canonical = canonical_url(text)
    if isinstance(canonical, Canonical):
        assert np.isfinite(lexical_features([canonical.text])).all()
