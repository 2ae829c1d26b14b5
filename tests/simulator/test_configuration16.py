"""The configuration keys of a simulated charge point of OCPP 1.6."""

from __future__ import annotations

from msgspec import UNSET

from ocpp_twisted import v16
from ocpp_twisted.errors import CallErrorReceived
from ocpp_twisted.simulator.configuration16 import Configuration
from tests.simulator.case16 import Case

#: Chapter 9 with errata 3.79 to 3.83, section 8, and the whitepaper's chapter 7: who may do what.
STANDARD = {
    line.split()[0]: line.split()[1]
    for line in """
    AllowOfflineTxForUnknownId RW
    AuthorizationCacheEnabled RW
    AuthorizeRemoteTxRequests RW
    BlinkRepeat RW
    ClockAlignedDataInterval RW
    ConnectionTimeOut RW
    ConnectorPhaseRotation RW
    ConnectorPhaseRotationMaxLength R
    GetConfigurationMaxKeys R
    HeartbeatInterval RW
    LightIntensity RW
    LocalAuthorizeOffline RW
    LocalPreAuthorize RW
    MaxEnergyOnInvalidId RW
    MeterValuesAlignedData RW
    MeterValuesAlignedDataMaxLength R
    MeterValuesSampledData RW
    MeterValuesSampledDataMaxLength R
    MeterValueSampleInterval RW
    MinimumStatusDuration RW
    NumberOfConnectors R
    ResetRetries RW
    StopTransactionOnEVSideDisconnect RW
    StopTransactionOnInvalidId RW
    StopTxnAlignedData RW
    StopTxnAlignedDataMaxLength R
    StopTxnSampledData RW
    StopTxnSampledDataMaxLength R
    SupportedFeatureProfiles R
    SupportedFeatureProfilesMaxLength R
    TransactionMessageAttempts RW
    TransactionMessageRetryInterval RW
    UnlockConnectorOnEVSideDisconnect RW
    WebSocketPingInterval RW
    LocalAuthListEnabled RW
    LocalAuthListMaxLength R
    SendLocalListMaxLength R
    ReserveConnectorZeroSupported R
    ChargeProfileMaxStackLevel R
    ChargingScheduleAllowedChargingRateUnit R
    ChargingScheduleMaxPeriods R
    ConnectorSwitch3to1PhaseSupported R
    MaxChargingProfilesInstalled R
    SupportedFileTransferProtocols R
    AdditionalRootCertificateCheck R
    AuthorizationKey RW
    CertificateSignedMaxChainSize R
    CertificateStoreMaxLength R
    CpoName RW
    SecurityProfile RW
    """.splitlines()
    if line.strip()
}


class Configured(Case):
    def get(self, *keys):
        answer = self.asks(v16.GetConfigurationRequest(key=list(keys)))
        known = {each.key: each.value for each in answer.configurationKey}
        return known, answer.unknownKey

    def change(self, key, value):
        return self.asks(v16.ChangeConfigurationRequest(key=key, value=value)).status

    def test_all_standard_keys_are_there(self):
        answer = self.asks(v16.GetConfigurationRequest())
        keys = {each.key for each in answer.configurationKey}
        self.assertEqual(keys, STANDARD.keys())
        self.assertIs(answer.unknownKey, UNSET)

    def test_their_accessibility_is_the_standard_one(self):
        answer = self.asks(v16.GetConfigurationRequest())
        readonly = {each.key: each.readonly for each in answer.configurationKey}
        expected = {key: access == "R" for key, access in STANDARD.items()}
        self.assertEqual(readonly, expected)
        for key, access in STANDARD.items():
            if access == "R":
                self.assertEqual(self.change(key, "1"), "Rejected", key)

    def test_the_longest_value_that_a_message_can_carry(self):
        many = Configuration(500, lambda key, value: True, lambda key: None)
        lengths = [len(each.value or "") for each in many.entries([])[0]]
        self.assertLessEqual(max(lengths), 500)

    def test_some_keys_and_some_that_are_not_there(self):
        known, unknown = self.get("heartbeatinterval", "NoSuchKey", "NumberOfConnectors")
        self.assertEqual(known, {"HeartbeatInterval": "300", "NumberOfConnectors": "2"})
        self.assertEqual(unknown, ["NoSuchKey"])

    def test_too_many_keys(self):
        keys = [f"Key{number}" for number in range(51)]
        with self.assertRaises(CallErrorReceived) as raised:
            self.asks(v16.GetConfigurationRequest(key=keys))
        self.assertEqual(raised.exception.code, "OccurenceConstraintViolation")

    def test_values_that_a_key_cannot_have(self):
        for key, value in (
            ("LocalPreAuthorize", "yes"),
            ("LocalPreAuthorize", "1"),
            ("HeartbeatInterval", "-1"),
            ("HeartbeatInterval", "1.5"),
            ("HeartbeatInterval", ""),
            ("HeartbeatInterval", "999999999999"),
            ("WebSocketPingInterval", "-1"),
            ("TransactionMessageAttempts", "0"),
            ("LightIntensity", "101"),
            ("MeterValuesSampledData", "Energy.Active.Import.Register,RPM"),
            ("MeterValuesSampledData", "Voltage.L4"),
            ("StopTxnAlignedData", "Voltage,Voltage"),
            ("ConnectorPhaseRotation", "1.RST,3.RST"),
            ("ConnectorPhaseRotation", "1.XYZ"),
            ("AuthorizationKey", "00" * 15),
            ("AuthorizationKey", "00" * 21),
            ("AuthorizationKey", "no digits, but as long as a key is"),
            ("SecurityProfile", "4"),
        ):
            self.assertEqual(self.change(key, value), "Rejected", (key, value))

    def test_values_are_kept(self):
        for key, value, kept in (
            ("localpreauthorize", "TRUE", "true"),
            ("MeterValuesSampledData", "", ""),
            ("StopTxnSampledData", "Voltage, Current.Import.L1", "Voltage, Current.Import.L1"),
            ("MeterValueSampleInterval", "0", "0"),
            ("CpoName", "ACME", "ACME"),
            ("MeterValuesSampledData", "Voltage.L2-N", "Voltage.L2-N"),
        ):
            self.assertEqual(self.change(key, value), "Accepted", key)
            self.assertEqual(list(self.get(key)[0].values()), [kept])

    def test_a_key_that_is_not_there(self):
        self.assertEqual(self.change("NoSuchKey", "1"), "NotSupported")

    def test_what_needs_a_reboot_says_so(self):
        self.assertEqual(self.change("ConnectorPhaseRotation", "1.RTS"), "RebootRequired")

    def test_pings_follow_with_the_next_connection(self):
        self.assertEqual(self.change("WebSocketPingInterval", "25"), "RebootRequired")
        self.assertEqual(self.station.charge_point.target.ping_interval, 25)
        known, _ = self.get("WebSocketPingInterval")
        self.assertEqual(known, {"WebSocketPingInterval": "25"})

    def test_a_password_is_never_told(self):
        self.change("AuthorizationKey", "0123456789abcdef" * 2)
        known, _ = self.get("AuthorizationKey")
        self.assertFalse(known["AuthorizationKey"])

    def test_heartbeats_follow(self):
        self.sets(HeartbeatInterval=20)
        self.assertEqual(self.station.charge_point.heartbeat_interval, 20)
        self.network.frames.clear()
        self.run_(60)
        beats = [each for each in self.network.frames if '"Heartbeat"' in each.text]
        self.assertEqual(len(beats), 3)

    def test_the_central_system_s_interval_is_told(self):
        self.assertEqual(self.get("HeartbeatInterval")[0], {"HeartbeatInterval": "300"})

    def test_retries_follow(self):
        self.sets(TransactionMessageAttempts=5, TransactionMessageRetryInterval=7)
        retries = self.station.charge_point.retries
        self.assertEqual((retries.attempts, retries.interval), (5, 7))
