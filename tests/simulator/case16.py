"""A simulated charge point of OCPP 1.6 in memory, and what its central system hears of it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.charge_point import ChargePointOptions, Target
from ocpp_twisted.errors import CallFault, ErrorCode
from ocpp_twisted.plugin import ActionPlugin, on
from ocpp_twisted.simulator.physical import Vehicle
from ocpp_twisted.simulator.station import Hardware, Station
from ocpp_twisted.simulator.voice16 import Voice16
from ocpp_twisted.testing import Network

TAGS = v16.AuthorizationStatus


def tag_info(status="Accepted", **more):
    return v16.IdTagInfo(status=TAGS(status), **more)


class Central(ActionPlugin):
    """Knows some tags, and writes down what it hears.

    :ivar tags: tag to what is said of it; of others "Invalid".
    :ivar starting: what StartTransaction is told of a tag, if that is something else.
    :ivar stopping: what StopTransaction is told of a tag.
    :ivar fails: actions that are answered with an error.
    :ivar registration: what BootNotification is answered.
    :ivar heard: requests, in their order.
    :ivar connections: how many there have been.
    """

    name = "central"

    def __init__(self):
        self.tags = {"RED": tag_info(), "GREEN": tag_info(), "BAD": tag_info("Blocked")}
        self.starting, self.stopping = {}, {}
        self.fails = set()
        self.registration = "Accepted"
        self.heard = []
        self.transactions = 0
        self.connections = 0

    def charge_point_online(self, charge_point):
        self.connections += 1

    def info(self, tag, known=None):
        return {**self.tags, **(known or {})}.get(tag.upper(), tag_info("Invalid"))

    @on(v16.BootNotificationRequest)
    def boot(self, charge_point, request):
        now = datetime.fromtimestamp(self.clock.seconds(), UTC)
        status = v16.RegistrationStatus(self.registration)
        return v16.BootNotificationResponse(currentTime=now, interval=300, status=status)

    @on(v16.AuthorizeRequest)
    def authorize(self, charge_point, request):
        self.hear(request)
        return v16.AuthorizeResponse(idTagInfo=self.info(request.idTag))

    @on(v16.StartTransactionRequest)
    def start_transaction(self, charge_point, request):
        self.hear(request)
        self.transactions += 1
        info = self.info(request.idTag, self.starting)
        return v16.StartTransactionResponse(idTagInfo=info, transactionId=self.transactions)

    @on(v16.StopTransactionRequest)
    def stop_transaction(self, charge_point, request):
        self.hear(request)
        info = self.stopping.get(request.idTag, UNSET)
        return v16.StopTransactionResponse(idTagInfo=info)

    @on(v16.SignCertificateRequest)
    def sign(self, charge_point, request):
        self.hear(request)
        return v16.SignCertificateResponse(status=v16.GenericStatusEnumType.Accepted)

    @on(
        v16.StatusNotificationRequest,
        v16.MeterValuesRequest,
        v16.FirmwareStatusNotificationRequest,
        v16.DiagnosticsStatusNotificationRequest,
        v16.LogStatusNotificationRequest,
        v16.SecurityEventNotificationRequest,
        v16.SignedFirmwareStatusNotificationRequest,
    )
    def note(self, charge_point, request):
        self.hear(request)
        return request.RESPONSE()

    def hear(self, request):
        if request.ACTION in self.fails:
            raise CallFault(ErrorCode.INTERNAL_ERROR)
        self.heard.append(request)


class Case(SynchronousTestCase):
    """A charge point that has booted, and said so."""

    outlets = 2
    options: ChargePointOptions | None = None
    secure_url = ""
    #: Certificates for tests are made with the true time.
    at_the_true_time = False
    target = Target.at("ws://central-system", "CP1")

    def setUp(self):
        self.central = Central()
        self.network = Network(self.central)
        self.central.clock = self.network.clock
        if self.at_the_true_time:
            self.network.clock.rightNow = datetime.now(UTC).timestamp()
        self.station = Station(
            self.target,
            partial(Voice16, secure_url=self.secure_url),
            self.network.clock,
            Hardware(outlets=self.outlets),
            self.options,
            dialer=self.network,
            random=Random(1),
        )
        self.voice: Any = self.station.voice
        self.addCleanup(self.leave_nothing)
        self.station.start()
        self.run_(0)
        self.says(*(f"Status {number} Available" for number in range(self.outlets + 1)))

    def leave_nothing(self):
        """No timer outlasts the charge point."""
        self.station.stop()
        self.network.run(0)
        left = [str(each) for each in self.network.clock.getDelayedCalls()]
        ours = [each for each in left if "simulator" in each or "charge_point" in each]
        self.assertEqual(ours, [])

    def run_(self, seconds):
        self.network.run(seconds)

    def asks(self, request):
        """What the charge point answers to the central system."""
        return self.network.result(self.network.central_system.call("CP1", request))

    def sets(self, **values):
        """The central system changes the configuration."""
        for key, value in values.items():
            answer = self.asks(v16.ChangeConfigurationRequest(key=key, value=str(value)))
            self.assertIn(answer.status, ("Accepted", "RebootRequired"), key)

    def heard(self):
        """The requests since the last time."""
        self.run_(0)
        heard, self.central.heard = self.central.heard, []
        return heard

    def says(self, *expected):
        """What the charge point has said since the last time, in short."""
        self.assertEqual([short(each) for each in self.heard()], list(expected))

    def charge(self, tag="RED", number=1, vehicle=None):
        """A car is plugged in, and somebody charges it."""
        self.station.plug_in(number, vehicle if vehicle is not None else Vehicle())
        self.run_(0)
        self.station.present(tag, number)
        self.run_(0)
        self.heard()

    def state(self, number=1):
        return self.voice.state(self.station.outlet(number))


def short(request):
    """A request in a few words."""
    match request:
        case v16.StatusNotificationRequest():
            words = ["Status", request.connectorId, request.status]
            words += [request.errorCode] if request.errorCode != "NoError" else []
            words += [request.vendorErrorCode, request.info]
        case v16.AuthorizeRequest():
            words = ["Authorize", request.idTag]
        case v16.StartTransactionRequest():
            words = ["Start", request.connectorId, request.idTag, request.meterStart]
            words += [f"reservation {request.reservationId}"] if request.reservationId else []
        case v16.StopTransactionRequest():
            words = ["Stop", request.transactionId, request.reason, request.idTag]
        case v16.MeterValuesRequest():
            (value,) = request.meterValue
            words = ["Meter", request.connectorId, request.transactionId]
            words += [each.value for each in value.sampledValue]
        case v16.SecurityEventNotificationRequest():
            words = ["Event", request.type]
        case v16.SignCertificateRequest():
            words = ["SignCertificate"]
        case _:
            words = [request.ACTION.removesuffix("StatusNotification"), request.status]
    return " ".join(str(each) for each in words if each is not UNSET)
