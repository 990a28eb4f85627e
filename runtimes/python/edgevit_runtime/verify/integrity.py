"""The seal behind an artefact: its checksum, and who vouches for it.

    bytes 0..15     b"EDGEVIT SEAL 1\\0\\0"
    bytes 16..47    SHA-256 of everything before the seal: nothing else is ever read of an artefact
    bytes 48..79    Ed25519 public key, or zeros
    bytes 80..143   Ed25519 signature (RFC 8032) of b"edgevit artefact\\0" and the checksum, or zeros

It begins at the manifest's `size_bytes`. The checksum finds a damaged card or transfer, always. The signature is looked
at when a key to trust is given (`edgevit-run --trust PUB`), and needs the `cryptography` package.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

from edgevit_runtime.errors import ArtefactError, EdgeViTError

MAGIC = b"EDGEVIT SEAL 1\0\0"
CONTEXT = b"edgevit artefact\0"
SIZE_BYTES = 16 + 32 + 32 + 64


class Seal(NamedTuple):
    """Its parts; `key` and `signature` are zeros where nobody signed."""

    checksum: bytes
    key: bytes
    signature: bytes

    @property
    def signed(self) -> bool:
        return any(self.signature)

    def to_bytes(self) -> bytes:
        return MAGIC + self.checksum + self.key + self.signature


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a whole file, seal and all, as `sha256sum` prints it: which file a measurement is of."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_seal(data: memoryview, size_bytes: int) -> Seal | None:
    """The seal behind the artefact, or None where it has none (made before there were seals, or taken off)."""
    with data[size_bytes : size_bytes + SIZE_BYTES] as behind:
        block = bytes(behind)
    if len(block) < SIZE_BYTES or not block.startswith(MAGIC):
        return None
    return Seal(block[16:48], block[48:80], block[80:])


def make_seal(digest: bytes, private_key: str | os.PathLike[str] | None = None) -> Seal:
    """The seal of an artefact with this checksum, signed where there is a key.

    private_key: PEM, as `openssl genpkey -algorithm ed25519` writes it.
    """
    if private_key is None:
        return Seal(digest, bytes(32), bytes(64))
    key = _load_key(private_key, private=True)
    raw = key.public_key().public_bytes_raw()
    return Seal(digest, raw, key.sign(CONTEXT + digest))


class Checked(NamedTuple):
    """digest: SHA-256 of the whole file, with its seal and whatever a tool put behind that."""

    digest: bytes
    seal: Seal | None


def check_seal(data: memoryview, size_bytes: int, trust: str | os.PathLike[str] | None = None) -> Checked:
    """What identifies a file, after its seal was found right.

    size_bytes: of the artefact without its seal, as its manifest says: a claim, and `digest` does not go by it.
    trust: a public key (PEM); the artefact must then be signed with its private half.
    Raises `ArtefactError` where it is not, or where the file's bytes are not those that were sealed.
    """
    with data[:size_bytes] as sealed, data[size_bytes:] as behind:
        running = hashlib.sha256(sealed)
        digest = running.digest()
        running.update(behind)
    seal = read_seal(data, size_bytes)
    if seal is not None and seal.checksum != digest:
        raise ArtefactError("its bytes are not those that were sealed: damaged or changed; copy or convert it again")
    if trust is not None:
        key = _load_key(trust, private=False)
        if seal is None or not seal.signed:
            raise ArtefactError(f"it is not signed, and only what {trust} vouches for is wanted")
        from cryptography.exceptions import InvalidSignature

        try:
            key.verify(seal.signature, CONTEXT + digest)
        except InvalidSignature:
            raise ArtefactError(f"it is not signed by the key {trust}") from None
    return Checked(running.digest(), seal)


def _load_key(path: str | os.PathLike[str], *, private: bool) -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
        from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
    except ImportError:
        raise EdgeViTError("signatures need the package cryptography: `pip install 'edgevit-runtime[trust]'`") from None
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError as error:
        raise EdgeViTError(f"cannot read the key {path}: {error.strerror}") from error
    kind = "private" if private else "public"
    try:
        key: Any = load_pem_private_key(text, None) if private else load_pem_public_key(text)
    except (ValueError, TypeError) as error:
        raise EdgeViTError(f"{path} is no {kind} key in PEM: {error}") from error
    if not isinstance(key, ed25519.Ed25519PrivateKey if private else ed25519.Ed25519PublicKey):
        raise EdgeViTError(f"{path} is no Ed25519 key; make one with `openssl genpkey -algorithm ed25519`")
    return key
