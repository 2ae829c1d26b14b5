"""A simulated charge point with all that can be done to it: for scenarios, people and fleets.

Imports its neighbours.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_type_hints

from twisted.internet.defer import Deferred, fail, succeed

from ocpp_twisted.errors import CallFailed, LocalProtocolError
from ocpp_twisted.ocppj.catalogue import Sender
from ocpp_twisted.ocppj.message import Send
from ocpp_twisted.simulator.modem import Modem
from ocpp_twisted.simulator.station import Station
from ocpp_twisted.versions import CATALOGUES

__all__ = ["Bench", "check_word", "read_call", "words_of"]


class Bench:
    """A station, its modem, and a switch for its power.

    :param station: one whose dialer is the modem.
    :ivar modem: where its faults are.
    """

    def __init__(self, station: Station, modem: Modem) -> None:
        self.station = station
        self.modem = modem
        self._powered = False

    @property
    def version(self) -> str:
        """The OCPP version that it speaks."""
        return self.station.voice.version

    @property
    def powered(self) -> bool:
        """Whether it has been started, and not been stopped."""
        return self._powered

    def power_on(self) -> None:
        """Start it; does nothing if it has power."""
        if not self._powered:
            self._powered = True
            self.station.start()

    def power_off(self) -> Deferred[None]:
        """Stop it; fires when its connection has ended."""
        if not self._powered:
            return succeed(None)
        self._powered = False
        return self.station.stop()

    def go_offline(self) -> None:
        """Take the network away."""
        self.modem.online = False

    def go_online(self) -> None:
        """Give it back; the charge point connects at once."""
        self.modem.online = True
        self.station.charge_point.reconnect()

    def stands_at(self, word: str, number: int = 1) -> bool:
        """Whether it is as a word says.

        :param word: one of `words_of` its version.
        :raises ValueError: if there is no such outlet.
        """
        charge_point = self.station.charge_point
        if word == "offline":
            return not charge_point.connected
        if word == "connected":
            return charge_point.connected
        if word == "accepted":
            return charge_point.connected and charge_point.registration.value == "Accepted"
        if word == "charging":
            return self.station.outlet(number).flow > 0
        return self.status(number) == word

    def status(self, number: int) -> str:
        """What the version calls the status of an outlet.

        :raises ValueError: if there is no such outlet.
        """
        return self.station.voice.state(self.station.outlet(number))

    def call(self, action: str, payload: bytes) -> Deferred[bytes]:
        """Send a message of the charge point's version.

        :param payload: JSON.
        :returns: a Deferred of the answer as JSON; of ``null`` if the message has no answer. Its
            errbacks are those of `ChargePoint.call`, and ValueError if there is no such message.
        """
        charge_point = self.station.charge_point
        try:
            request = read_call(self.version, action, payload)
            if isinstance(request, Send):
                charge_point.send(request)
                return succeed(b"null")
        except (ValueError, CallFailed):
            return fail()
        write = CATALOGUES[self.version].write
        return charge_point.call(request).addCallback(write)

    def stop(self) -> Deferred[None]:
        """Power off, and leave no socket half-open behind."""
        self.modem.switch_all_off()
        return self.power_off()


def words_of(version: str) -> tuple[str, ...]:
    """How a charge point can be, in a word: four of our own, and the version's for an outlet."""
    hints = get_type_hints(CATALOGUES[version].actions["StatusNotification"].request)
    statuses = hints.get("status") or hints["connectorStatus"]
    return ("connected", "offline", "accepted", "charging", *(each.value for each in statuses))


def check_word(version: str, word: str) -> None:
    """See whether a charge point can be as a word says.

    :raises ValueError: if there is no such word.
    """
    known = words_of(version)
    if word not in known:
        near = get_close_matches(word, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
        raise ValueError(f"no charge point of OCPP {version} is {word!r}; {hint}")


def read_call(version: str, action: str, payload: bytes) -> Any:
    """The typed message of an action and its payload as JSON.

    :raises ValueError: if the version has no such action, or the payload is not what it allows.
    """
    actions = CATALOGUES[version].actions
    known = actions.get(action)
    if known is None:
        near = get_close_matches(action, actions, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"OCPP {version} has no action {action!r}{hint}")
    if known.sent_by is Sender.CENTRAL_SYSTEM:
        raise ValueError(f"{action} is for the central system to send")
    try:
        return CATALOGUES[version].read_own(known, payload)[0]
    except LocalProtocolError as error:
        raise ValueError(f"{action}: {error}") from error
