from stream_detector.canonical import canonicalise
from stream_detector.events import Canonical
from trainer.generated.ordinary import generate_ordinary


def test_urls_are_different_and_have_a_canonical_form_without_marks() -> None:
    urls = list(generate_ordinary(6000, kind="url", seed=1))
    assert len(set(urls)) == 6000
    for url in urls:
        assert isinstance(canonicalise("url", url), Canonical), url
        assert "{token}" not in url and "{word}" not in url


def test_hosts_are_those_of_the_urls() -> None:
    hosts = list(generate_ordinary(1000, kind="host", seed=1))
    assert len(set(hosts)) == 1000
    assert {"ctldl.windowsupdate.com", "login.microsoftonline.com"} <= set(hosts)
    assert all(isinstance(canonicalise("host", host), Canonical) for host in hosts)


def test_the_same_seed_gives_the_same_urls() -> None:
    first, again, other = (list(generate_ordinary(900, kind="url", seed=s)) for s in (1, 1, 2))
    assert first == again != other
