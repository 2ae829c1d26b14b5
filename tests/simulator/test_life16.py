"""A simulated charge point of OCPP 1.6 to which anything happens in any order.

Whatever that is: it answers all that the central system asks, each transaction is told once from
its begin to its end, nothing flows without one, and no timer outlasts it. `OCPP_TEST_LONG=20` plays
twenty times as many games.
"""

from __future__ import annotations

import os
from datetime import timedelta
from random import Random

from ocpp_twisted import v16
from ocpp_twisted.errors import CallErrorReceived, OCPPError
from ocpp_twisted.simulator.physical import Vehicle
from tests.simulator.case16 import Case, tag_info
from tests.simulator.test_charging16 import profile

GAMES = 15 * int(os.environ.get("OCPP_TEST_LONG", "1"))
TAGS = ("RED", "GREEN", "BAD", "MUM", "DAD", "NEW")
FAULTS = ("", "", "GroundFailure", "EVCommunicationError", "Mice", "ConnectorLockFailure")
#: What a handler may refuse, rather than answer.
REFUSALS = ("PropertyConstraintViolation", "NotSupported")


class Life(Case):
    def test_anything_in_any_order(self):
        for seed in range(GAMES):
            if seed:
                self.doCleanups()
                self.setUp()
            try:
                self.play(Random(seed))
            except BaseException:
                print(f"game {seed}")
                raise

    def play(self, random):
        self.random = random
        self.central.tags.update(
            MUM=tag_info(parentIdTag="family"), DAD=tag_info(parentIdTag="family")
        )
        self.central.starting = {"GREEN": tag_info(random.choice(["Accepted", "Blocked"]))}
        self.begun, self.ended = [], {}
        events = [
            getattr(self, name)
            for name, weight in (
                ("plugs", 8),
                ("presents", 8),
                ("waits", 10),
                ("breaks", 2),
                ("is_cut", 1),
                ("is_cut_at_once", 1),
                ("loses_power", 1),
                ("is_asked", 14),
            )
            for _ in range(weight)
        ]
        for _ in range(120):
            random.choice(events)()
            self.is_sound()
        self.settles_up()

    def is_sound(self):
        for connector in self.voice.connectors.values():
            if connector.transaction is None:
                self.assertEqual(connector.outlet.flow, 0)
        for request in self.heard():
            match request:
                case v16.StartTransactionRequest():
                    self.begun.append(request)
                case v16.StopTransactionRequest():
                    self.assertNotIn(request.transactionId, self.ended)
                    self.ended[request.transactionId] = request
                    begin = self.begun[request.transactionId - 1]
                    self.assertGreaterEqual(request.meterStop, begin.meterStart)
                    self.assertGreaterEqual(request.timestamp, begin.timestamp)
                case v16.MeterValuesRequest() if request.transactionId:
                    self.assertNotIn(request.transactionId, self.ended)

    def settles_up(self):
        """In the end all transactions are over, and the central system knows it."""
        self.network.reachable = True
        self.station.stop()
        self.run_(1)
        self.station.start()
        self.run_(3600)
        self.is_sound()
        self.assertEqual(self.station.charge_point.queued, 0)
        self.assertEqual(sorted(self.ended), [number + 1 for number in range(len(self.begun))])

    # -- what happens -------------------------------------------------------------------------

    def plugs(self):
        number = self.random.choice([1, 2])
        if self.station.outlet(number).vehicle is None:
            charge = self.random.choice([0, 50_000, 59_999, 60_000])
            self.station.plug_in(number, Vehicle(charge=charge))
        else:
            self.station.unplug(number)

    def presents(self):
        self.station.present(self.random.choice(TAGS), self.random.choice([1, 2]))

    def waits(self):
        self.run_(self.random.choice([0, 0, 1, 20, 150, 1000]))

    def breaks(self):
        self.station.break_down(self.random.choice(FAULTS), self.random.choice([1, 2]))

    def is_cut(self):
        self.network.reachable = self.random.choice([True, False])
        if self.station.charge_point.connected:
            self.network.cut()
        self.run_(self.random.choice([0, 100]))
        self.network.reachable = True

    def is_cut_at_once(self):
        """Whatever is said is under way."""
        self.random.choice([self.plugs, self.presents])()
        self.network.clock.advance(0)
        self.is_cut()

    def loses_power(self):
        self.station.stop()
        self.waits()
        self.station.start()

    def is_asked(self):
        request = self.random.choice(self.requests())
        try:
            self.asks(request)
        except CallErrorReceived as error:
            self.assertIn(error.code, REFUSALS, request)
        except OCPPError:
            pass  # there is no connection, or the central system itself may not ask that now

    def requests(self):
        number, random = self.random.choice([0, 1, 2, 2, 3]), self.random
        now = self.voice.now()
        default = profile([(0, random.choice([0, 5000])), (60, 3000)], kind="Relative")
        return [
            v16.RemoteStartTransactionRequest(idTag=random.choice(TAGS), connectorId=number),
            v16.RemoteStartTransactionRequest(
                idTag=random.choice(TAGS),
                chargingProfile=profile([(0, 1000)], 7, "TxProfile", kind="Relative"),
            ),
            v16.RemoteStopTransactionRequest(
                transactionId=random.randint(1, self.central.transactions + 1)
            ),
            v16.ResetRequest(type=random.choice(list(v16.ResetType))),
            v16.UnlockConnectorRequest(connectorId=number),
            v16.ChangeAvailabilityRequest(
                connectorId=number, type=random.choice(list(v16.AvailabilityType))
            ),
            v16.ReserveNowRequest(
                connectorId=number,
                expiryDate=now + timedelta(seconds=random.choice([-1, 10, 500])),
                idTag=random.choice(TAGS),
                reservationId=random.choice([1, 2, 3]),
                parentIdTag="family",
            ),
            v16.CancelReservationRequest(reservationId=random.choice([1, 2, 3])),
            v16.SetChargingProfileRequest(connectorId=number, csChargingProfiles=default),
            v16.SetChargingProfileRequest(
                connectorId=0, csChargingProfiles=profile([(0, 9000)], 2, "ChargePointMaxProfile")
            ),
            v16.SetChargingProfileRequest(
                connectorId=number, csChargingProfiles=profile([(0, 2000)], 3, "TxProfile")
            ),
            v16.ClearChargingProfileRequest(),
            v16.GetCompositeScheduleRequest(connectorId=number, duration=1000),
            v16.TriggerMessageRequest(
                requestedMessage=random.choice(list(v16.MessageTrigger)), connectorId=number
            ),
            v16.ExtendedTriggerMessageRequest(
                requestedMessage=random.choice(list(v16.MessageTriggerEnumType))
            ),
            v16.UpdateFirmwareRequest(location="ftp://f/a.bin", retrieveDate=now),
            v16.GetDiagnosticsRequest(location="ftp://f/"),
            v16.SendLocalListRequest(
                listVersion=random.randint(0, 3),
                updateType=random.choice(list(v16.UpdateType)),
                localAuthorizationList=[
                    v16.AuthorizationData(
                        idTag=random.choice(TAGS),
                        idTagInfo=tag_info(random.choice(["Accepted", "Blocked"])),
                    )
                ],
            ),
            *(
                v16.ChangeConfigurationRequest(key=key, value=random.choice(values.split()))
                for key, values in (
                    ("MinimumStatusDuration", "0 0 5"),
                    ("ConnectionTimeOut", "0 30 120"),
                    ("MeterValueSampleInterval", "0 10 60"),
                    ("ClockAlignedDataInterval", "0 60"),
                    ("StopTransactionOnEVSideDisconnect", "true false"),
                    ("UnlockConnectorOnEVSideDisconnect", "true false"),
                    ("StopTransactionOnInvalidId", "true false"),
                    ("MaxEnergyOnInvalidId", "0 100"),
                    ("AllowOfflineTxForUnknownId", "true false"),
                    ("LocalPreAuthorize", "true false"),
                    ("AuthorizeRemoteTxRequests", "true false"),
                )
            ),
        ]
