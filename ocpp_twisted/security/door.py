"""The doorkeeper: whether a charge point has proved who it is, as its listener's profile demands.

Imports Twisted's credentials, the errors, the interfaces and its neighbours. Sources: OCPP 1.6
security whitepaper, section 2 (A00); OCPP-J 1.6 sections 3.2 and 6.2; RFC 7617 (Basic). No socket:
what is known of the handshake is told, and the answer is None or `Refused`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from contextlib import suppress
from hmac import compare_digest
from typing import Protocol

from cryptography import x509
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ocpp_twisted.errors import RecordsUnavailable
from ocpp_twisted.identity import Identity
from ocpp_twisted.interfaces import IDoorkeeper
from ocpp_twisted.security.handshake import Handshake, Refused, SecurityProfile
from ocpp_twisted.security.passwords import NOBODYS, RETRY_LATER, Passwords
from ocpp_twisted.security.records import DoorRecord, IDoorRecords

__all__ = ["Binding", "Doorkeeper", "Login", "RecordsChecker"]

_log = Logger()

#: RFC 7617 section 2.1: how the user name and the password are to be read.
_CHALLENGE = (("WWW-Authenticate", 'Basic realm="OCPP", charset="UTF-8"'),)


class Binding(Protocol):
    """The rule by which a client certificate belongs to a charge point."""

    def fault(
        self, certificate: x509.Certificate, identity: Identity, serial_number: str | None
    ) -> str:
        """Why a certificate, its chain verified, does not belong to a charge point.

        :param serial_number: the charge point's, as the records have it; None if they do not.
        :returns: a sentence; the empty text if it does belong to it.
        """

    def names_fault(
        self, names: Sequence[str], identity: Identity, serial_number: str | None
    ) -> str:
        """The same for the names in a certificate that a proxy has verified."""


@implementer(IUsernamePassword)
class Login:
    """What a charge point has sent to prove who it is; for any checker of twisted.cred.

    :ivar identity: who it is, if that is true.
    :ivar username: its id (bytes, UTF-8).
    :ivar password: as it came (bytes).
    :ivar record: what is known of it.
    :ivar origin: see `Handshake.origin`.
    :ivar fitting: the hash of the password in `record` that it has used, once that is found.
    """

    def __init__(
        self, identity: Identity, password: bytes, record: DoorRecord, origin: str = ""
    ) -> None:
        self.identity = identity
        self.username = identity.id.encode()
        self.password = password
        self.record = record
        self.origin = origin
        self.fitting = ""

    def checkPassword(self, password: bytes) -> bool:
        """Whether it is this one; in the same time for either answer."""
        return compare_digest(self.password, password)


@implementer(ICredentialsChecker)
class RecordsChecker:
    """Checks the password of a `Login` against those that are kept of the charge point."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    def requestAvatarId(self, credentials: Login) -> Deferred[bytes | tuple[()]]:
        """Fires with the id; fails with UnauthorizedLogin, or `Refused` if too many wait."""

        def found(fitting: str) -> bytes | tuple[()]:
            if not fitting or fitting == NOBODYS:
                raise UnauthorizedLogin
            credentials.fitting = fitting
            return credentials.username

        # Whom we do not know has to wait as long as who has sent a wrong password.
        hashes = credentials.record.passwords or (NOBODYS,)
        checked = self._passwords.fitting(credentials.password, hashes, credentials.origin)
        return checked.addCallback(found)


@implementer(IDoorkeeper)
class Doorkeeper:
    """Lets in whoever has proved to be the charge point that its URL names.

    What it must prove is its listener's `SecurityProfile`. Who has used a profile does not come in
    with a lower one any more (A00.FR.002, A00.FR.005).

    The checkers are asked directly, in their order, and not through a `twisted.cred.portal.Portal`:
    that has one checker for each kind of credentials, and makes avatars, of which there is no use.

    :param records: provides `IDoorRecords`.
    :param passwords: checks those in the records.
    :param checkers: further ones of `IUsernamePassword`, asked after the records. They know ids
        only: charge points that have one id under different names have one password there.
    :param binding: to whom certificates belong; without it, nobody comes in by certificate.
    :param known_only: whether only those come in that an operator has entered.
    :param hide_unknown: whether a charge point that is not known gets the same answer as one whose
        password or certificate is wrong, after the same time; else it is told so (404).
    :param records_needed: whether nobody comes in while the records cannot be read. Otherwise they
        do where nothing is to be proved: a database that is away strands no cars.
    :param busy: whether more passwords wait to be checked than can be soon.
    """

    def __init__(
        self,
        records: IDoorRecords,
        passwords: Passwords,
        checkers: Sequence[ICredentialsChecker] = (),
        binding: Binding | None = None,
        known_only: bool = False,
        hide_unknown: bool = False,
        records_needed: bool = True,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._records = records
        self._checkers = (RecordsChecker(passwords), *checkers)
        self._binding = binding
        self._known_only = known_only
        self._hide_unknown = hide_unknown
        self._records_needed = records_needed
        self._busy = busy

    @property
    def busy(self) -> bool:
        """See `IDoorkeeper.busy`."""
        return self._busy()

    def admit(self, handshake: Handshake) -> Deferred[None]:
        """See `IDoorkeeper.admit`."""
        return Deferred.fromCoroutine(self._admit(handshake))

    async def _admit(self, handshake: Handshake) -> None:
        identity, profile = handshake.identity, handshake.profile
        try:
            record: DoorRecord = await self._records.door(identity)
            self._see_whether_it_is_known(record, profile)
            password = ""
            if profile is SecurityProfile.CLIENT_CERTIFICATE:
                self._check_certificate(handshake, record)
            elif profile is not SecurityProfile.NONE:
                password = await self._check_password(handshake, record)
            if profile < record.profile:
                text = f"security profile {profile:d} is less than what you have used"
                detail = (
                    f"it has used security profile {record.profile:d}, and comes with {profile:d}: "
                    "an operator can allow that"
                )
                raise Refused(403, text, detail=detail)
            if profile > record.profile or password not in ("", record.password):
                await self._records.connected_with(identity, profile, password)
        except RecordsUnavailable as error:
            if profile is SecurityProfile.NONE and not self._records_needed:
                return
            text = "it cannot be looked up now who you are: try again later"
            raise Refused(503, text, RETRY_LATER) from error

    def _see_whether_it_is_known(self, record: DoorRecord, profile: SecurityProfile) -> None:
        """Refuse whoever is not known, if that is all that there is to say."""
        by_password = profile in (SecurityProfile.BASIC, SecurityProfile.TLS_BASIC)
        if self._known_only:
            missing = not record.entered
        else:  # one of several checkers may know it
            missing = by_password and not record.known and len(self._checkers) == 1
        if missing and not (self._hide_unknown and profile is not SecurityProfile.NONE):
            # OCPP-J 1.6 section 3.2, OCPP 2.1 part 4 section 3.2
            raise Refused(404, "there is no such charge point")

    # -- profile 3 ----------------------------------------------------------------------------

    def _check_certificate(self, handshake: Handshake, record: DoorRecord) -> None:
        identity, serial_number = handshake.identity, record.serial_number
        if self._known_only and not record.entered:
            fault = "there is no such charge point"
        elif self._binding is None:
            fault = "no rule says to whom certificates belong"
        elif handshake.names is not None:
            fault = self._binding.names_fault(handshake.names, identity, serial_number)
        elif handshake.certificate is not None:
            fault = self._binding.fault(handshake.certificate, identity, serial_number)
        else:
            fault = "it has no client certificate"
        if fault:
            raise Refused(403, "a client certificate of this charge point is needed", detail=fault)

    # -- profiles 1 and 2 ---------------------------------------------------------------------

    async def _check_password(self, handshake: Handshake, record: DoorRecord) -> str:
        """Which password of the record it has used; the empty text if another checker knows it.

        :raises Refused: if it has proved nothing; with the same answer in all cases.
        """
        identity = handshake.identity
        password, fault = _password(handshake.authorization, identity.id)
        if not fault:
            login = Login(identity, password, record, handshake.origin)
            known = record.entered or not self._known_only
            if await self._is_true(login) and known:
                return login.fitting
            fault = "the password is wrong" if record.passwords else "it has no password here"
        text = "the charge point's id and its password are needed"
        raise Refused(401, text, _CHALLENGE, detail=fault)

    async def _is_true(self, login: Login) -> bool:
        for checker in self._checkers:
            try:
                await maybeDeferred(checker.requestAvatarId, login)
            except LoginFailed:
                continue
            except (Refused, CancelledError):
                raise
            except Exception as error:
                # What it says may quote the password: for example that it is not UTF-8.
                _log.error(
                    "the checker {checker} has failed for {charge_point}: {error}",
                    checker=type(checker).__name__,
                    charge_point=login.identity,
                    error=type(error).__name__,
                )
            else:
                return True
        return False


def _password(authorization: str, charge_point: str) -> tuple[bytes, str]:
    """The password in a header Authorization, and what is wrong with that; empty if all is well.

    RFC 7617 allows no colon in a user name, but charge points' ids may have one: so the user name
    is not what stands before the first colon, but the id (A00.FR.204).
    """
    scheme, _, encoded = authorization.partition(" ")
    if not authorization:
        return b"", "it has sent no password"
    try:
        if scheme.lower() != "basic":
            raise ValueError
        sent = base64.b64decode(encoded.strip(), validate=True)
    except (ValueError, binascii.Error):
        return b"", "its header Authorization is not as it should be: Basic, then base64"
    users = [charge_point.encode()]
    with suppress(UnicodeEncodeError):
        users.append(charge_point.encode("latin-1"))
    user = next((each for each in users if sent.startswith(each + b":")), None)
    if user is None:
        return b"", "the user name is not its id"
    password = sent[len(user) + 1 :]
    return password, "" if password else "its password is empty"
