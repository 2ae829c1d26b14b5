"""Whether a client certificate belongs to the charge point that comes with it.

Imports cryptography, the identity and the excerpt. OpenSSL has checked the chain before; this is
about names. Source: OCPP 1.6 security whitepaper, A00.FR.404, A00.FR.405 and A00.FR.427.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography import x509

from ocpp_twisted.excerpt import excerpt
from ocpp_twisted.identity import Identity

__all__ = ["Binding"]

#: DER's tags of UTF8String, PrintableString and IA5String.
_TEXTS = {0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}
_NAME = ".{name}"


@dataclass(frozen=True, slots=True)
class Binding:
    """The rule by which a certificate names its charge point.

    The names of a certificate are its common name, and its DNS names, URIs and other names that
    are text. They are compared as they are, capitals and all: two ids that differ in these only
    are two charge points. A name that is a wildcard or cannot be printed does not count, nor does
    any of several common names, for the CA may have looked at another one of them.

    Under a URL with a name (`Identity.name`), which is whose charge point it is, the certificate
    has to tell that too: by its unit (OU), by `suffix`, or by being bound to a serial number.

    :ivar rule: ``exact``: a name is the id; ``suffix``: a name is the id and then `suffix`;
        ``serial``: the common name is the charge point's serial number, as the records know it.
    :ivar suffix: for example ``.cp.example``. ``.{name}`` in it stands for the name under which
        the charge point connects (`Identity.name`), if it has no dot.
    :ivar organizations: whose certificates may be used: the subject's O is one of them. All if
        there are none.
    """

    rule: Literal["exact", "suffix", "serial"] = "exact"
    suffix: str = ""
    organizations: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, organizations: Sequence[str] = ()) -> Binding:
        """The rule that a text names: ``exact``, ``suffix=.cp.example`` or ``serial``.

        :raises ValueError: if it is none of them.
        """
        word, _, suffix = text.partition("=")
        if word == "suffix" and suffix:
            return cls("suffix", suffix, tuple(organizations))
        if text == "exact":
            return cls("exact", "", tuple(organizations))
        if text == "serial":
            return cls("serial", "", tuple(organizations))
        raise ValueError(f"{text!r} is not one of: exact, suffix=.cp.example, serial")

    def fault(
        self, certificate: x509.Certificate, identity: Identity, serial_number: str | None
    ) -> str:
        """Why a certificate does not belong to a charge point, in a sentence; empty if it does.

        :param serial_number: the charge point's, as the records know it; None if they do not.
            It is not for the charge point to say in the same connection.
        """
        try:
            common_names = _of_subject(certificate, x509.NameOID.COMMON_NAME)
            organizations = _of_subject(certificate, x509.NameOID.ORGANIZATION_NAME)
            units = _of_subject(certificate, x509.NameOID.ORGANIZATIONAL_UNIT_NAME)
            alternatives = list(_alternatives(certificate))
        except (ValueError, x509.DuplicateExtension):
            return "the client certificate has names that cannot be read"
        if self.organizations and (
            len(organizations) != 1 or organizations[0] not in self.organizations
        ):
            return (
                f"the client certificate belongs to {_told(organizations)} (O), not to "
                f"{_told(self.organizations)}: --client-certificate-organization says whose may "
                "be used"
            )
        names = common_names if len(common_names) == 1 else []
        if self.rule != "serial":
            names = [*names, *alternatives]
        return self._fault(
            names,
            [*common_names, *alternatives],
            identity,
            serial_number,
            units == [identity.name],
        )

    def names_fault(
        self, names: Sequence[str], identity: Identity, serial_number: str | None
    ) -> str:
        """The same for the names that a proxy tells, which has verified the certificate.

        It tells no organization: where one is asked for, nobody comes in so.
        """
        if self.organizations:
            return (
                "the proxy tells no organization, and --client-certificate-organization asks for "
                "one: let the proxy check it, and leave the option out"
            )
        return self._fault(names, names, identity, serial_number, False)

    def _fault(
        self,
        names: Sequence[str],
        told: Sequence[str],
        identity: Identity,
        serial_number: str | None,
        of_unit: bool,
    ) -> str:
        """:param of_unit: whether the certificate tells the identity's name by its unit (OU)."""
        if self.rule == "serial":
            if not serial_number:
                return (
                    f"no serial number of {identity} is known, and its client certificate is held "
                    "against it: enter it in the charge point's record"
                )
            wanted = serial_number
        else:
            suffix = self.suffix.replace(_NAME, f".{identity.name}")
            wanted = identity.id + suffix
            by_suffix = _NAME in self.suffix and "." not in identity.name
            if identity.name and not by_suffix and not of_unit:
                return (
                    f"{identity} connects under a name, and its client certificate does not tell "
                    "whose it is: let its unit (OU) be the name, or use serial, or "
                    "suffix=.{name}.cp.example with names without dots, or URLs without a name"
                )
        if wanted in filter(_counts, names):
            return ""
        return f"the client certificate names {_told(told)}, and should name {_told([wanted])}"


def _of_subject(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> list[str]:
    return [str(each.value) for each in certificate.subject.get_attributes_for_oid(oid)]


def _alternatives(certificate: x509.Certificate) -> Iterator[str]:
    """The subject's alternative names that are text (RFC 5280 section 4.2.1.6)."""
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            for name in extension.value:
                if isinstance(name, x509.DNSName | x509.UniformResourceIdentifier):
                    yield name.value
                elif isinstance(name, x509.OtherName) and (text := _text(name.value)) is not None:
                    yield text


def _text(der: bytes) -> str | None:
    """A text in DER; None if it is anything else."""
    encoding = _TEXTS.get(der[0]) if len(der) > 1 else None
    # Lengths from 128 on take more bytes; no charge point's name is that long but on purpose.
    if encoding is None or der[1] > 127 or len(der) != 2 + der[1]:
        return None
    return der[2:].decode(encoding)


def _counts(name: str) -> bool:
    # A NUL ends a name for some who read it. An asterisk elsewhere is no wildcard: EVSE ids have
    # them (DE*ABC*E1).
    return name.isprintable() and name.partition(".")[0] != "*"


def _told(names: Sequence[str]) -> str:
    return excerpt(", ".join(map(repr, names))) or "nobody"
