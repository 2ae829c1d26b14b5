"""Whose client certificate it is: names that bind it to a charge point, and names that do not."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted.identity import Identity
from ocpp_twisted.security.binding import Binding
from tests.certificates import Authority, resigned

UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class BindingTestCase(SynchronousTestCase):
    rule = "exact"
    organizations: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.ca = Authority()

    def fault(self, *common_names, names=(), identity="CP1", serial=None, of=(), units=()) -> str:
        issued = self.ca.issue(*common_names, names=names, organizations=of, units=units)
        binding = Binding.parse(self.rule, self.organizations)
        return binding.fault(issued.certificate, Identity.of(identity), serial)

    def good(self, *arguments, **more) -> None:
        self.assertEqual(self.fault(*arguments, **more), "")

    def bad(self, *arguments, **more) -> str:
        said = self.fault(*arguments, **more)
        self.assertNotEqual(said, "")
        return said


class ExactTests(BindingTestCase):
    def test_the_common_name(self) -> None:
        self.good("CP1")
        self.assertEqual(
            self.bad("CP2"), "the client certificate names 'CP2', and should name 'CP1'"
        )
        for near in ("CP", "CP11", " CP1", "CP1 ", "cp1", "CP1.example", "xCP1"):
            self.bad(near)

    def test_alternative_names(self) -> None:
        self.good("x", names=["y", "CP1"])
        self.good(names=["CP1"])
        self.good("x", names=[x509.UniformResourceIdentifier("urn:cp:1")], identity="urn:cp:1")
        self.good("x", names=[x509.OtherName(UPN, b"\x0c\x03CP1")])
        self.good("x", names=[x509.OtherName(UPN, b"\x16\x03CP1")])
        self.assertIn("'x', 'y'", self.bad("x", names=["y"]))
        self.bad("x", names=[x509.RFC822Name("CP1@example.com")])

    def test_other_names_that_are_no_text(self) -> None:
        for der in (
            b"\x04\x03CP1",  # an octet string
            b"\x0c\x02CP1",  # longer than it says
            b"\x0c\x04CP1",
            b"\x0c\x81\x03CP1",
            b"\x0c",
        ):
            try:
                name = x509.OtherName(UPN, der)
                self.bad("x", names=[name])
            except ValueError:
                continue  # which cryptography does not let into a certificate
        self.assertIn(
            "names that cannot be read", self.bad("x", names=[x509.OtherName(UPN, b"\x0c\x01\xff")])
        )

    def test_several_common_names_are_none(self) -> None:
        self.assertIn("names 'CP1', 'CP2'", self.bad("CP1", "CP2"))
        self.bad("CP2", "CP1")
        self.bad("CP1", "CP1")
        self.good("CP1", "CP2", names=["CP1"])

    def test_no_name_at_all(self) -> None:
        self.assertIn("names nobody", self.bad())

    def test_wildcards(self) -> None:
        self.bad("*", identity="CP1")
        self.bad("*", identity="*")
        self.bad("*.example", identity="CP1.example")
        self.bad("x", names=["*.example"], identity="*.example")
        self.bad("x", names=["CP*"], identity="CP1")

    def test_ids_with_odd_characters(self) -> None:
        for identity in ("DE*ABC*E1", "CP 1", "Ladesäule", "a/b", "a=b,CN=c", "a.b", "充电"):
            self.good(identity, identity=identity)
        self.bad("a=b,CN=c", identity="c")
        self.bad("e\u0301", identity="\u00e9")

    def test_what_cannot_be_printed(self) -> None:
        for name in ("CP1\x00", "CP1\x00.example", "\x00CP1", "CP1\n", "CP1\u202e"):
            said = self.bad(name)
            self.assertTrue(said.isprintable(), said)
            self.bad(name, identity=name)
        self.bad("CP1\x00x", identity="CP1\x00x")

    def test_a_name_that_is_long_is_cut(self) -> None:
        names = [f"a{number}.example" for number in range(100)]
        self.assertLess(len(self.bad("x", names=names)), 400)

    def test_under_a_name_it_is_not_known_whose_certificate_it_is(self) -> None:
        identity = Identity("CP1", "acme")
        self.assertIn(
            "use serial, or suffix=.{name}.cp.example", self.bad("CP1", identity=identity)
        )

    def test_the_unit_tells_the_name(self) -> None:
        identity = Identity("CP1", "acme")
        self.good("CP1", identity=identity, units=["acme"])
        self.bad("CP2", identity=identity, units=["acme"])
        for units in (["Acme"], ["acme", "other"], ["other"]):
            self.bad("CP1", identity=identity, units=units)
        self.good("CP1", units=["acme"])  # under no name it may be any

    def test_what_a_proxy_tells(self) -> None:
        def fault(*names: str, identity: str | Identity = "CP1", **more) -> str:
            return Binding(**more).names_fault(names, Identity.of(identity), "S1")

        self.assertEqual(fault("CP1"), "")
        self.assertEqual(fault("x", "CP1"), "")
        self.assertIn("names 'CP2', and should name 'CP1'", fault("CP2"))
        self.assertEqual(fault("S1", rule="serial"), "")
        self.assertIn("should name 'S1'", fault("CP1", rule="serial"))
        self.assertIn("connects under a name", fault("CP1", identity=Identity("CP1", "acme")))
        self.assertIn("tells no organization", fault("CP1", organizations=("Acme",)))

    def test_names_that_cannot_be_read(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CP1")])
        start = self.ca.certificate.not_valid_before_utc
        broken = x509.UnrecognizedExtension(
            x509.ObjectIdentifier("2.5.29.17"), b"\x30\x03\x82\x05a"
        )
        builder = x509.CertificateBuilder(name, name, key.public_key(), 7)
        certificate = (
            builder.not_valid_before(start)
            .not_valid_after(start)
            .add_extension(broken, critical=False)
            .sign(key, hashes.SHA256())
        )
        subject = resigned(self.ca.issue("WXYZ"), self.ca, b"WXYZ", b"\xff\xfe\xfd\xfc")
        for each in (certificate, subject.certificate):
            said = Binding().fault(each, Identity("CP1"), None)
            self.assertEqual(said, "the client certificate has names that cannot be read")


class SuffixTests(BindingTestCase):
    rule = "suffix=.cp.example"

    def test_the_id_comes_before_it(self) -> None:
        self.good("CP1.cp.example")
        self.good("x", names=["CP1.cp.example"])
        self.good("a.b.cp.example", identity="a.b")
        for name in ("CP1", "CP1.cp.example.org", "x.CP1.cp.example", "CP1xcp.example"):
            self.bad(name)
        self.assertIn("should name 'CP1.cp.example'", self.bad("cp1.cp.example"))

    def test_wildcards(self) -> None:
        self.bad("*.cp.example")
        self.bad("*.cp.example", identity="*")


class SuffixWithNameTests(BindingTestCase):
    rule = "suffix=.{name}.cp.example"

    def test_the_name_is_in_it(self) -> None:
        self.good("CP1.acme.cp.example", identity=Identity("CP1", "acme"))
        self.bad("CP1.acme.cp.example", identity=Identity("CP1", "other"))
        self.bad("CP1.acme.cp.example")

    def test_names_with_dots_could_be_read_in_two_ways(self) -> None:
        self.good("a.b.c.cp.example", identity=Identity("a.b", "c"))
        self.assertIn(
            "names without dots", self.bad("a.b.c.cp.example", identity=Identity("a", "b.c"))
        )


class SerialTests(BindingTestCase):
    """Whitepaper A00.FR.405."""

    rule = "serial"

    def test_the_common_name_is_the_serial_number(self) -> None:
        self.good("SN-1", serial="SN-1")
        self.good("SN-1", serial="SN-1", identity=Identity("CP1", "acme"))
        for name in ("SN-12", "sn-1", "CP1", "xSN-1"):
            self.assertIn("should name 'SN-1'", self.bad(name, serial="SN-1"))
        self.bad("x", names=["SN-1"], serial="SN-1")
        self.bad("SN-1", "SN-1", serial="SN-1")

    def test_a_serial_number_that_nobody_knows(self) -> None:
        for serial in (None, ""):
            said = self.bad("", serial=serial) if serial else self.bad("SN-1", serial=serial)
            self.assertIn("no serial number of CP1 is known", said)
            self.assertIn("enter it in the charge point's record", said)

    def test_a_wildcard(self) -> None:
        self.bad("*", serial="*")


class OrganizationTests(BindingTestCase):
    """Whitepaper A00.FR.404."""

    organizations = ("Acme, Inc.", "Partner")

    def test_one_of_those(self) -> None:
        self.good("CP1", of=["Acme, Inc."])
        self.good("CP1", of=["Partner"])
        for organizations in ((), ["Acme"], ["Not Acme, Inc."], ["Partner", "Acme, Inc."]):
            said = self.bad("CP1", of=organizations)
            self.assertIn("not to 'Acme, Inc.', 'Partner'", said)

    def test_it_is_not_enough(self) -> None:
        self.bad("CP2", of=["Partner"])


class ParseTests(SynchronousTestCase):
    def test_rules(self) -> None:
        self.assertEqual(Binding.parse("exact"), Binding())
        self.assertEqual(Binding.parse("suffix=.x", ["A"]), Binding("suffix", ".x", ("A",)))
        self.assertEqual(Binding.parse("serial").rule, "serial")
        for text in ("", "Exact", "suffix", "suffix=", "exact=1", "serial=", "prefix=a"):
            error = self.assertRaises(ValueError, Binding.parse, text)
            self.assertIn("is not one of: exact, suffix=.cp.example, serial", str(error))
