"""Every interface of the library, as promises.

Imports zope.interface, Twisted's names and the lower floors only. "Fires" speaks of
Deferreds; where a handler may return "a value", it may also return a Deferred of it or be a
coroutine function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Raw, Struct
from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from ocpp_twisted.errors import CallErrorReceived, CallFailed
from ocpp_twisted.identity import Identity
from ocpp_twisted.measuring import Counted
from ocpp_twisted.ocppj.leniency import Kind, Repair
from ocpp_twisted.ocppj.message import Request, Response, ResponseT_co, Send
from ocpp_twisted.security.handshake import Handshake

__all__ = [
    "AnsweredHandler",
    "ConnectedChargePoint",
    "DataTransferHandler",
    "IActionPlugin",
    "IActiveCallPlugin",
    "IActiveCaller",
    "IChargePoint",
    "IChecksConfig",
    "IConnectionOwner",
    "IDoorkeeper",
    "IKnowsChargePoints",
    "IListsNodes",
    "IMeasured",
    "IMessageReceiver",
    "IMessageTransport",
    "IObserver",
    "IOperations",
    "IPluginDeclaration",
    "IProvidesCaller",
    "IReportsHealth",
    "ISharedMemory",
    "IShowsOperations",
    "IStopsLast",
    "ITellsConfig",
    "KnownChargePoint",
    "Node",
    "RefusedHandler",
    "RepairCount",
    "RequestHandler",
    "ResponseHandler",
]

#: ``handler(charge_point, request)``, see `IActionPlugin.request_handler`.
RequestHandler = Callable[["IChargePoint", Any], Any]
#: ``handler(charge_point, request, response)``, see `IActionPlugin.answered_handler`.
AnsweredHandler = Callable[["IChargePoint", Any, Any], Any]
#: ``handler(charge_point, request, data)``, see `IActionPlugin.data_transfer_handlers`.
DataTransferHandler = Callable[["IChargePoint", Any, Any], Any]
#: ``handler(charge_point, request, outcome)``, see `IActionPlugin.response_handler`.
ResponseHandler = Callable[["IChargePoint", Any, Response | CallFailed], Any]
#: ``handler(charge_point, response, error)``, see `IActionPlugin.refused_handler`.
RefusedHandler = Callable[["IChargePoint", Any, CallErrorReceived], Any]


class RepairCount(Struct, frozen=True):
    """A `Repair` for people and programs elsewhere: how often something was let through."""

    kind: Kind
    action: str
    path: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedChargePoint:
    """A charge point that is connected.

    :ivar version: the OCPP version of its connection.
    :ivar peer: where it connects from.
    :ivar seconds: how long it has been connected.
    :ivar repairs: what it does wrong and was let through, earlier connections included; told where
        this one charge point was asked for.
    """

    identity: Identity
    version: str
    peer: str
    seconds: float
    repairs: Sequence[RepairCount] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChargePoint:
    """What is still known of a charge point when the server has been started again.

    :ivar registration: the RegistrationStatus that holds for it; empty if none does.
    :ivar boot: its last BootNotification, as a JSON value; None if it has sent none.
    """

    registration: str = ""
    boot: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A process of a distributed system that lives.

    :ivar node: its name.
    :ivar session: one run of it.
    :ivar kind: ``gateway`` or ``worker``.
    :ivar version: of ocpp_twisted.
    :ivar since: when it was started, in seconds since 1970 by its own clock.
    :ivar load: what it has to do now, as numbers by name.
    """

    node: str
    session: str
    kind: str
    version: str
    since: float
    load: Mapping[str, float]


class IActiveCaller(Interface):
    """Sends commands to charge points, wherever they are connected."""

    def call(
        charge_point: str | Identity,
        request: Request[ResponseT_co],
        timeout: float | None = None,
    ) -> Deferred[ResponseT_co]:
        """Send a request of the version that the charge point speaks.

        Safe to use from anywhere in the reactor thread, handlers included. The calls to one
        charge point are sent in their order, one at a time, as OCPP-J demands (1.6 section
        4.1.1, 2.1 part 4 section 4.1.1); those to different charge points do not wait for each
        other.

        :param charge_point: an id (str), or an `ocpp_twisted.identity.Identity`.
        :param request: a `Request`, for example ``v16.ResetRequest(type="Soft")``.
        :param timeout: seconds until the call is given up, waiting in the queue included; None
            for the configured default.
        :returns: a Deferred that fires with the typed response. Its errbacks are
            `CallErrorReceived`, `CallTimedOut`, `NotConnected`, `ConnectionLost`, `QueueFull`,
            `CallNotAllowed`, `InvalidResponse` (all `CallFailed`), and `LocalProtocolError` if
            the request is not what the version allows; nothing was sent then.
        """

    def call_json(
        charge_point: str | Identity, action: str, payload: bytes, timeout: float | None = None
    ) -> Deferred[bytes]:
        """Send a request that is JSON text, as it is but for white space.

        The order of members and the spelling of numbers stay. It is checked before it is sent.

        :param action: for example ``Reset``.
        :param payload: JSON text (bytes, UTF-8).
        :returns: a Deferred that fires with the response's JSON text as it came; its errbacks are
            those of `call`. The text of a `LocalProtocolError` begins with the JSON path.
        """

    def connected(
        charge_point: str | Identity | None = None,
    ) -> Deferred[Sequence[ConnectedChargePoint]]:
        """Who is connected now: a Deferred of `ConnectedChargePoint`s, in no order.

        :param charge_point: the only one to look for, so that there is one or none; None for all.
        """

    def disconnect(
        charge_point: str | Identity, code: int = 1000, reason: str = ""
    ) -> Deferred[None]:
        """Close a charge point's connection.

        :returns: a Deferred that fires when the closing has begun. Its errback is `NotConnected`.
        """

    def register(charge_point: str | Identity, status: str) -> Deferred[None]:
        """Let a status count as the answer to a charge point's last BootNotification, from now on.

        It decides what the charge point may send and be sent, until it boots again; no message
        tells it. Nothing is done for a charge point that is not connected and not remembered:
        its `IActionPlugin.charge_point_online` is the place for that.

        :param status: ``Accepted``, ``Pending`` or ``Rejected``.
        :returns: a Deferred that fires when it counts.
        """


class IChargePoint(Interface):
    """A charge point that is, or was, connected; what handlers get."""

    identity = Attribute("Its `Identity`: id and name.")
    id = Attribute("Its id (str), for short.")
    version = Attribute('The OCPP version of this connection (str): "1.6", "2.0", "2.0.1", "2.1".')
    peer = Attribute("Where it connects from (str), for logs.")
    security_profile = Attribute(
        "How it has proved who it is (int): 0, it has not; 1 and 2, by password; 3, by certificate "
        "(1.6 security whitepaper, A00)."
    )
    connected = Attribute("Whether messages can be sent over this connection (bool).")
    message_id = Attribute(
        "The message id of its CALL (str) while a request handler is called for it; handlers that "
        "go on later keep it themselves. A retry has the same one."
    )
    registration = Attribute(
        "The answer to its last BootNotification (`ocpp_twisted.registration.Status`), which may "
        "have come over an earlier connection."
    )
    repairs = Attribute(
        "What it does wrong and was let through: `Repair` to how often, earlier connections "
        "included. A live, read-only view."
    )

    def payload_of(request: Request[Any]) -> Raw | None:
        """The JSON text that a request was read from, while a request handler is called for it.

        :returns: it as it came, and the version's schema allows it; None if something in it had to
            be mended, or the process that holds the connection is another one.
        """

    def call(
        request: Request[ResponseT_co], timeout: float | None = None
    ) -> Deferred[ResponseT_co]:
        """Send it a request over this connection, as `IActiveCaller.call`."""

    def call_json(action: str, payload: bytes, timeout: float | None = None) -> Deferred[bytes]:
        """Send it a request that is JSON text, as `IActiveCaller.call_json`."""

    def send(message: Send) -> None:
        """Send it a SEND (OCPP 2.1), which has no answer.

        :raises NotConnected: if the connection has ended.
        :raises CallNotAllowed: if its BootNotification has been rejected.
        :raises LocalProtocolError: if its version has no such message.
        """

    def close(code: int = 1000, reason: str = "") -> None:
        """Close the connection with a WebSocket close code and a reason of at most 123 bytes."""


class IActionPlugin(IPlugin):
    """Passive: answers what charge points ask, and hears what becomes of our calls.

    `ocpp_twisted.plugin.ActionPlugin` is the usual way to write one. Handlers are asked for once,
    at the start; what they do later is up to them.
    """

    name = Attribute("By which the command line and the configuration choose it (str).")

    custom_actions = Attribute(
        """Actions that the version does not have: version (str) to their classes, for example
        ``{"1.6": [LockRequest]}``.

        Each class is derived from `Request` (with its ACTION and RESPONSE) or, in OCPP 2.1, from
        `Send` (with its ACTION). Either side may send it. Several plug-ins may name the same
        class; another class for an action that the version or another plug-in has already stops
        the start with a `ConfigurationError`.
        """
    )

    def start(caller: IActiveCaller, config: Mapping[str, Any]) -> Deferred[None] | None:
        """The server is about to listen.

        :param caller: provides `IActiveCaller`.
        :param config: a mapping, this plug-in's part of the configuration.
        :returns: None, or a Deferred; the server listens when it has fired. A failure stops the
            start with its text.
        """

    def stop() -> Deferred[None] | None:
        """The last charge point has been disconnected; may return a Deferred."""

    def request_handler(version: str, action: str) -> RequestHandler | None:
        """The handler for an action of a version, or None if this plug-in has none.

        It is called as ``handler(charge_point, request)`` with an `IChargePoint` and the typed
        request, once for each CALL, the CALLs of one charge point in the order of their arrival,
        and returns the typed response. It may raise `CallFault` to answer with a CALLERROR; any
        other exception is logged and answered with InternalError. For a SEND (OCPP 2.1) what it
        returns is not used. An action for which no plug-in has a handler is answered with
        NotSupported.
        """

    def data_transfer_handlers() -> Mapping[
        tuple[str, str | None], tuple[DataTransferHandler, Any]
    ]:
        """Who takes which DataTransfer: (vendorId, messageId) to a handler and its data's type.

        A messageId of None stands for all messages of the vendor that no handler names, and for
        those without messageId. Capital and small letters are the same (1.6 sections 7.17 and
        7.18). Of several plug-ins that name the same, the first has it. What none of them takes
        goes to the `request_handler` of DataTransfer; if there is none, it is answered with
        UnknownMessageId or UnknownVendorId.

        The handler is called as ``handler(charge_point, request, data)`` with an `IChargePoint`,
        the version's DataTransferRequest, and its data: read as that type, or as it came if the
        type is `Any`; None if there is none. Data that is not of that type is answered with
        Rejected. The handler returns an `ocpp_twisted.data_transfer.DataTransferAnswer`; or what
        the data of an Accepted answer is to be, None for no data; or the version's
        DataTransferResponse. It may fail as a `request_handler` may.
        """

    def answered_handler(version: str, action: str) -> AnsweredHandler | None:
        """What is to be done once the CALLRESULT to an action has been written, or None.

        It is called as ``handler(charge_point, request, response)``; not again when a retry gets
        the same answer.
        """

    def response_handler(version: str, action: str) -> ResponseHandler | None:
        """What hears the answers to our own calls of an action, or None.

        It is called as ``handler(charge_point, request, outcome)`` after the caller's Deferred
        has fired, and also for an answer that comes after the call was given up. `outcome` is the
        typed response, a `CallErrorReceived`, or an `InvalidResponse`. Calls without any answer
        are not told.
        """

    def refused_handler(version: str, action: str) -> RefusedHandler | None:
        """What hears that the charge point refuses our CALLRESULT to an action, or None.

        OCPP 2.1 only, where a CALLRESULTERROR says so (part 4, section 4.2.3). It is called as
        ``handler(charge_point, response, error)`` with the typed response that was sent, and a
        `CallErrorReceived`. The request is not kept. A refusal that names none of the last
        CALLRESULTs (`Limits.kept_answers`) is only logged.
        """

    def charge_point_online(charge_point: IChargePoint) -> None:
        """A charge point has connected; it may be called from now on."""

    def charge_point_offline(charge_point: IChargePoint, reason: str, seconds: float) -> None:
        """A charge point has no connection any more (one that was replaced is still online).

        :param reason: a sentence (str).
        :param seconds: how long it was connected (float).
        """


class ITellsConfig(Interface):
    """A plug-in of whose configuration something may be told. `ActionPlugin` is one."""

    recorded_config = Attribute(
        "The keys (str) of its configuration that decide its answers, and whose values are neither "
        "secrets nor id tokens: they stand in recordings, so that a replay has them."
    )


class IActiveCallPlugin(IPlugin):
    """Active: sends commands to charge points, for example on behalf of an HTTP client."""

    name = Attribute("By which the command line and the configuration choose it (str).")

    def start(caller: IActiveCaller, config: Mapping[str, Any]) -> Deferred[None] | None:
        """The server is about to listen; parameters and result as `IActionPlugin.start`."""

    def stop() -> Deferred[None] | None:
        """The server stops, charge points are still connected; may return a Deferred.

        See `IStopsLast` for a plug-in that stops later.
        """


class IProvidesCaller(Interface):
    """An active plug-in that reaches the charge points of other processes, too.

    If it provides `IActionPlugin` as well, it hears of charge points as one of these does, and is
    stopped when the last of them has gone.
    """

    def caller(local: IActiveCaller, config: Mapping[str, Any]) -> IActiveCaller:
        """What all plug-ins of the server call charge points with.

        Called once, before any plug-in starts. If it raises, the start is stopped with the text.

        :param local: reaches the charge points of this process only.
        :param config: what ``start`` gets, too.
        """


class IListsNodes(Interface):
    """A plug-in that knows the processes of a distributed system."""

    def nodes() -> Deferred[Sequence[Node]]:
        """Those that live, in no order.

        :returns: a Deferred; its errback is any `OCPPError` if that cannot be known now.
        """


class ISharedMemory(Interface):
    """A plug-in that keeps what is remembered of charge points where other processes find it."""

    def serve(share: Callable[[Identity], Deferred[None]]) -> None:
        """Called once, before anything else.

        :param share: keeps what this process remembers of a charge point, for a process that it
            connects to now; its Deferred fires when that is done, or cannot be done.
        """

    def settle(identity: Identity) -> Deferred[None]:
        """Let the process that holds a charge point now, if one does, keep what it remembers.

        :returns: a Deferred that fires when that is done, or nobody answers; it has no errback.
        """

    def recall(identity: Identity) -> Deferred[tuple[bytes, int] | None]:
        """What was kept last, and its revision; None if nothing was.

        :returns: a Deferred; its errback is any `OCPPError` if that cannot be known now.
        """

    def keep(identity: Identity, text: bytes, last: int | None) -> Deferred[int]:
        """Keep something.

        :param last: the revision over which it may be put, 0 if nothing was kept; None for any.
        :returns: a Deferred of its revision. Its errback is `Outdated` if another process has kept
            something meanwhile, and any other `OCPPError` if it cannot be kept now.
        """


class IKnowsChargePoints(Interface):
    """An action plug-in that knows charge points longer than its process lives."""

    def known_charge_point(identity: Identity) -> Deferred[KnownChargePoint | None]:
        """What is known of a charge point that has connected, and has not booted since the start.

        What it says meanwhile is held, for two seconds at most. Of several plug-ins the first is
        asked.

        :returns: a Deferred; it fires with None if nothing is known. Its errback is any
            `OCPPError` if that cannot be told now: the charge point is served then.
        """


class IPluginDeclaration(IPlugin):
    """Tells of a plug-in without importing it; what a ``twisted/plugins`` file should hold."""

    name = Attribute("The plug-in's name (str).")
    kind = Attribute("`IActionPlugin` or `IActiveCallPlugin`.")

    def load() -> Any:
        """Import and make the plug-in.

        :returns: an object that provides `kind`, a new one for each call.
        """


class IMessageTransport(Interface):
    """What carries one connection's text messages, for example a WebSocket."""

    peer = Attribute("Where the other end is (str), for logs.")
    security_profile = Attribute(
        "How the other end has proved who it is (int): see "
        "`ocpp_twisted.security.handshake.SecurityProfile`."
    )

    def send_message(data: bytes) -> None:
        """Send one text message (bytes, UTF-8); does nothing once the connection is closing."""

    def close(code: int, reason: str) -> None:
        """Begin the closing handshake; calling it again does nothing."""

    def pause_receiving() -> None:
        """Read nothing more from the peer until `resume_receiving`."""

    def resume_receiving() -> None:
        """Read on."""


class IMessageReceiver(Interface):
    """What takes one connection's text messages."""

    registered = Attribute("Whether the charge point is known to be accepted (bool).")

    def receive(data: bytes) -> None:
        """Take one text message (bytes, UTF-8); never raises."""

    def closing() -> None:
        """Nothing can be sent any more, and nothing that comes is taken; `lost` follows."""

    def lost(reason: str) -> None:
        """The connection has ended (reason: a sentence). Called once, the last call of all."""


class IConnectionOwner(Interface):
    """To whom the server's connections belong."""

    subprotocols = Attribute("The WebSocket subprotocols it speaks (sequence of str).")

    def connection_made(
        identity: Identity, subprotocol: str, transport: IMessageTransport
    ) -> IMessageReceiver:
        """A charge point has connected and agreed on a subprotocol.

        :param transport: provides `IMessageTransport`.
        :returns: provides `IMessageReceiver`.
        """


class IDoorkeeper(Interface):
    """Decides who may come in; `ocpp_twisted.security.door.Doorkeeper` is the usual one."""

    busy = Attribute(
        "Whether it has much to decide (bool): who comes now waits in line, before TLS."
    )

    def admit(handshake: Handshake) -> Deferred[None] | None:
        """Look at a charge point that asks to come in.

        :param handshake: an `ocpp_twisted.security.handshake.Handshake`.
        :returns: None, or a Deferred that fires, if it may. It is cancelled if the charge point
            goes away meanwhile.
        :raises Refused: if it may not; as an errback, too.
        """


# -- for the operator -------------------------------------------------------------------------


class IChecksConfig(Interface):
    """A plug-in that can say, before it starts, what is wrong with its configuration."""

    def check_config(config: Mapping[str, Any], data_directory: Path) -> Iterable[str]:
        """What would keep it from starting, a sentence each; none if all is well.

        It may look at files, and makes, opens and connects nothing. Its ``start`` refuses the same.

        :param config: as ``start`` would get it.
        :param data_directory: where files are kept; it may not be there yet.
        """


class IMeasured(Interface):
    """A plug-in of which numbers are to be shown; it is asked each time somebody looks."""

    def measures() -> Iterable[Counted]:
        """Its measures as they are now, ready at once."""


class IReportsHealth(Interface):
    """A plug-in that knows when it cannot do its work, for example because its disk is full."""

    def trouble() -> str:
        """A sentence that says what is wrong now; the empty text if all is well."""


class IOperations(Interface):
    """How the server is: what an HTTP listener shows to an operator's programs."""

    def answer(path: str) -> tuple[int, str, bytes] | None:
        """The answer to GET ``/metrics``, ``/healthz`` or ``/readyz``.

        :returns: HTTP status, content type and body; None for any other path. Both health
            paths are 503 while a plug-in is in trouble, ``/readyz`` also while the server starts
            or stops; the body says why.
        """


class IStopsLast(Interface):
    """An active plug-in that is to be reached until the end, to show how the server stops."""

    def stopping() -> None:
        """The server begins to stop: take no more commands.

        Charge points have time to end what is open; ``stop`` follows when they are disconnected,
        and at the same time as that of the action plug-ins. Called once for each ``start``.
        """


class IShowsOperations(Interface):
    """A plug-in that shows `IOperations`. Without any, nothing is measured."""

    def operations(operations: IOperations) -> None:
        """Take what is to be shown; called once, before the plug-in starts."""


class IObserver(Interface):
    """Hears what becomes of messages, in order to count it. It must be quick, and never raises.

    `version` is an OCPP version, `action` the name of one of its actions: never what a peer made
    up.
    """

    def watched(version: str, action: str, handler: RequestHandler) -> RequestHandler:
        """A handler that does the same, and is measured. Asked for once, at the start."""

    def call_refused(version: str, action: str, code: str) -> None:
        """A CALL that came as far as the look-up of its handler is answered with a CALLERROR."""

    def call_came_again(version: str, action: str) -> None:
        """A CALL was a retry, and has its answer without its handler."""

    def message_refused(version: str, reply: bytes | None) -> None:
        """A message was not readable, not known, or not admitted.

        :param reply: the CALLERROR to it, as it goes to the wire; None if it has no answer.
        """

    def repaired(version: str, repairs: Sequence[Repair]) -> None:
        """Something was let through that the schema does not allow."""

    def limit_reached(limit: str) -> None:
        """A limit was reached: the name of a field of `ocpp_twisted.limits.Limits`."""

    def call_begun(version: str) -> None:
        """A call of ours is queued or sent; `call_over` follows."""

    def call_over(
        version: str, action: str, seconds: float, error: Exception | None = None
    ) -> None:
        """A call of ours has ended.

        :param seconds: since it was queued.
        :param error: what its caller gets; None if it gets a CALLRESULT.
        """
