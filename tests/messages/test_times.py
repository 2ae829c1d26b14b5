"""Times: what real charge points write is read, and what we write is RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16
from ocpp_twisted.errors import CallFault, LocalProtocolError
from ocpp_twisted.ocppj import times

NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)


class ReadTests(SynchronousTestCase):
    def assert_noon(self, text: str) -> None:
        self.assertEqual(times.read(text), NOON)
        response = v16.CATALOGUE.read_response("Heartbeat", b'{"currentTime":"%b"}' % text.encode())
        self.assertEqual(response, v16.HeartbeatResponse(currentTime=NOON))

    def test_utc(self) -> None:
        self.assert_noon("2024-05-06T12:00:00Z")
        self.assert_noon("2024-05-06T12:00:00+00:00")

    def test_offset(self) -> None:
        self.assert_noon("2024-05-06T14:00:00+02:00")
        self.assert_noon("2024-05-06T02:30:00-09:30")

    def test_short_offset(self) -> None:
        self.assert_noon("2024-05-06T14:00:00+02")
        self.assert_noon("2024-05-06T14:00:00+0200")

    def test_no_zone_is_utc(self) -> None:
        self.assert_noon("2024-05-06T12:00:00")
        self.assert_noon("2024-05-06T12:00:00.000")

    def test_no_seconds(self) -> None:
        self.assert_noon("2024-05-06T12:00Z")
        self.assert_noon("2024-05-06T14:00+02:00")

    def test_a_space_for_the_t(self) -> None:
        self.assert_noon("2024-05-06 12:00:00Z")

    def test_small_letters(self) -> None:
        self.assert_noon("2024-05-06t12:00:00z")

    def test_microseconds(self) -> None:
        moment = times.read("2024-05-06T12:00:00.123456Z")
        self.assertEqual(moment, NOON.replace(microsecond=123456))

    def test_a_leap_second_is_the_second_before(self) -> None:
        moment = times.read("2016-12-31T23:59:60Z")
        self.assertEqual(moment, datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC))

    def test_no_time(self) -> None:
        for text in ("", "now", "2024-05-06", "2024-13-06T12:00:00Z", "2024-05-06T25:00:00Z"):
            self.assertRaises(ValueError, times.read, text)
            self.assertRaises(
                CallFault,
                v16.CATALOGUE.read_response,
                "Heartbeat",
                b'{"currentTime":"%b"}' % text.encode(),
            )

    def test_minute_60_is_no_leap_second(self) -> None:
        self.assertRaises(ValueError, times.read, "2024-05-06T12:60:00Z")


class WriteTests(SynchronousTestCase):
    def assert_written(self, moment: datetime, text: bytes) -> None:
        self.assertEqual(bytes(times.write(moment)), b'"%b"' % text)
        response = v16.HeartbeatResponse(currentTime=moment)
        self.assertEqual(v16.CATALOGUE.write(response), b'{"currentTime":"%b"}' % text)

    def test_whole_seconds(self) -> None:
        self.assert_written(NOON, b"2024-05-06T12:00:00Z")

    def test_microseconds_are_cut(self) -> None:
        self.assert_written(NOON.replace(microsecond=123999), b"2024-05-06T12:00:00.123Z")
        self.assert_written(NOON.replace(microsecond=120000), b"2024-05-06T12:00:00.120Z")

    def test_another_zone(self) -> None:
        zone = timezone(timedelta(hours=-9, minutes=-30))
        self.assert_written(NOON.astimezone(zone), b"2024-05-06T12:00:00Z")

    def test_inside_lists_and_objects(self) -> None:
        zone = timezone(timedelta(hours=2))
        value = v16.MeterValue(
            timestamp=NOON.astimezone(zone), sampledValue=[v16.SampledValue(value="1")]
        )
        request = v16.MeterValuesRequest(connectorId=1, meterValue=[value, value])
        text = v16.CATALOGUE.write(request)
        self.assertEqual(text.count(b'"timestamp":"2024-05-06T12:00:00Z"'), 2)
        self.assertEqual(value.timestamp.tzinfo, zone)

    def test_a_naive_time_is_refused(self) -> None:
        naive = datetime(2024, 5, 6, 12, 0)  # noqa: DTZ001
        self.assertRaises(ValueError, times.write, naive)
        response = v16.HeartbeatResponse(currentTime=naive)
        with self.assertRaisesRegex(LocalProtocolError, "has no time zone"):
            v16.CATALOGUE.write(response)

    def test_a_time_before_the_first_year_in_utc_is_refused(self) -> None:
        moment = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
        response = v16.HeartbeatResponse(currentTime=moment)
        self.assertRaises(LocalProtocolError, v16.CATALOGUE.write, response)
