"""Files that change while TLS is used: new handshakes get the new ones, or all get the old."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.errors import ConfigurationError
from ocpp_twisted.websocket.certificates import TLSFiles
from ocpp_twisted.websocket.reload import ReloadedTLS
from tests.certificates import DAY, Authority, Issued, client, handshake, logged, pem, rsa_key


class ReloadTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.ca = Authority()
        self.first, self.second = self.ca.issue("first"), self.ca.issue("second")
        self.pair = self.first.write(self.directory / "server.pem")
        self.clock = Clock()
        self.now = 1e9
        self.logged = logged(self)

    def started(self, **files: list[Path]) -> ReloadedTLS:
        found = TLSFiles(**{"pairs": [self.pair], **files})  # type: ignore[arg-type]
        tls = ReloadedTLS(found, self.clock, now=lambda: self.now)
        self.now = self.first.certificate.not_valid_before_utc.timestamp()
        tls.start()
        self.addCleanup(tls.stop)
        return tls

    def shown(self, tls, **more) -> x509.Certificate:
        found = handshake(tls, client(**more)).get_peer_certificate()
        assert found is not None
        return found.to_cryptography()

    def later(self) -> None:
        self.clock.advance(10)


class ChangeTests(ReloadTestCase):
    def test_a_new_pair(self) -> None:
        tls = self.started()
        listener = tls.listener()
        up = listener.serverConnectionForTLS(None)
        self.second.write(*self.pair)
        self.assertEqual(self.shown(listener), self.first.certificate)
        self.later()
        self.assertEqual(self.shown(listener), self.second.certificate)
        self.assertEqual(self.logged(), [])
        # One that has begun before goes on with what it had.
        up.set_accept_state()
        listener.serverConnectionForTLS = lambda protocol: up
        self.assertEqual(self.shown(listener), self.first.certificate)

    def test_every_listener_gets_it(self) -> None:
        self.first = self.ca.issue("first", key=rsa_key())
        self.first.write(*self.pair)
        ca = self.directory / "ca.pem"
        ca.write_bytes(pem(self.ca.certificate))
        tls = self.started(client_cas=[ca])
        listeners = [
            tls.listener(),
            tls.listener(legacy=True),
            tls.listener(client_certificates=True),
        ]
        second = self.ca.issue("second", key=rsa_key())
        second.write(*self.pair)
        self.later()
        for listener in listeners:
            shown = self.shown(listener, shows=self.ca.issue("CP1"))
            self.assertEqual(shown, second.certificate)

    def test_a_link_that_is_turned_as_kubernetes_does(self) -> None:
        for name, issued in (("1", self.first), ("2", self.second)):
            issued.write(self.directory / name / "tls.crt", self.directory / name / "tls.key")
        data = self.directory / "data"
        data.symlink_to("1")
        links = [self.directory / name for name in ("a.crt", "a.key")]
        for link, name in zip(links, ("tls.crt", "tls.key"), strict=True):
            link.symlink_to(Path("data") / name)
        tls = self.started(pairs=[(links[0], links[1])])  # type: ignore[list-item]
        listener = tls.listener()
        turned = self.directory / "turned"
        turned.symlink_to("2")
        turned.rename(data)
        self.later()
        self.assertEqual(self.shown(listener), self.second.certificate)

    def test_a_file_of_the_same_size_and_time(self) -> None:
        tls = self.started()
        listener = tls.listener()
        for path in self.pair:
            new, before = path.with_suffix(".new"), path.stat()
            new.write_bytes(path.read_bytes())
            os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
            new.rename(path)
        seen = listener._contexts
        self.later()
        self.assertIsNot(listener._contexts, seen)

    def test_nothing_is_read_again_for_nothing(self) -> None:
        tls = self.started()
        listener = tls.listener()
        seen = listener._contexts
        self.later()
        self.assertIs(listener._contexts, seen)

    def test_a_half_written_pair(self) -> None:
        tls = self.started()
        listener = tls.listener()
        self.pair[0].write_bytes(pem(self.second.certificate))
        for told in (1, 0, 0):
            self.later()
            lines = self.logged()
            self.assertEqual(len(lines), told)
            self.assertTrue(all("goes on with its old files: the private key" in x for x in lines))
            self.assertEqual(self.shown(listener), self.first.certificate)
        self.second.write(*self.pair)
        self.later()
        self.assertEqual(self.shown(listener), self.second.certificate)
        self.assertEqual(self.logged(), [])

    def test_broken_files(self) -> None:
        tls = self.started()
        listener = tls.listener()
        for spoil in (
            self.pair[0].unlink,
            lambda: self.pair[0].write_text(""),
            lambda: self.pair[0].write_text("-----BEGIN CERTIFICATE-----\nAAAA\n"),
            lambda: Issued(self.first.certificate, rsa_key()).write(*self.pair),
        ):
            spoil()
            self.later()
            (line,) = self.logged()
            self.assertIn("TLS goes on with its old files: ", line)
            self.assertEqual(self.shown(listener), self.first.certificate)
        self.first.write(*self.pair)
        self.later()
        self.assertEqual(self.logged(), [])

    def test_one_broken_file_keeps_all_old(self) -> None:
        ca = self.directory / "ca.pem"
        ca.write_bytes(pem(self.ca.certificate))
        tls = self.started(client_cas=[ca])
        listener = tls.listener()
        self.second.write(*self.pair)
        ca.write_text("broken")
        self.later()
        self.assertEqual(self.shown(listener), self.first.certificate)
        self.assertIn("ca.pem holds no certificate", self.logged()[0])

    def test_a_crl_that_comes_later(self) -> None:
        ca, crl = self.directory / "ca.pem", self.directory / "ca.crl"
        ca.write_bytes(pem(self.ca.certificate))
        crl.write_bytes(pem(self.ca.revokes()))
        tls = self.started(client_cas=[ca], crls=[crl])
        listener = tls.listener(client_certificates=True)
        one = self.ca.issue("CP1")
        self.shown(listener, shows=one)
        crl.write_bytes(pem(self.ca.revokes(one.certificate)))
        self.later()
        self.assertRaises(SSL.Error, self.shown, listener, shows=one)
        self.shown(listener, shows=self.ca.issue("CP2"))

    def test_on_request(self) -> None:
        tls = self.started()
        listener = tls.listener()
        self.second.write(*self.pair)
        self.assertTrue(tls.reload())
        self.assertEqual(self.shown(listener), self.second.certificate)
        self.pair[0].unlink()
        self.assertFalse(tls.reload())
        self.assertEqual(len(self.logged()), 1)

    def test_at_the_start_all_must_be_good(self) -> None:
        self.pair[0].unlink()
        self.assertRaises(ConfigurationError, self.started)

    def test_when_it_is_stopped_it_looks_no_more(self) -> None:
        self.started().stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class EndTests(ReloadTestCase):
    def test_certificates_are_told_of_at_the_start_and_daily(self) -> None:
        self.first = self.ca.issue("first", ends=20 * DAY)
        self.first.write(*self.pair)
        tls = self.started()
        self.assertEqual(
            tls.certificates_end, {self.pair[0]: self.first.certificate.not_valid_after_utc}
        )
        self.assertIn("server.pem ends in 21 days: replace it", self.logged()[0])
        self.now += 86400
        for _ in range(8639):
            self.later()
        self.assertEqual(self.logged(), [])
        self.later()
        (line,) = self.logged()
        self.assertIn("server.pem ends in 20 days: replace it", line)
        self.now += 30 * 86400
        self.clock.pump([10] * 8640)
        self.assertIn("server.pem has ended", self.logged()[0])

    def test_those_that_last_are_not_told_of(self) -> None:
        self.started()
        self.assertEqual(self.logged(), [])

    def test_a_file_of_client_cas_ends_with_its_first(self) -> None:
        ca = self.directory / "ca.pem"
        ending = self.ca.issue("another", ends=5 * DAY).certificate
        ca.write_bytes(pem(self.ca.certificate, ending))
        tls = self.started(client_cas=[ca])
        self.assertEqual(tls.certificates_end[ca], ending.not_valid_after_utc)
        self.assertIn("ca.pem ends in 6 days", self.logged()[0])

    def test_a_crl_past_its_time(self) -> None:
        ca, crl = self.directory / "ca.pem", self.directory / "ca.crl"
        ca.write_bytes(pem(self.ca.certificate))
        crl.write_bytes(pem(self.ca.revokes(due=-2 * DAY)))
        tls = self.started(client_cas=[ca], crls=[crl])
        self.assertEqual(list(tls.crls_end), [crl])
        (line,) = self.logged()
        self.assertIn("ca.crl is out of date", line)
        crl.write_bytes(pem(self.ca.revokes()))
        self.later()
        self.assertEqual(self.logged(), [])


class LegacyTests(ReloadTestCase):
    def test_it_is_warned_of(self) -> None:
        self.first = self.ca.issue("first", key=rsa_key())
        self.first.write(*self.pair)
        self.started().listener(legacy=True)
        (line,) = self.logged()
        self.assertIn("takes TLS 1.0 and 1.1, which can be broken into", line)
