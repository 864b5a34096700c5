"""Splits of rows into training, validation and test part, always disjoint.

Unless the data decides otherwise, validation and test get 10% and 20% of the rows. The default is
by registered domain: a model that saw other pages of a domain already knows the answer.
"""

import zlib
from collections.abc import Collection
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trainer.examples.readers import DataError

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")

Split = Literal["column", "domain", "random", "source", "time"]
"""``column`` takes the data's own column ``part``, or the domain where it is empty."""

_VALIDATION_PERCENT = 10
_TEST_PERCENT = 20


def part_by_hash(key: str) -> Part:
    """The part of a domain (or of a text) by its hash: the same in every run and data set."""
    # Not Python's hash, which differs from process to process.
    share = zlib.crc32(key.encode()) % 100
    if share < _TEST_PERCENT:
        return "test"
    return "val" if share < _TEST_PERCENT + _VALIDATION_PERCENT else "train"


def split_by_source(
    sources: NDArray[np.str_], domains: NDArray[np.str_], held_out: Collection[str]
) -> NDArray[np.str_]:
    """Rows of the sources ``held_out`` become the test part; all others are split by domain.

    Rows of other sources on a domain of the held-out ones are left out (``""``).

    Raises:
        DataError: a source to hold out has no rows.
    """
    missing = sorted(set(held_out) - set(sources.tolist()))
    if missing:
        raise DataError(
            f"no row is of the source {missing[0]!r}; there are "
            f"{', '.join(sorted(set(sources.tolist()) - {''})) or 'none with a name'}"
        )
    held = np.isin(sources, list(held_out))
    # A model that saw other pages of a held-out domain would know the answer.
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
    """``parts`` with ``""`` for the rows ``held`` out.

    Rows of their domains leave training and validation as well. Test rows of any domain stay:
    no model trains on them. ``domains`` are numbers from 0, which compare faster than
    names; all arrays have the shape ``[rows]``.
    """
    of_held = np.zeros(int(domains.max(initial=-1)) + 1, np.bool_)
    of_held[domains[held]] = True
    left: NDArray[np.str_] = np.where(held | ((parts != "test") & of_held[domains]), "", parts)
    return left


def split_by_time(times: NDArray[np.float64]) -> NDArray[np.str_]:
    """The latest rows become the test part, those before them the validation part.

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
