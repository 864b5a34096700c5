from hypothesis import given
from hypothesis import strategies as st

from stream_detector.policy.memory import Memo


def test_an_entry_is_found() -> None:
    memo: Memo[str, int] = Memo(10)
    memo.put("a", 1)
    assert memo.get("a") == 1
    assert memo.get("b") is None
    assert memo.get_all(["b", "a", "a"]) == [None, 1, 1]


def test_used_entries_outlive_unused_ones() -> None:
    memo: Memo[str, int] = Memo(4)
    memo.put("used", 0)
    memo.put("unused", 0)
    for number in range(10):
        memo.put(f"new{number}", number)
        assert memo.get("used") == 0
    assert memo.get("unused") is None


def test_looking_up_many_keeps_them_as_looking_up_one_does() -> None:
    memo: Memo[str, int] = Memo(4)
    memo.put("used", 0)
    for number in range(10):
        memo.put(f"new{number}", number)
        assert memo.get_all(["absent", "used"]) == [None, 0]


def test_a_memo_of_no_entries_remembers_nothing() -> None:
    memo: Memo[str, int] = Memo(0)
    memo.put("a", 1)
    assert memo.get("a") is None


def test_a_cleared_memo_has_forgotten_both_generations() -> None:
    memo: Memo[int, int] = Memo(4)
    for number in range(1, 4):
        memo.put(number, number)
    memo.clear()
    assert memo.get_all([1, 2, 3]) == [None, None, None]


@given(
    entries=st.integers(0, 12),
    steps=st.lists(st.tuples(st.sampled_from(["put", "get"]), st.integers(0, 30))),
)
def test_never_holds_more_than_its_entries_nor_a_wrong_value(
    entries: int, steps: list[tuple[str, int]]
) -> None:
    memo: Memo[int, str] = Memo(entries)
    for step, key in steps:
        if step == "put":
            memo.put(key, str(key))
        else:
            assert memo.get(key) in {None, str(key)}
        assert len(memo) <= entries
