"""Which logins are let in, which are checked at all, and in which order."""

import asyncio
import base64
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from stream_detector.web import logins as web_logins
from stream_detector.web.logins import Logins, TooManyLoginsError, client_of

PASSWORD = "correct-horse-battery"
HERE, THERE = "192.0.2.1", "192.0.2.2"
AT_ONCE = web_logins._CHECKS_PER_CLIENT


def hash_of(password: str) -> bytes:
    """As fast as bcrypt allows."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def logins() -> Iterator[Logins]:
    logins = Logins()
    yield logins
    logins.close()


class Checks:
    """bcrypt's comparisons: what was compared, and each held up until ``go`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passwords: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self._real = bcrypt.checkpw
        monkeypatch.setattr(bcrypt, "checkpw", self._compare)

    def _compare(self, password: bytes, hashed: bytes) -> bool:
        self.passwords.append(password.decode())
        self.go.wait()
        return self._real(password, hashed)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Checks]:
    checks = Checks(monkeypatch)
    yield checks
    checks.go.set()


async def all_wait() -> None:
    """Until tasks just begun have come as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_only_right_logins_are_allowed(logins: Logins) -> None:
    umlaut, longest = "pässwörd", "x" * 72
    passwords = {"kim": PASSWORD, "jörg": umlaut, "long": longest}
    users = {name: hash_of(password) for name, password in passwords.items()}

    for _ in range(2):  # The second time from memory.
        for name, password in passwords.items():
            assert await logins.allow(users, basic(name, password), HERE)
        for header in [
            "",
            "Basic",
            "Basic !!!",
            "Basic a2lt",
            f"Bearer {PASSWORD}",
            basic("kim", ""),
            basic("kim", umlaut),
            basic("kim", PASSWORD + "x"),
            basic("kim", PASSWORD + "\0"),
            basic("kim", "\0"),
            basic("long", longest + "x"),
            basic("mallory", PASSWORD),
            basic("", ""),
            "Basic /////w==",
        ]:
            assert not await logins.allow(users, header, HERE), header
    assert await logins.allow(users, basic("kim", PASSWORD).replace("Basic", "basic"), HERE)


async def test_a_login_is_checked_once_right_or_wrong(logins: Logins, checks: Checks) -> None:
    users = {"kim": hash_of(PASSWORD)}

    for _ in range(3):
        assert await logins.allow(users, basic("kim", PASSWORD), HERE)
        assert not await logins.allow(users, basic("kim", "wrong"), HERE)
        assert not await logins.allow(users, basic("mallory", "wrong"), THERE)

    assert checks.passwords == [PASSWORD, "wrong", "wrong"]


async def test_an_unknown_name_takes_as_long_as_a_known_one(logins: Logins, checks: Checks) -> None:
    """Each new pair of name and password is one check, whether there is such a user or not."""
    users = {"kim": hash_of(PASSWORD)}

    for name in ("mallory", "kim", "oscar"):
        assert not await logins.allow(users, basic(name, "guess"), HERE)

    assert checks.passwords == ["guess"] * 3


async def test_only_a_new_hash_makes_a_login_new(logins: Logins, checks: Checks) -> None:
    kim, jo = hash_of(PASSWORD), hash_of("jo's")
    for user, password in (("kim", PASSWORD), ("jo", "jo's")):
        assert await logins.allow({"kim": kim, "jo": jo}, basic(user, password), HERE)
    assert not await logins.allow({"kim": kim, "jo": jo}, basic("jo", "another"), HERE)
    checks.passwords.clear()

    after = {"kim": kim, "jo": hash_of("another"), "lee": hash_of("lee's")}
    assert await logins.allow(after, basic("kim", PASSWORD), HERE)
    assert checks.passwords == []
    assert not await logins.allow(after, basic("jo", "jo's"), HERE)
    assert await logins.allow(after, basic("jo", "another"), HERE)
    assert checks.passwords == ["jo's", "another"]
    assert not await logins.allow({"jo": jo}, basic("kim", PASSWORD), HERE), "kim is gone"


async def test_only_the_wrong_logins_seen_last_are_remembered(
    logins: Logins, checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_logins, "_REMEMBERED", 2)
    users = {"kim": hash_of(PASSWORD)}

    for number, guess in enumerate(["a", "b", "a", "c", "a", "b"]):
        assert not await logins.allow(users, basic("kim", guess), f"192.0.2.{number}")

    assert checks.passwords == ["a", "b", "c", "b"]
    assert len(logins._wrong) == len(logins._had_wrong) == 2


async def test_the_same_login_many_times_at_once_is_one_check(
    logins: Logins, checks: Checks
) -> None:
    users = {"kim": hash_of(PASSWORD)}
    asked = [logins.allow(users, basic("kim", PASSWORD), HERE) for _ in range(5 * AT_ONCE)]

    assert all(await asyncio.gather(*asked))

    assert checks.passwords == [PASSWORD]


async def test_a_login_that_comes_while_the_same_one_is_checked_takes_its_answer(
    logins: Logins, checks: Checks
) -> None:
    users = {"kim": hash_of(PASSWORD)}
    checks.go.clear()
    first = asyncio.create_task(logins.allow(users, basic("kim", PASSWORD), HERE))
    while not checks.passwords:
        await asyncio.sleep(0)
    again = asyncio.create_task(logins.allow(users, basic("kim", PASSWORD), THERE))
    await all_wait()
    checks.go.set()

    assert await asyncio.wait_for(asyncio.gather(first, again), timeout=20) == [True, True]
    assert checks.passwords == [PASSWORD]


async def test_an_address_has_a_few_checks_at_once_and_waits_behind_others(
    logins: Logins, checks: Checks
) -> None:
    users = {"kim": hash_of(PASSWORD)}
    guesses = [f"guess {number}" for number in range(AT_ONCE)]

    for _ in range(2):  # The second time the address is known for what it did the first time.
        checks.go.clear()
        flood = [
            asyncio.create_task(logins.allow(users, basic("kim", each), HERE)) for each in guesses
        ]
        await all_wait()
        with pytest.raises(TooManyLoginsError):
            await logins.allow(users, basic("kim", "one more"), HERE)
        first = asyncio.create_task(logins.allow(users, basic("kim", PASSWORD), THERE))
        await all_wait()
        checks.go.set()
        assert await first
        assert not any(await asyncio.gather(*flood))

        assert checks.passwords == [guesses[0], PASSWORD, *guesses[1:]]
        assert not logins._in_flight
        checks.passwords.clear()
        guesses = [each + " again" for each in guesses]
        users = {"kim": hash_of(PASSWORD)}  # Nobody is known any more.


async def test_addresses_without_a_wrong_login_go_first(logins: Logins, checks: Checks) -> None:
    users = {"kim": hash_of(PASSWORD)}
    attackers = [f"198.51.100.{number}" for number in range(20)]
    for attacker in attackers:
        assert not await logins.allow(users, basic("kim", attacker), attacker)
    checks.passwords.clear()
    checks.go.clear()

    guesses = [f"{attacker} {number}" for number in range(2) for attacker in attackers]
    flood = [
        asyncio.create_task(logins.allow(users, basic("kim", guess), guess.split()[0]))
        for guess in guesses
    ]
    await all_wait()
    first = asyncio.create_task(logins.allow(users, basic("kim", PASSWORD), HERE))
    await all_wait()
    checks.go.set()
    assert await first
    assert not any(await asyncio.gather(*flood))

    assert checks.passwords == [guesses[0], PASSWORD, *guesses[1:]]


async def test_a_login_that_nobody_waits_for_is_not_checked(logins: Logins, checks: Checks) -> None:
    users = {"kim": hash_of(PASSWORD)}
    checks.go.clear()
    running, left, shared, stays = (
        asyncio.create_task(logins.allow(users, basic("kim", password), HERE))
        for password in ("runs", "left", PASSWORD, PASSWORD)
    )
    await all_wait()

    for task in (running, left, shared):
        task.cancel()
    await all_wait()
    checks.go.set()

    assert await stays
    assert checks.passwords == ["runs", PASSWORD]
    assert not logins._in_flight


async def test_a_hash_that_bcrypt_refuses_is_an_error_and_the_next_login_is_checked(
    logins: Logins,
) -> None:
    users = {"kim": hash_of(PASSWORD), "odd": b"$2b$04$" + b"." * 10}

    with pytest.raises(ValueError, match="salt"):
        await logins.allow(users, basic("odd", PASSWORD), HERE)

    assert await logins.allow(users, basic("kim", PASSWORD), HERE)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_a_network_of_them(address: str, client: str) -> None:
    assert client_of(address) == client
