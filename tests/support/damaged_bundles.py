"""Damage done to a small bundle on disk, drawn from a seed: what a loader must refuse or survive.

Each kind of damage is a function of a random generator and the place it damages, by its name in
``DAMAGE``. ``Place`` starts out as a bundle that loads.
"""

import copy
import hashlib
import json
import os
import random
import shutil
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_detector.models.files import BYTES_MAX, MANIFEST_NAME, WEIGHTS_NAME

__all__ = ["DAMAGE", "REFUSED_ALWAYS", "Files", "Place"]

NAMES = (MANIFEST_NAME, WEIGHTS_NAME)
FILE_NAMES = (
    "../secret",
    "../../../../etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "weights.safetensors/../../secret",
    "./weights.safetensors",
    "weights.safetensors\0",
    "\0",
    "",
    ".",
    "..",
    "C:\\weights.safetensors",
    "..\\secret",
    "weights.safetensor\u017f",
    "file:///etc/passwd",
    "%2e%2e/secret",
    "~/secret",
    "x" * 5000,
)
JUNK: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 65_536, 65_537, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63) - 1,
    10**400, 0.0, -0.0, 0.5, 1.5, -0.5, 1e-320, 1e308, -1e308, float("nan"), float("inf"),
    float("-inf"), "", "0", "url", "host", "\0", "\x1b[2J\nforged: line", "\ud800", "\u202eabc",
    "x" * 300_000, [], {}, [[]], [None], {"": None}, {"a": {"b": 1}}, [0] * 10_000, "2026-01-01",
    "9999-12-31T23:59:60Z", "0000-00-00T00:00:00Z", "<deep list>", "<deep object>", "<overflow>",
)  # fmt: skip
LITERALS = {
    '"<deep list>"': "[" * 100_000 + "]" * 100_000,
    '"<deep object>"': '{"a":' * 100_000 + "1" + "}" * 100_000,
    '"<overflow>"': "1e999",
}
"""What ``json`` can't write."""
FLOATS = (float("nan"), float("inf"), float("-inf"), 3.4e38, -3.4e38, 1e30, 1e-45, 0.0, -0.0)
TYPES = (
    "F64", "F32", "F16", "BF16", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F6_E2M3", "F4", "I64", "I8",
    "U64", "U8", "BOOL", "C64", "f32", "", "object", 0, None,
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 5, 24, 128, 2**31, 2**32, 2**62, 2**63, 2**64 - 1, 2**64, -1, 0.5, "4", None)


@dataclass(frozen=True)
class Files:
    """The content of a bundle's files."""

    manifest: bytes
    weights: bytes

    @classmethod
    def of(cls, folder: Path) -> "Files":
        """Those of the bundle in ``folder``."""
        return cls((folder / MANIFEST_NAME).read_bytes(), (folder / WEIGHTS_NAME).read_bytes())


class Place:
    """A bundle's folder to be damaged, beside others that nothing must be taken from."""

    def __init__(self, folder: Path, files: Files, others: tuple[Files, ...], outside: Path):
        self.folder, self.files, self.others, self.outside = folder, files, others, outside
        self.folder.mkdir()
        self.write(files.manifest, files.weights)

    def write(self, manifest: bytes, weights: bytes) -> None:
        """Replace both files."""
        (self.folder / MANIFEST_NAME).write_bytes(manifest)
        (self.folder / WEIGHTS_NAME).write_bytes(weights)

    def write_manifest(self, tree: Any) -> None:
        """A manifest changed by whoever writes it: its SHA-256 is not told by anything."""
        self.write(as_json(tree), self.files.weights)

    def write_weights(self, weights: bytes) -> None:
        """Weights changed by whoever writes the manifest: their SHA-256 agrees."""
        manifest = json.loads(self.files.manifest)
        manifest["files"][WEIGHTS_NAME] = hashlib.sha256(weights).hexdigest()
        self.write(as_json(manifest), weights)


def as_json(tree: Any) -> bytes:
    """``tree`` as JSON, with literals that Python's own encoder would not write."""
    text = json.dumps(tree)
    for placeholder, literal in LITERALS.items():
        text = text.replace(placeholder, literal)
    return text.encode()


# --- bytes ----------------------------------------------------------------------------------


def truncated(rng: random.Random, place: Place) -> None:
    """One file ends early."""
    path = place.folder / rng.choice(NAMES)
    os.truncate(path, rng.randrange(path.stat().st_size))


def flipped(rng: random.Random, content: bytes) -> bytes:
    """``content`` with one to eight bits turned."""
    changed = bytearray(content)
    for bit in rng.sample(range(8 * len(changed)), rng.randint(1, 8)):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def manifest_bits(rng: random.Random, place: Place) -> None:
    """Bits of the manifest are turned."""
    place.write(flipped(rng, place.files.manifest), place.files.weights)


def weights_bits(rng: random.Random, place: Place) -> None:
    """Bits of the weights are turned, and the manifest does not know."""
    place.write(place.files.manifest, flipped(rng, place.files.weights))


def swapped(rng: random.Random, place: Place) -> None:
    """Files stand in for others: those of another bundle, or for each other."""
    own, other = place.files, rng.choice(place.others)
    place.write(
        *rng.choice(
            [
                (own.manifest, other.weights),
                (other.manifest, own.weights),
                (own.weights, own.manifest),
                (own.manifest, own.manifest),
                (own.weights, own.weights),
            ]
        )
    )


def oversized(rng: random.Random, place: Place) -> None:
    """Sparse: no disk is taken, and reading it would take memory."""
    name = rng.choice(NAMES)
    beyond = rng.choice([1, 2, 4096, 1 << 32, 1 << 40])
    os.truncate(place.folder / name, BYTES_MAX[name] + beyond)


def misplaced(rng: random.Random, place: Place) -> None:
    """Something that is no file of the bundle by its name."""
    path = place.folder / rng.choice(NAMES)
    content = path.read_bytes()
    path.unlink()
    elsewhere = place.folder.with_name("elsewhere")
    elsewhere.write_bytes(content)

    def bind() -> None:
        # A socket's path may have 107 bytes: bound where it is short, then moved.
        with socket.socket(socket.AF_UNIX) as server:
            short = Path(f"/tmp/stream-detector-{os.getpid()}.socket")
            server.bind(str(short))
            shutil.move(short, path)

    rng.choice(
        [
            lambda: None,
            path.mkdir,
            bind,
            lambda: os.mkfifo(path),
            lambda: path.symlink_to(elsewhere),
            lambda: path.symlink_to(path),
            lambda: path.symlink_to("missing"),
            lambda: path.symlink_to("/dev/zero"),
            lambda: path.symlink_to(place.outside / path.name),
            lambda: path.symlink_to(f"../{place.folder.name}"),
        ]
    )()


# --- the manifest ---------------------------------------------------------------------------


def containers(tree: Any) -> Iterator[Any]:
    """Every object and list inside ``tree``, itself first."""
    if isinstance(tree, dict | list):
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from containers(value)


def change(rng: random.Random, tree: Any, values: tuple[Any, ...] = JUNK) -> None:
    """One change somewhere in ``tree``: a value taken away, added, replaced or put elsewhere."""
    where = rng.choice([container for container in containers(tree) if container] or [tree])
    # A copy: what is put in may be changed by the next call.
    value = copy.deepcopy(rng.choice(values))
    if isinstance(where, list):
        where[rng.randrange(len(where))] = value
        return
    key = rng.choice([*where, "name"])
    match rng.randrange(8):
        case 0:
            where.pop(key, None)
        case 1:
            where[rng.choice(["extra", "", "self", "name", "\x1b[2J\n", "x" * 5000])] = value
        case 2:
            where[rng.choice([*where, "name"])] = copy.deepcopy(where.get(key))
        case _:
            where[key] = value


def manifest_values(rng: random.Random, place: Place) -> None:
    """Values of the manifest are missing, others, or of another type."""
    tree = json.loads(place.files.manifest)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        change(rng, tree)
    place.write_manifest(tree)


def manifest_numbers(rng: random.Random, place: Place) -> None:
    """Values of the right kind that are wrong: what a check of types lets pass."""
    tree = json.loads(place.files.manifest)
    number = rng.choice(
        [-1, 0, 1, 24, 65_536, 65_537, 2**40, 10**400, 0.3, 0.95, 1.01, 1e300, -1e300, 1e-300]
    )
    match rng.randrange(7):
        case 0:
            tree["parameters"][rng.choice(list(tree["parameters"]))] = number
        case 1:
            tree["calibration"][rng.choice(["slope", "intercept"])] = number
        case 2:
            point = tree["thresholds"][rng.choice(["suspicious", "malicious"])]
            point[rng.choice(list(point))] = number
        case 3:
            tree["canonical_form_version"] = number
        case 4:
            tree["architecture"] = rng.choice(
                [
                    "",
                    "BILSTM",
                    "bilstm ",
                    "wide_bilstm",
                    "lstm_embed",
                    "os.system",
                    "x" * 5000,
                    "\n",
                ]
            )
        case 5:
            # The rows all in one bin, so that they add up.
            tree["reference"]["rows"] = number
            for histogram in tree["reference"]["histograms"].values():
                histogram["counts"] = [number] + [0] * len(histogram["edges"])
        case _:
            tree["parameters"][rng.choice(["self", "steps", "x" * 5000, "\x1b[2J\n"])] = number
    place.write_manifest(tree)


def file_names(rng: random.Random, place: Place) -> None:
    """The manifest names files that no bundle has."""
    tree = json.loads(place.files.manifest)
    sha256 = tree["files"][WEIGHTS_NAME]
    if rng.random() < 0.5:
        tree["files"] = {}
    for name in rng.sample(FILE_NAMES, rng.randint(1, 3)):
        tree["files"][name] = sha256
    place.write_manifest(tree)


def manifest_text(rng: random.Random, place: Place) -> None:
    """JSON that parsers differ on, and what is none."""
    text = place.files.manifest
    middle = rng.randrange(len(text))
    place.write(
        rng.choice(
            [
                text + rng.randbytes(8),
                text + text,
                b"\xef\xbb\xbf" + text,
                text.decode().encode("utf-16"),
                text.replace(b'"kind"', b'"kind": "host", "kind"', 1),
                text.replace(b'"name"', b'"name": "\\ud800", "na\\u006de"', 1),
                b" " * (BYTES_MAX[MANIFEST_NAME] - len(text)) + text,
                text[:middle]
                + rng.choice([b"//", b"NaN", b",", b"\0", b"\\", b'"'])
                + text[middle:],
                b"[" * rng.randint(1, BYTES_MAX[MANIFEST_NAME]),
                b'{"name":' * rng.randint(1, 120_000),
                b'{"extra":' + b"[" * 200_000 + b"]" * 200_000 + b"," + text[1:],
                rng.randbytes(rng.randint(0, 4096)),
            ]
        ),
        place.files.weights,
    )


# --- the weights, with a manifest that agrees with them -----------------------------------------


def split(weights: bytes) -> tuple[Any, bytes]:
    """Header and body of a safetensors file."""
    length = int.from_bytes(weights[:8], "little")
    return json.loads(weights[8 : 8 + length]), weights[8 + length :]


def joined(header: Any, body: bytes, *, length: int | None = None) -> bytes:
    """A safetensors file; ``length`` is what it says of its header, right unless given."""
    text = as_json(header)
    text = text.ljust(-(-len(text) // 8) * 8)
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def weights_header(rng: random.Random, place: Place) -> None:
    """The header of the weights says what is not so."""
    header, body = split(place.files.weights)
    for _ in range(rng.choice([1, 1, 2, 3])):
        tensors = [value for value in header.values() if isinstance(value, dict)]
        tensor = rng.choice(tensors) if tensors else header
        match rng.randrange(7):
            case 0:
                tensor["dtype"] = rng.choice(TYPES)
            case 1 | 2 if isinstance(tensor.get("shape"), list) and tensor["shape"]:
                tensor["shape"][rng.randrange(len(tensor["shape"]))] = rng.choice(NUMBERS)
            case 3 if tensor.get("data_offsets"):
                begin = rng.choice([*NUMBERS, len(body), len(body) + 4])
                tensor["data_offsets"][rng.randrange(2)] = begin
            case 4:
                tensor["shape"] = rng.choice(
                    [[], [1] * 70, [1] * 5000, [0, 2**62], [2**32, 2**32], [0], [[1]], {}]
                )
            case 5:
                header["__metadata__"] = rng.choice([{}, {"a": "b"}, {"a": 1}, [], "x", None])
            case _:
                change(rng, header, NUMBERS)
    place.write_weights(joined(header, body))


def weights_layout(rng: random.Random, place: Place) -> None:
    """A header's length that lies, a body of another length, parts that overlap."""
    header, body = split(place.files.weights)
    match rng.randrange(5):
        case 0:
            length = rng.choice([0, 1, 2, 8, 100_000_000, 2**31, 2**32, 2**63, 2**64 - 1])
            place.write_weights(joined(header, body, length=length))
        case 1:
            place.write_weights(joined(header, body[: rng.randrange(len(body))]))
        case 2:
            place.write_weights(joined(header, body + rng.randbytes(rng.randint(1, 5000))))
        case 3:
            one, other = rng.sample(list(header), 2)
            header[one]["data_offsets"] = header[other]["data_offsets"]
            place.write_weights(joined(header, body))
        case _:
            one, other = rng.sample(list(header), 2)
            header[one], header[other] = header[other], header[one]
            place.write_weights(joined(header, body))


def weights_damaged(rng: random.Random, place: Place) -> None:
    """The weights end early or have bits turned, and the manifest agrees with them."""
    content = place.files.weights
    if rng.random() < 0.5:
        place.write_weights(content[: rng.randrange(len(content))])
    else:
        place.write_weights(flipped(rng, content))


def weights_values(rng: random.Random, place: Place) -> None:
    """Some weights are numbers that no training gives."""
    header, body = split(place.files.weights)
    values = bytearray(body)
    for _ in range(rng.choice([1, 1, 3, 50])):
        struct.pack_into("<f", values, 4 * rng.randrange(len(values) // 4), rng.choice(FLOATS))
    place.write_weights(joined(header, bytes(values)))


DAMAGE: Mapping[str, Callable[[random.Random, Place], None]] = {
    damage.__name__: damage
    for damage in (
        truncated,
        manifest_bits,
        weights_bits,
        swapped,
        oversized,
        misplaced,
        manifest_values,
        manifest_numbers,
        manifest_text,
        file_names,
        weights_header,
        weights_layout,
        weights_damaged,
        weights_values,
    )
}

REFUSED_ALWAYS = frozenset(
    {"truncated", "weights_bits", "swapped", "oversized", "misplaced", "file_names"}
)
"""Damage after which no bundle is whole; after the rest one may be, and must score then."""
