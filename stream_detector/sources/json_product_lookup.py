"""Which product of ``json_product_table`` an object is of."""

from collections.abc import Iterable

from stream_detector.sources.json_product_table import PRODUCTS
from stream_detector.sources.json_products import Fields, Product


def _first_names(product: Product) -> Iterable[str]:
    path = product.has[0] if product.has[0] != "class_uid" else product.has[1]
    yield path.partition(".")[0]
    yield path  # Written with its dots.
    for end in range(len(path)):
        if path[end] == ".":
            yield path[:end]


_BY_NAME: dict[str, list[Product]] = {}
for _product in PRODUCTS:
    for _name in dict.fromkeys(_first_names(_product)):
        _BY_NAME.setdefault(_name, []).append(_product)
NAMES = frozenset(_BY_NAME)
"""An object without any of these names at its top is of no product."""


def product_of(fields: Fields) -> Product | None:
    """The product whose fields the object has; None for other objects."""
    candidates = [product for name in fields.content.keys() & NAMES for product in _BY_NAME[name]]
    if len(candidates) > 1:
        candidates.sort(key=PRODUCTS.index)
    return next((each for each in candidates if each.claims(fields)), None)
