"""Which rooms may import which: read from the sources, so that an arrow against the plan is red.

CONTRIBUTING.md explains the rooms. An exception stands here with its reason, and a test fails once
the exception is no longer needed.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = [
    {"", "errors", "events", "limits", "name_rules"},
    {"canonical", "system", "terminal"},
    {"sources", "privacy"},
    {"wire"},
    {"settings"},
    {"logs"},
    {"models"},
    {"batch_histogram", "metrics"},
    {"policy"},
    {"batch_reading", "bulk_scoring", "outcome_counts", "scanning"},
    {"pipeline"},
    {"assembly", "web"},
    {"kafka"},
    {"worker"},
    {"demo"},
    {"commands"},
    {"cli", "__main__"},
]
"""Of ``stream_detector``, the lowest first: a room imports from lower layers and its own."""

KAFKA_ROOMS = ("stream_detector.kafka", "stream_detector.worker", "stream_detector.demo")
KAFKA_CLIENTS = {"aiokafka", "confluent_kafka", "faust", "kafka", "mode"}
KAFKA_EXCEPTIONS = {}

TENSORFLOW_ROOMS = ("stream_detector.models.architectures", "trainer.training")
TENSORFLOW_EXCEPTIONS = {
    "stream_detector.models.device": "chooses the device",
    "stream_detector.models.scorer": "runs the networks",
    "trainer.families.language_model": "trains a network of its own kind",
}

CHAIN_MAX = 14
"""Modules of the longest chain of imports at module top; ``cli`` counts."""
IMPORTS_IN_FUNCTIONS_MAX = 40
"""Statements, most in commands, which start fast because of them."""
LINES_MAX = 400


class Import(NamedTuple):
    """A name that a module imports."""

    module: str
    target: str
    line: int
    in_function: bool
    for_types: bool


def _modules() -> dict[str, Path]:
    paths = [path for top in ("stream_detector", "trainer") for path in (ROOT / top).rglob("*.py")]
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in names.items()}


MODULES = _modules()


def _imports(module: str) -> Iterator[Import]:
    def within(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for name in child.names:
                    yield Import(module, name.name, child.lineno, in_function, for_types)
            elif isinstance(child, ast.ImportFrom) and child.module:
                for name in child.names:
                    full = f"{child.module}.{name.name}"
                    target = full if full in MODULES else child.module
                    yield Import(module, target, child.lineno, in_function, for_types)
            yield from within(
                child,
                in_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef),
                for_types
                or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)),
            )

    return within(ast.parse(MODULES[module].read_text(encoding="utf-8")), False, False)


IMPORTS = [each for module in MODULES for each in _imports(module)]


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    """The modules that importing ``start`` imports, itself only if one of them imports it."""
    found, left = set[str](), list(edges[start])
    while left:
        module = left.pop()
        if module not in found:
            found.add(module)
            left += edges[module]
    return found


def _told(found: list[Import]) -> str:
    return "\n".join(f"{each.module}:{each.line} imports {each.target}" for each in found)


def _is_in(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def _layer(module: str) -> int:
    room = module.partition(".")[2].partition(".")[0]
    places = [place for place, rooms in enumerate(LAYERS) if room in rooms]
    assert places, f"{module}: give its room a place in LAYERS"
    return places[0]


def test_rooms_import_only_from_lower_rooms() -> None:
    upward = [
        each
        for each in IMPORTS
        if _is_in(each.module, "stream_detector")
        and each.target in MODULES
        and _is_in(each.target, "stream_detector")
        and _layer(each.target) > _layer(each.module)
    ]
    assert not upward, _told(upward)


def test_the_detector_never_needs_the_trainer() -> None:
    found = [
        each
        for each in IMPORTS
        if _is_in(each.module, "stream_detector") and _is_in(each.target, "trainer")
    ]
    assert not found, _told(found)


def test_no_modules_import_each_other_in_a_circle() -> None:
    edges = {module: set[str]() for module in MODULES}
    for each in IMPORTS:
        if each.target in MODULES and each.target != each.module:
            edges[each.module].add(each.target)
    reached = {module: _reached(module, edges) for module in edges}
    circles = {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in edges
        if module in reached[module]
    }
    assert not circles


def test_few_rooms_know_a_kafka_client() -> None:
    found = [
        each
        for each in IMPORTS
        if each.target.partition(".")[0] in KAFKA_CLIENTS and not _is_in(each.module, *KAFKA_ROOMS)
    ]
    assert {each.module for each in found} == set(KAFKA_EXCEPTIONS), _told(found)


def test_tensorflow_is_imported_at_the_top_of_few_modules() -> None:
    found = [
        each
        for each in IMPORTS
        if (_is_in(each.target, "tensorflow", "keras") or each.target.endswith("lean_tensorflow"))
        and not each.in_function
        and not each.for_types
        and not _is_in(each.module, *TENSORFLOW_ROOMS)
    ]
    assert {each.module for each in found} == set(TENSORFLOW_EXCEPTIONS), _told(found)


@pytest.mark.parametrize("package", ["stream_detector", "trainer"])
def test_only_the_command_line_imports_commands_and_none_imports_another(package: str) -> None:
    commands = f"{package}.commands"
    shared = {"command_line", "options", "example_options", "group"}
    found = [
        each
        for each in IMPORTS
        if _is_in(each.target, commands)
        and each.target.rpartition(".")[2] not in shared
        and not _is_in(each.module, f"{package}.cli", each.target.rpartition(".")[0])
    ]
    assert not found, _told(found)


def test_imports_within_functions_are_few() -> None:
    found = {(each.module, each.line) for each in IMPORTS if each.in_function}
    assert len(found) <= IMPORTS_IN_FUNCTIONS_MAX, len(found)


def test_no_chain_of_imports_is_long() -> None:
    targets = {module: set[str]() for module in MODULES}
    for each in IMPORTS:
        if each.target in MODULES and not each.in_function and not each.for_types:
            targets[each.module].add(each.target)

    @cache
    def longest(module: str) -> tuple[str, ...]:
        return module, *max((longest(each) for each in targets[module]), key=len, default=())

    chain = max(map(longest, MODULES), key=len)
    assert len(chain) <= CHAIN_MAX, " -> ".join(chain)


def test_no_file_is_long() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in MODULES.values()
    }
    assert not {name: count for name, count in lines.items() if count > LINES_MAX}


def test_only_commands_print() -> None:
    printing = {
        f"{module}:{node.lineno}"
        for module, path in MODULES.items()
        if not _is_in(module, "stream_detector.commands", "trainer.commands", "trainer.console")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "click.echo"}
    }
    assert not printing
