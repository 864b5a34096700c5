import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from stream_detector.errors import BundleError, SettingsError
from stream_detector.models.signing import check_signature, new_key, read_public_key, sign


@pytest.fixture
def key(tmp_path):
    new_key(tmp_path / "models.key")
    return tmp_path / "models.key"


def test_a_signature_holds_for_its_manifest_and_its_key_alone(key, tmp_path):
    public = read_public_key(tmp_path / "models.key.pub")
    signature = sign(b"manifest", key)
    check_signature(b"manifest", signature, public)

    with pytest.raises(BundleError, match="not by the private half"):
        check_signature(b"another", signature, public)
    with pytest.raises(BundleError, match="not by the private half"):
        check_signature(b"manifest", signature[:-1], public)
    with pytest.raises(BundleError, match="is not signed"):
        check_signature(b"manifest", None, public)
    other = new_key(tmp_path / "other.key")
    with pytest.raises(BundleError, match="not by the private half"):
        check_signature(b"manifest", signature, read_public_key(other))


def test_a_private_key_is_its_owners_alone_and_never_replaced(key):
    content = key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600

    with pytest.raises(SettingsError, match="exists and is not overwritten"):
        new_key(key)
    assert key.read_bytes() == content


def test_what_is_no_key_of_this_kind_is_named(key, tmp_path):
    other = tmp_path / "ec.key"
    private = generate_private_key(SECP256R1())
    other.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(SettingsError, match="another algorithm than Ed25519"):
        sign(b"manifest", other)
    with pytest.raises(SettingsError, match="no private key in PEM"):
        sign(b"manifest", tmp_path / "models.key.pub")
    with pytest.raises(SettingsError, match="holds no public key in PEM"):
        read_public_key(key)
    with pytest.raises(SettingsError, match="can't be read"):
        read_public_key(tmp_path / "missing")
