"""Which rows are for training, for validation and for the test: always disjoint.

Validation and test hold 10% and 20% of the rows where nothing else says how many. By registered
domain is the default: a model that saw a domain's other pages knows the answer already.
"""

import zlib
from collections.abc import Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.examples.readers import DataError

__all__ = [
    "PARTS",
    "Part",
    "Split",
    "part_by_hash",
    "parts_without",
    "split_by_source",
    "split_by_time",
]

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

Split = Literal["column", "domain", "random", "source", "time"]
"""``column`` is what the data's own column ``part`` says, by domain where it says nothing."""

_VALIDATION_PERCENT = 10
_TEST_PERCENT = 20


def part_by_hash(key: str) -> Part:
    """The part of a domain (or of a text) by its hash: the same in every run, whatever is read."""
    share = zlib.crc32(key.encode()) % 100
    if share < _TEST_PERCENT:
        return "test"
    return "val" if share < _TEST_PERCENT + _VALIDATION_PERCENT else "train"


def split_by_source(
    sources: NDArray[np.str_], domains: NDArray[np.str_], held_out: Collection[str]
) -> NDArray[np.str_]:
    """Rows of the sources ``held_out`` are the test; the others are split by domain.

    A domain of the held-out sources is in no other part: its rows there are left out (``""``).

    Raises:
        DataError: no row is of a source that is to be held out.
    """
    missing = sorted(set(held_out) - set(sources.tolist()))
    if missing:
        raise DataError(
            f"no row is of the source {missing[0]!r}; there are "
            f"{', '.join(sorted(set(sources.tolist()) - {''})) or 'none with a name'}"
        )
    held = np.isin(sources, list(held_out))
    known = np.isin(domains, domains[held])
    rest = {
        domain: "val" if part_by_hash(domain) == "val" else "train"
        for domain in set(domains[~known].tolist())
    }
    return np.array(
        [
            "test" if of_held else rest.get(domain, "")
            for of_held, domain in zip(held.tolist(), domains.tolist(), strict=True)
        ],
        dtype=np.str_,
    )


def parts_without(
    parts: NDArray[np.str_], domains: NDArray[np.int64], held: NDArray[np.bool_]
) -> NDArray[np.str_]:
    """``parts`` without the rows that are ``held`` out, which are in none (``""``).

    Rows of their domains are in neither training nor validation. Test rows stay where they are,
    whatever their domain: nothing is trained on them. ``domains`` as numbers from 0, which are
    compared faster than names; all of shape ``[rows]``.
    """
    of_held = np.zeros(int(domains.max(initial=-1)) + 1, np.bool_)
    of_held[domains[held]] = True
    left: NDArray[np.str_] = np.where(held | ((parts != "test") & of_held[domains]), "", parts)
    return left


def split_by_time(times: NDArray[np.float64]) -> NDArray[np.str_]:
    """The latest rows are the test, those before them the validation.

    ``times`` in seconds since the epoch, shape ``[rows]``.

    Raises:
        DataError: a row has no time.
    """
    without = int(np.sum(np.isnan(times)))
    if without:
        raise DataError(f"{without:,} rows have no time: the split by time needs one in each")
    validation_from, test_from = np.quantile(
        times, [1 - (_TEST_PERCENT + _VALIDATION_PERCENT) / 100, 1 - _TEST_PERCENT / 100]
    )
    parts: NDArray[np.str_] = np.where(
        times >= test_from, "test", np.where(times >= validation_from, "val", "train")
    )
    return parts
