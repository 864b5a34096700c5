"""What files a bundle has, for those who carry bundles about and need no TensorFlow for it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from stream_detector.errors import BundleError
from stream_detector.events import Kind

__all__ = [
    "BYTES_MAX",
    "GATE_NAME",
    "MANIFEST_NAME",
    "SIGNATURE_NAME",
    "WEIGHTS_NAME",
    "kind_of_bundle",
]

MANIFEST_NAME = "manifest.json"
WEIGHTS_NAME = "weights.safetensors"
SIGNATURE_NAME = "manifest.sig"
"""Ed25519 over the manifest's bytes; there only where the bundle was signed."""
GATE_NAME = "gate.json"
"""The gate's decision on the bundle; in the store only, and passed over by workers."""

BYTES_MAX: Mapping[str, int] = {
    MANIFEST_NAME: 1_048_576,
    WEIGHTS_NAME: 512 * 1_048_576,
    SIGNATURE_NAME: 64,
    GATE_NAME: 1_048_576,
}
"""By file name. Far beyond any network here: a bundle that is larger is not one of ours."""


class _OfManifest(msgspec.Struct, frozen=True):
    """What of a bundle's manifest is read before TensorFlow is loaded."""

    kind: Kind


def kind_of_bundle(bundle: Path) -> Kind:
    """What the bundle is for, as its manifest says; ``load_bundle`` checks all the rest.

    Raises:
        BundleError: there is no manifest that says it.
    """
    path = bundle / MANIFEST_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=_OfManifest).kind
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read ({error.strerror}): {bundle} is no model bundle"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not a manifest: {error}") from error
