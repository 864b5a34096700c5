import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical
from trainer.examples.traffic import OTHER, TRAFFIC_TYPES, traffic_type


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("10.1.2.3:8080/metrics", "private address or name"),
        ("[fd12::1]/x", "private address or name"),
        ("wiki.corp/display/X", "private address or name"),
        ("printer3/ipp/print", "private address or name"),
        ("172.32.0.1/index.php", "public address"),
        ("bbc.co.uk", "front page"),
        ("cdn.example.com", "front page"),
        ("bbc.co.uk?lang=en", "other page"),
        ("example.com/blog/feed/", "feed"),
        ("example.com/news.rss?all=1", "feed"),
        ("example.com/setup-1.2.EXE", "download or update"),
        ("dl2.example.com/tool", "download or update"),
        ("download.windowsupdate.com/c/msdownload/update/x.psf", "download or update"),
        ("pixel.quantserve.com/p.gif", "tracker or advertising"),
        ("ads2.example.com/show?spot=1", "tracker or advertising"),
        ("example.com/js/analytics.js", "tracker or advertising"),
        ("cdn.example.com/lib", "static asset or CDN"),
        ("example.com/logo.png?v=3", "static asset or CDN"),
        ("example.com/user/login.php", "login or account"),
        ("my.example.com/orders", "login or account"),
        ("example.com/my/orders", "other page"),
        ("example.com/v2/users", "API"),
        ("api.example.com/users", "API"),
        ("example.com/data.json", "API"),
        ("example.com/a/40fae194-381d-11e8-8eee-e06bde01c544", "token or identifier"),
        ("example.com/?s=9f86d081884c7d65", "token or identifier"),
        ("example.com/internationalisierungen", "other page"),
        ("example.com/a?q=" + "word+" * 20, "long query"),
        ("example.com/2024/05/an-article", "other page"),
    ],
)
def test_a_url_is_of_the_first_type_that_fits(text, name):
    assert traffic_type(text, "url") == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("192.168.1.4", "private address or name"),
        ("nas.local", "private address or name"),
        ("8.8.8.8", "public address"),
        ("bbc.co.uk", "registered domain"),
        ("177-152-135-22-noc.linktel.net.br", "machine by its address"),
        ("tracker.example.com", "tracker or advertising"),
        ("archive.ubuntu.com", "download or update"),
        ("static22.example.com", "static asset or CDN"),
        ("api.example.com", "API"),
        ("smtp5.example.com", "mail"),
        ("id.example.com", "login or account"),
        ("2c4dcd873ed64bcc9becbcdbdde777a4.example.com", "token or identifier"),
        ("help.example.com", "other name"),
    ],
)
def test_a_host_is_of_the_first_type_that_fits(text, name):
    assert traffic_type(text, "host") == name


@given(text=st.text(min_size=1), kind=st.sampled_from(["url", "host"]))
def test_every_canonical_text_is_of_a_type(text, kind):
    canonical = canonicalise(kind, text)
    if isinstance(canonical, Canonical):
        names = {one.name for one in TRAFFIC_TYPES[kind]} | {OTHER[kind]}
        assert traffic_type(canonical.text, kind) in names
