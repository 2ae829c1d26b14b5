"""Signatures of firmware, as charge points check them before they install it.

Imports cryptography. Sources: OCPP 1.6 security whitepaper L01.FR.04 and section 6.7; OCPP 2.x use
case L01. The whole file is signed, with SHA-256, by RSA-PSS or on an elliptic curve. The texts name
ECSchnorr for the latter, which hardly any program knows: here it is ECDSA, as in A00.FR.505.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

__all__ = ["sign", "verify"]

#: FirmwareType.signature has room for so many characters.
_LONGEST = 800
_SHA256 = hashes.SHA256()
_HASHED = utils.Prehashed(_SHA256)


def sign(firmware: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """The ``signature`` of a firmware file. Blocks while it reads the file.

    :param key: that of the Firmware Signing certificate.
    :returns: base64, for FirmwareType.
    :raises OSError: if the file cannot be read.
    :raises ValueError: if the signature is too long for FirmwareType.
    """
    digest = _digest(firmware)
    if isinstance(key, rsa.RSAPrivateKey):
        salt = padding.PSS(padding.MGF1(_SHA256), padding.PSS.DIGEST_LENGTH)
        signature = key.sign(digest, salt, _HASHED)
    else:
        signature = key.sign(digest, ec.ECDSA(_HASHED))
    text = base64.b64encode(signature).decode()
    if len(text) > _LONGEST:
        raise ValueError(f"a signature has at most {_LONGEST} characters: use a key of 4096 bits")
    return text


def verify(firmware: Path, signature: str, certificate: x509.Certificate) -> bool:
    """Whether a file is what the owner of a certificate has signed. Blocks while it reads it.

    A00.FR.706 wants this checked before a charge point is told to fetch it.

    :param signature: base64, as in FirmwareType.
    :raises OSError: if the file cannot be read.
    """
    key = certificate.public_key()
    try:
        signed = base64.b64decode(signature, validate=True)
        if isinstance(key, rsa.RSAPublicKey):
            salt = padding.PSS(padding.MGF1(_SHA256), padding.PSS.AUTO)
            key.verify(signed, _digest(firmware), salt, _HASHED)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signed, _digest(firmware), ec.ECDSA(_HASHED))
        else:
            return False
    except (binascii.Error, InvalidSignature):
        return False
    return True


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = hashes.Hash(_SHA256)
        while part := file.read(1024 * 1024):
            digest.update(part)
    return digest.finalize()
