"""Proxies: whose word counts, and whose does not."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.security.proxies import Forwarded, Proxies, network

PROXY = IPv4Address("TCP", "10.0.0.5", 4000)
ANYBODY = IPv4Address("TCP", "192.0.2.1", 4000)


class ProxiesTests(SynchronousTestCase):
    proxies = Proxies(
        networks=[network("10.0.0.0/8"), network("::1")], identity_header="X-Client-Name"
    )

    def test_nobody_is_believed_unless_listed(self) -> None:
        headers = {"x-forwarded-for": "198.51.100.1", "x-client-name": "CP1"}
        for proxies, address in ((Proxies(), PROXY), (self.proxies, ANYBODY)):
            told = proxies.forwarded(address, headers)
            self.assertEqual(told, Forwarded(f"{address.host}:4000", address.host, None, False))

    def test_what_a_proxy_tells(self) -> None:
        headers = {"x-forwarded-for": "198.51.100.1", "x-client-name": "CP1, cp1.example"}
        self.assertEqual(
            self.proxies.forwarded(PROXY, headers),
            Forwarded("198.51.100.1", "198.51.100.1", ["CP1, cp1.example"], True),
        )

    def test_the_address_that_our_own_proxy_saw_counts(self) -> None:
        headers = {"x-forwarded-for": "1.2.3.4, 198.51.100.1, 10.9.9.9"}
        self.assertEqual(self.proxies.forwarded(PROXY, headers).peer, "198.51.100.1")

    def test_a_proxy_that_tells_no_address(self) -> None:
        for told in ({}, {"x-forwarded-for": "unknown"}, {"x-forwarded-for": "10.0.0.1"}):
            self.assertEqual(self.proxies.forwarded(PROXY, told).peer, "10.0.0.5:4000")

    def test_no_name_is_not_an_empty_name(self) -> None:
        self.assertIsNone(self.proxies.forwarded(PROXY, {"x-client-name": ""}).names)
        self.assertIsNone(Proxies(networks=[network("10.0.0.5")]).forwarded(PROXY, {}).names)

    def test_addresses(self) -> None:
        self.assertTrue(self.proxies.trust("::1"))
        self.assertTrue(self.proxies.trust("::ffff:10.1.2.3"))
        self.assertFalse(self.proxies.trust("::2"))
        self.assertFalse(self.proxies.trust("no address"))
        peers = [
            self.proxies.forwarded(address, {}).peer
            for address in (IPv6Address("TCP", "2001:db8::1", 5), UNIXAddress(b"/run/x"))
        ]
        self.assertEqual(peers, ["[2001:db8::1]:5", "/run/x"])

    def test_what_is_no_network(self) -> None:
        with self.assertRaisesRegex(ValueError, r"'proxy.example' is neither an address"):
            network("proxy.example")
