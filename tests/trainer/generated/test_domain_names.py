from collections import Counter

from stream_detector.canonical import canonical_host
from stream_detector.events import Canonical
from trainer.generated.domain_names import GENERATORS, generate_names


def test_names_are_canonical_different_and_of_every_class():
    names = list(generate_names(5000, seed=1))
    assert len({name.host for name in names}) == 5000
    for name in names:
        canonical = canonical_host(name.host)
        assert isinstance(canonical, Canonical)
        assert canonical.text == name.host
        assert canonical.registered_domain == name.host
    assert set(Counter(name.algorithm for name in names)) == set(GENERATORS)


def test_the_same_seed_gives_the_same_names():
    first, again, other = (list(generate_names(600, seed=seed)) for seed in (1, 1, 2))
    assert first == again
    assert not {name.host for name in first} & {name.host for name in other}
