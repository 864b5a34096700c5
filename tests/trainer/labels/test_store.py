"""The label store keeps exactly one row a record, whatever is added again or cut short."""

import itertools
import multiprocessing
import os
from datetime import date
from functools import partial
from operator import attrgetter
from pathlib import Path
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.labels import NOON, stored_label
from trainer.labels.store import LabelStore, LabelStoreError, StoredLabel, filled_store

PLACE = attrgetter("place")
LABELS = [
    stored_label(
        f"http://evil{number}.example/x", partition=partition, offset=number, days=number // 4
    )
    for partition in range(2)
    for number in range(10)
]


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path / "deep" / "store", today=NOON.date)


def test_an_empty_store_says_how_to_fill_it(store: LabelStore) -> None:
    with pytest.raises(LabelStoreError, match=r"store holds no labels: fill it by .* --store /"):
        filled_store(store.folder)
    with store.writing():
        store.add(LABELS[:1])
    filled_store(store.folder)


def files_of(store: LabelStore) -> list[str]:
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.glob("*/*"))


def test_labels_come_back_as_they_were_in_the_file_of_the_day_they_were_collected(
    store: LabelStore,
) -> None:
    odd = stored_label(
        "EVIL.example:443", "benign", offset=99, analyst=None, feed="ü" * 200, confidence=0.5
    )
    assert store.is_empty()
    with store.writing():
        assert store.add([odd, *LABELS]) == 21

    assert not store.is_empty()
    assert sorted(store.labels(), key=PLACE) == sorted([odd, *LABELS], key=PLACE)
    assert files_of(store) == ["day=2026-11-24/labels.parquet"]
    rows = pq.read_table(store.folder / "day=2026-11-24/labels.parquet").to_pylist()
    assert [(row["partition"], row["offset"]) for row in rows] == [
        *((0, offset) for offset in range(10)),
        (0, 99),
        *((1, offset) for offset in range(10)),
    ]


@settings(deadline=None, max_examples=30)  # Disks are slow at times.
@given(st.lists(st.lists(st.sampled_from(LABELS), max_size=8), max_size=4))
def test_whatever_is_added_however_often_each_record_has_one_row(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[StoredLabel]]
) -> None:
    store = LabelStore(tmp_path_factory.mktemp("store"))
    with store.writing():
        added = sum(store.add(batch) for batch in batches)

    wanted = set(itertools.chain.from_iterable(batches))
    assert set(store.labels()) == wanted
    assert len(list(store.labels())) == len(wanted)
    assert added == len(wanted)


def test_a_writer_of_records_of_any_day_makes_no_folder_of_each(store: LabelStore) -> None:
    old = [stored_label(offset=number, days=-number) for number in range(1500)]
    with store.writing():
        assert store.add(old) == 1500

    assert files_of(store) == ["day=2026-11-24/labels.parquet"]
    assert set(store.labels()) == set(old)


def test_a_store_by_days_of_writing_is_read_and_added_to_as_it_is(tmp_path: Path) -> None:
    for number, day in enumerate(("2026-11-24", "2026-11-26")):
        of_day = LabelStore(tmp_path, today=partial(date.fromisoformat, day))
        with of_day.writing():
            of_day.add(LABELS[number * 10 : number * 10 + 5])
    store = LabelStore(tmp_path, today=lambda: date(2026, 11, 27))
    with store.writing():
        assert store.add(LABELS[:7]) == 2
        assert store.add(LABELS[:7]) == 0

    assert set(store.labels()) == {*LABELS[:7], *LABELS[10:15]}
    assert files_of(store)[-1] == "day=2026-11-27/labels.parquet"


def test_a_store_from_before_labels_were_signed_is_read_and_added_to(store: LabelStore) -> None:
    signed = [label._replace(signed=True) for label in LABELS]
    with store.writing():
        store.add(signed[:10])
    path = store.folder / "day=2026-11-24/labels.parquet"
    # As it was written then: what was signed since would come back as it was.
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["signed"]), path)

    assert sorted(store.labels(), key=PLACE) == LABELS[:10], "none of them is signed"
    assert store.count("url") == 10
    again = LabelStore(store.folder, today=NOON.date)
    with again.writing():
        assert again.add(signed) == 10, "what it has is not added once more"
    assert files_of(again) == ["day=2026-11-24/labels.parquet"]
    assert sorted(again.labels(), key=PLACE) == [*LABELS[:10], *signed[10:]]


def test_a_day_of_many_labels_has_several_files(store: LabelStore) -> None:
    with patch("trainer.labels.store._FILE_ROWS", 5), store.writing():
        for start in range(0, 20, 4):
            store.add(LABELS[start : start + 4])

    names = ("labels-1.parquet", "labels-2.parquet", "labels.parquet")
    assert files_of(store) == [f"day=2026-11-24/{name}" for name in names]
    assert set(store.labels()) == set(LABELS)
    assert store.count("url") == 20


def test_only_its_owner_may_read_a_store_whatever_the_umask(store: LabelStore) -> None:
    mask = os.umask(0)
    try:
        with store.writing():
            store.add(LABELS)
    finally:
        os.umask(mask)

    modes = {path: path.stat().st_mode & 0o777 for path in store.folder.rglob("*")}
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_labels_are_counted_by_kind(store: LabelStore) -> None:
    assert store.count("url") == 0
    with store.writing():
        store.add([*LABELS, stored_label("evil.example", offset=99, days=5)])

    assert (store.count("url"), store.count("host")) == (20, 1)
    for kind in ("url", "host"):
        of_kind = [each for each in store.labels() if each.label.canonical.kind == kind]
        assert store.count(kind) == len(of_kind)


def test_a_write_cut_short_leaves_the_old_file_and_its_leftover_goes(store: LabelStore) -> None:
    with store.writing():
        store.add(LABELS[:2])
    # As after a kill: the draft stays.
    with (
        patch("pathlib.Path.replace", side_effect=KeyboardInterrupt),
        patch("pathlib.Path.unlink"),
        pytest.raises(KeyboardInterrupt),
        store.writing(),
    ):
        store.add(LABELS[:3])
    assert len(files_of(store)) == 2
    assert list(store.labels()) == LABELS[:2]

    with store.writing():
        assert files_of(store) == ["day=2026-11-24/labels.parquet"]
        assert store.add(LABELS[:3]) == 1
    assert list(store.labels()) == LABELS[:3]


def _try_to_write(folder: Path, said: "multiprocessing.Queue[str]") -> None:
    try:
        with LabelStore(folder).writing():
            said.put("writes")
    except LabelStoreError as error:
        said.put(str(error))


def test_one_process_at_a_time_writes(store: LabelStore) -> None:
    context = multiprocessing.get_context("spawn")
    said: multiprocessing.Queue[str] = context.Queue()
    with store.writing():
        second = context.Process(target=_try_to_write, args=(store.folder, said))
        second.start()
        assert "another process collects" in said.get(timeout=60)
        second.join()


def test_a_topic_that_was_created_again_is_not_taken_for_the_old_one(store: LabelStore) -> None:
    first = LABELS[0]
    with store.writing():
        store.add([first])
        later = first._replace(written_at=first.written_at.replace(hour=13))
        with pytest.raises(LabelStoreError, match="deleted and created again"):
            store.add([later])
    assert list(store.labels()) == [first]


def test_a_file_that_is_no_parquet_is_named(store: LabelStore) -> None:
    path = store.folder / "day=2026-11-24/labels.parquet"
    path.parent.mkdir(parents=True)
    path.write_text("no")

    with pytest.raises(LabelStoreError, match=r"day=2026-11-24/labels\.parquet"):
        list(store.labels())
    with pytest.raises(LabelStoreError, match=r"day=2026-11-24/labels\.parquet"):
        store.count("url")
    with store.writing(), pytest.raises(LabelStoreError, match=r"labels\.parquet"):
        store.add(LABELS)
    assert path.read_text() == "no"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(LabelStoreError, match="Not a directory"),
        LabelStore(tmp_path / "file" / "store").writing(),
    ):
        pass
