"""What files a bundle has, for those who carry bundles about and need no TensorFlow for it."""

from collections.abc import Mapping

__all__ = ["BYTES_MAX", "MANIFEST_NAME", "SIGNATURE_NAME", "WEIGHTS_NAME"]

MANIFEST_NAME = "manifest.json"
WEIGHTS_NAME = "weights.safetensors"
SIGNATURE_NAME = "manifest.sig"
"""Ed25519 over the manifest's bytes; there only where the bundle was signed."""

BYTES_MAX: Mapping[str, int] = {
    MANIFEST_NAME: 1_048_576,
    WEIGHTS_NAME: 512 * 1_048_576,
    SIGNATURE_NAME: 64,
}
"""By file name. Far beyond any network here: a bundle that is larger is not one of ours."""
