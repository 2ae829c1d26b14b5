"""TLS to NATS, with and without a certificate of ours, and credentials files of users."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import os
from pathlib import Path
from typing import Any

import nkeys
from cryptography import x509
from twisted.internet import reactor

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.plugins.nats.reach import LinkOptions
from tests.certificates import Authority, pem
from tests.nats.case import NatsCase
from tests.support import until


class TLSTests(NatsCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.ca = Authority()
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        self.files = self.ca.issue("nats", names=[address]).write(self.directory / "nats.pem")
        self.ca_file = self.directory / "ca.pem"
        self.ca_file.write_bytes(pem(self.ca.certificate))

    async def demands(self, *more: str) -> str:
        """The URL of a server that speaks TLS."""
        certificate, key = (str(each.absolute()) for each in self.files)
        self.server = await self.serve("--tls", "--tlscert", certificate, "--tlskey", key, *more)
        return self.server.url.replace("nats://", "tls://")

    async def test_a_ca_of_ones_own(self) -> None:
        link = await self.link(await self.demands(), tls_ca=self.ca_file)
        self.assertTrue(link.connected)
        link.subscribe("a", lambda message: link.publish(message.reply, message.data))
        for _ in range(2):
            answers = [
                link.request("a", bytes([number]) * size, timeout=10)
                for number, size in enumerate((0, 1, 20_000, 500_000, 7))
            ]
            told = [(await answer).data for answer in answers]
            self.assertEqual([len(data) for data in told], [0, 1, 20_000, 500_000, 7])
            self.assertEqual([data[:1] for data in told[1:]], [b"\1", b"\2", b"\3", b"\4"])
            await self.server.kill()
            await until(lambda: not link.connected, reactor)
            await self.server.start()
            await until(lambda: link.connected, reactor)

    async def test_a_server_that_nobody_knows(self) -> None:
        link = self.new_link(await self.demands())
        await until(lambda: "ertificate" in link.trouble(), reactor)
        self.assertFalse(link.connected)

    async def test_a_certificate_of_ours(self) -> None:
        url = await self.demands("--tlsverify", "--tlscacert", str(self.ca_file.absolute()))
        certificate, key = self.ca.issue("gateway").write(self.directory / "gateway.pem")
        stranger = self.new_link(url, tls_ca=self.ca_file)
        link = await self.link(url, tls_ca=self.ca_file, tls_cert=certificate, tls_key=key)
        self.assertTrue(link.connected)
        self.assertFalse(stranger.connected)

    def test_files_that_cannot_be_used(self) -> None:
        options = LinkOptions(tls_ca=self.directory / "none.pem")
        with self.assertRaisesRegex(ConfigurationError, "the files for TLS to NATS .*none.pem"):
            options.context()


class Key:
    """A key of NATS: of an operator, an account or a user."""

    def __init__(self, kind: int) -> None:
        self.seed = nkeys.encode_seed(os.urandom(32), kind)
        self.pair = nkeys.from_seed(bytearray(self.seed))
        self.name = self.pair.public_key.decode()

    def says(self, subject: Key, kind: str, **claims: Any) -> str:
        """A JWT about somebody, as NATS has them (its ADR 14)."""
        body = {
            "iat": 1_700_000_000,
            "iss": self.name,
            "sub": subject.name,
            "name": kind,
            "nats": {"type": kind, "version": 2, **claims},
        }
        digest = hashlib.new("sha512_256", json.dumps(body).encode()).digest()
        body["jti"] = base64.b32encode(digest).decode().rstrip("=")
        head = {"typ": "JWT", "alg": "ed25519-nkey"}
        text = ".".join(_url(json.dumps(each).encode()) for each in (head, body))
        return f"{text}.{_url(self.pair.sign(text.encode()))}"


def _url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class CredentialsTests(NatsCase):
    async def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        operator, account = Key(nkeys.PREFIX_BYTE_OPERATOR), Key(nkeys.PREFIX_BYTE_ACCOUNT)
        limits = {"subs": -1, "data": -1, "payload": -1, "conn": -1, "imports": -1, "exports": -1}
        known = operator.says(account, "account", limits={**limits, "wildcards": True, "leaf": -1})
        config = self.directory / "nats.conf"
        config.write_text(
            f"operator: {operator.says(operator, 'operator')}\n"
            f"resolver: MEMORY\nresolver_preload: {{ {account.name}: {known} }}\n"
        )
        self.account = account
        self.server = await self.serve("-c", str(config.absolute()))

    def credentials(self, account: Key) -> Path:
        user = Key(nkeys.PREFIX_BYTE_USER)
        limits = {"subs": -1, "data": -1, "payload": -1}
        file = self.directory / "user.creds"
        file.write_text(
            f"-----BEGIN NATS USER JWT-----\n{account.says(user, 'user', **limits)}\n"
            "------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n"
            "------END USER NKEY SEED------\n"
        )
        return file

    async def test_a_user_of_a_known_account(self) -> None:
        link = await self.link(credentials=self.credentials(self.account))
        self.assertTrue(link.connected)

    async def test_a_user_of_another_account(self) -> None:
        file = self.credentials(Key(nkeys.PREFIX_BYTE_ACCOUNT))
        link = self.new_link(credentials=file)
        await until(lambda: "uthorization" in link.trouble(), reactor)
        self.assertNotIn("SU", link.trouble())
