"""The prompt: what is typed is done, and what is wrong with it is said."""

from __future__ import annotations

from twisted.internet.testing import StringTransport

from ocpp_twisted.simulator.faults import FAULTS
from ocpp_twisted.simulator.physical import Vehicle
from ocpp_twisted.simulator.prompt import Prompt
from tests.simulator.case import BenchCase


class PromptCase(BenchCase):
    shown = False

    def setUp(self) -> None:
        super().setUp()
        self.terminal = StringTransport()
        self.prompt = Prompt(self.bench, self.network.clock, self.shown)
        self.prompt.makeConnection(self.terminal)

    def types(self, *lines: str) -> None:
        for line in lines:
            self.prompt.dataReceived(line.encode() + b"\n")
        self.network.run()

    def reads(self) -> list[str]:
        """The lines that have come since the last time."""
        text = self.terminal.value().decode()
        self.terminal.clear()
        return text.splitlines()

    def says(self, *lines: str) -> list[str]:
        """What comes when these are typed."""
        self.reads()
        self.types(*lines)
        return self.reads()


class CommandTests(PromptCase):
    def test_a_car_charges(self) -> None:
        self.assertEqual(self.says("plug 1 power=3600", "present RED"), [])
        self.network.run(1800)
        first, one, two = self.says("status")
        self.assertEqual(first, "CP1: OCPP 1.6, open, Accepted, 0 messages wait")
        self.assertEqual(one, "1: Charging, 3600 W, 1800 Wh, a car, 23 % full")
        self.assertEqual(two, "2: Available, 0 W, 0 Wh, no car")
        self.assertEqual(self.says("unplug 1", "status")[1], "1: Available, 0 W, 1800 Wh, no car")

    def test_a_call(self) -> None:
        accepted = ['{"idTagInfo":{"status":"Accepted"}}']
        for line in (
            "call Authorize idTag=RED",
            'call Authorize {"idTag":"RED"}',
            'call Authorize { "idTag": "RED" }',
        ):
            self.assertEqual(self.says(line), accepted)

    def test_a_call_that_fails(self) -> None:
        for line, said in (
            ("call Authorise", "OCPP 1.6 has no action 'Authorise'; did you mean Authorize?"),
            ("call Authorize", "Authorize: $.idTag: required, but absent"),
            ("call Authorize {", "--json is no JSON"),
            ("call Authorize idTag", "'idTag' is no field: write name=value"),
            (
                "call FirmwareStatusNotification status=Idle",
                "the peer answered NotSupported: FirmwareStatusNotification is not",
            ),
        ):
            (line,) = self.says(line)
            self.assertIn(said[:40], line)

    def test_a_text_as_it_is(self) -> None:
        self.says("frames on")
        sent, heard = self.says('send [2,"x",  "Heartbeat",{}]')
        self.assertEqual(sent, '-> [2,"x",  "Heartbeat",{}]')
        self.assertTrue(heard.startswith('<- [3,"x",{"currentTime"'), heard)
        self.says("frames off")
        self.assertEqual(self.says('send [2,"y","Heartbeat",{}]'), [])

    def test_what_a_peer_writes_does_not_drive_the_terminal(self) -> None:
        self.says("frames on")
        sent, *_ = self.says('send [2,"\x1b[2J","Heartbeat",{}]')
        self.assertEqual(sent, '-> [2,"\\x1b[2J","Heartbeat",{}]')

    def test_network_and_power(self) -> None:
        for line, said in (
            ("offline", "CP1: OCPP 1.6, waiting, Accepted, 0 messages wait, no network"),
            ("online", "CP1: OCPP 1.6, open, Accepted, 0 messages wait"),
            ("power off", "CP1: OCPP 1.6, stopped, Accepted, 0 messages wait, no power"),
            ("power on", "CP1: OCPP 1.6, open, Accepted, 0 messages wait"),
            ("reset", "CP1: OCPP 1.6, open, Accepted, 0 messages wait"),
        ):
            self.assertEqual(self.says(line), [])
            self.assertEqual(self.says("status")[0], said)

    def test_faults(self) -> None:
        self.assertEqual(self.says("fault answer-late seconds=3", "fault wrong-ids"), [])
        self.assertEqual(
            self.says("status")[3:],
            ["fault: answer-late seconds=3.0 share=1.0", "fault: wrong-ids share=1.0"],
        )
        listed = self.says("fault")
        self.assertEqual(len(listed), len(FAULTS))
        self.assertIn("answer-late seconds=3.0 share=1.0: They are answered", listed[1])
        self.assertEqual(len(self.says("fault none", "status")), 3)

    def test_a_broken_outlet(self) -> None:
        self.assertEqual(self.says("break GroundFailure 2", "status")[2][:10], "2: Faulted")
        self.assertEqual(self.says("mend 2", "status")[2][:12], "2: Available")

    def test_help(self) -> None:
        listed = "\n".join(self.says("help"))
        for word in ("plug", "call", "frames on|off", "fault none ends it", "quit"):
            self.assertIn(word, listed)

    def test_what_is_wrong_is_said(self) -> None:
        for line, said in (
            ("plugg 1", "there is no command 'plugg'; plug?"),
            ("hullabaloo", "there is no command 'hullabaloo'; see help"),
            ("plug one", "'one' is no number, like 1"),
            ("plug 3", "CP1 has outlets 1 to 2, not 3"),
            ("plug 1 colour=red", "a car has no 'colour'; it has: power, phases, capacity, charge"),
            ("plug 1 power=x", "power: 'x' is not a number, 0 or more"),
            ("plug 1 phases=0", "phases: '0' is not 1, 2 or 3"),
            ("present", "write: present TOKEN [OUTLET]"),
            ("present RED 1 2", "write: present TOKEN [OUTLET]"),
            ("power up", "write: power on, or power off"),
            ("frames", "write: frames on|off"),
            ("fault sulk", "there is no fault 'sulk'; there are: never-answer"),
            ("wait charged", "no charge point of OCPP 1.6 is 'charged'; did you mean charging?"),
            ("sleep long", "seconds: 'long' is not a number, 0 or more"),
            ("send", "write: send TEXT"),
        ):
            self.assertIn(said, "\n".join(self.says(line)), line)

    def test_a_second_car(self) -> None:
        self.assertEqual(self.says("plug", "plug"), ["a car is plugged in at outlet 1 already"])

    def test_a_battery_of_no_size(self) -> None:
        self.assertEqual(Vehicle(capacity=0).state_of_charge, 100)

    def test_what_is_not_a_command(self) -> None:
        self.assertEqual(self.says("", "   ", "# a remark"), [])


class OrderTests(PromptCase):
    """As in a pipe: a command waits until the one before is done."""

    def test_sleeping(self) -> None:
        self.types("sleep 10", "plug 1")
        self.assertIsNone(self.bench.station.outlet(1).vehicle)
        self.network.run(10)
        self.assertIsNotNone(self.bench.station.outlet(1).vehicle)

    def test_waiting(self) -> None:
        self.types("plug", "present RED", "wait Charging", "unplug", "wait Preparing seconds=3")
        self.network.run(1)
        self.assertIsNone(self.bench.station.outlet(1).vehicle)
        self.network.run(5)
        self.assertEqual(self.reads(), ["it is not Preparing in 3 seconds"])

    def test_many_at_once(self) -> None:
        self.types(*["plug", "unplug"] * 2000, "plug")
        self.assertEqual(self.reads(), [])
        self.assertIsNotNone(self.bench.station.outlet(1).vehicle)

    def test_the_end_of_the_input(self) -> None:
        """What has been typed is done before it ends."""
        self.types("frames on", "sleep 5", "help")
        self.prompt.readConnectionLost()
        self.assertFalse(self.terminal.disconnecting)
        self.network.run(5)
        self.assertIn("quit", self.reads()[-1])
        self.assertTrue(self.terminal.disconnecting)
        self.assertNoResult(self.prompt.ended)
        self.prompt.connectionLost()
        self.successResultOf(self.prompt.ended)
        self.assertIsNone(self.bench.modem.listener)

    def test_quit(self) -> None:
        self.types("quit", "help")
        self.assertEqual(self.reads(), [])
        self.assertTrue(self.terminal.disconnecting)

    def test_nobody_reads(self) -> None:
        self.prompt.writeConnectionLost()
        self.assertTrue(self.terminal.disconnecting)

    def test_a_command_that_breaks(self) -> None:
        """The prompt lives on."""
        del self.bench.station.outlets[1].number
        self.types("status", "plug")
        self.assertIn("it fails: AttributeError", self.reads()[-1])
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
        self.assertIsNotNone(self.bench.station.outlet(1).vehicle)


class ShownTests(PromptCase):
    shown = True

    def test_a_person_sees_that_something_may_be_typed(self) -> None:
        self.assertEqual(self.reads(), ["help lists the commands, quit ends it", "> "])
        self.assertEqual(self.says("plug"), ["> "])
