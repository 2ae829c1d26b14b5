"""The certificates that are installed in a charge point: what it tells of them. Jobs.

Imports cryptography and the store. Sources: 1.6 security whitepaper M03 to M05 and section 6.1;
OCPP 2.x use cases M03 to M05, with 2.0.1 errata 2.12.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from sqlalchemy import Connection

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.local.store import facts
from ocpp_twisted.security.authority import read_certificate

__all__ = ["deleted", "installed", "listed"]

_KIND = "certificate"

_Json = dict[str, Any]


def listed(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    """Those that it listed are there, and no others of the types that it was asked for."""
    types = asked.get("certificateType", asked.get("typeOfCertificate"))
    if isinstance(types, str):  # 1.6 and 2.0 ask for one, and do not repeat it in the answer
        types = [types]
        found = [
            {"certificateType": types[0], "certificateHashData": each}
            for each in told.get("certificateHashData", ())
        ]
    else:
        found = told.get("certificateHashDataChain", [])
    before = facts.all_of(db, cp, _KIND)
    if gone := [key for key, each in before.items() if types is None or _type(each) in types]:
        facts.forget(db, cp, _KIND, *gone)
    facts.is_so(db, cp, _KIND, {_key(each["certificateHashData"]): each for each in found}, now)


def installed(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    """It has another one. Of one that is not self-signed, only the charge point's list knows.

    Its hashes are made with SHA-256. A charge point that uses another algorithm lists it under
    others: delete it by those that it has listed (M04.FR.07).
    """
    try:
        certificate = read_certificate(asked["certificate"])
    except ValueError:
        return
    if certificate.issuer == certificate.subject:
        told = {
            "certificateType": asked["certificateType"],
            "certificateHashData": _hashes(certificate),
        }
        facts.is_so(db, cp, _KIND, {_key(told["certificateHashData"]): told}, now)


def deleted(db: Connection, cp: Identity, asked: _Json, told: _Json, now: datetime) -> None:
    """It is gone, or was not there."""
    facts.forget(db, cp, _KIND, _key(asked["certificateHashData"]))


def _type(known: _Json) -> str | None:
    found: str | None = known.get("certificateType")
    return found


def _key(hashed: _Json) -> str:
    names = "issuerNameHash", "issuerKeyHash", "serialNumber"
    return "/".join(hashed[name].lower() for name in names)


def _hashes(root: x509.Certificate) -> _Json:
    built = ocsp.OCSPRequestBuilder().add_certificate(root, root, hashes.SHA256()).build()
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": built.issuer_name_hash.hex(),
        "issuerKeyHash": built.issuer_key_hash.hex(),
        "serialNumber": f"{root.serial_number:x}",
    }
