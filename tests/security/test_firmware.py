"""Firmware is signed as charge points check it."""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.security.firmware import sign, verify
from tests.security.certificates import certificate, ec_key, name, rsa_key


class Firmware(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = Path(self.mktemp())
        self.file.write_bytes(b"firmware" * 300_000)

    def test_signed_and_verified(self) -> None:
        for key in (rsa_key(), ec_key()):
            signature = sign(self.file, key)
            signer = certificate(key, name(cn="Maker"))
            self.assertTrue(verify(self.file, signature, signer))
            self.assertFalse(verify(self.file, signature, certificate(ec_key(1), name(cn="M"))))

    def test_as_the_whitepaper_has_it(self) -> None:
        """L01.FR.04: RSA-PSS over the entire file, with SHA256."""
        salt = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        signature = base64.b64decode(sign(self.file, rsa_key()))
        data = self.file.read_bytes()
        rsa_key().public_key().verify(signature, data, salt, hashes.SHA256())
        signature = base64.b64decode(sign(self.file, ec_key()))
        ec_key().public_key().verify(signature, data, ec.ECDSA(hashes.SHA256()))

    def test_changed(self) -> None:
        signature = sign(self.file, rsa_key())
        with self.file.open("ab") as file:
            file.write(b"!")
        self.assertFalse(verify(self.file, signature, certificate(rsa_key(), name(cn="Maker"))))

    def test_no_signature(self) -> None:
        signer = certificate(ec_key(), name(cn="Maker"))
        for text in ("", "?", "AAAA"):
            self.assertFalse(verify(self.file, text, signer))

    def test_another_kind_of_key(self) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        signer = certificate(key, name(cn="Maker"), issuer_key=ec_key())
        self.assertFalse(verify(self.file, "AAAA", signer))
