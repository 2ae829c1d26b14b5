"""Every action of a version has a route; the first plug-in answers, all of them hear."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ocpp_twisted import v16, v201
from ocpp_twisted.metrics import Messages
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result
from ocpp_twisted.routing import routes


class First(ActionPlugin):
    name = "first"

    @on(v16.HeartbeatRequest)
    def answers(self, charge_point, request): ...

    @after(v16.HeartbeatRequest)
    def hears(self, charge_point, request, response): ...


class Second(ActionPlugin):
    name = "second"

    @on(v16.HeartbeatRequest, v16.AuthorizeRequest, v201.HeartbeatRequest)
    def answers(self, charge_point, request): ...

    @after(v16.HeartbeatRequest)
    def hears(self, charge_point, request, response): ...

    @on_result(v16.ResetRequest)
    def told(self, charge_point, request, outcome): ...


class RoutingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.first, self.second = First(), Second()
        self.routes = routes(v16.CATALOGUE, [self.first, self.second])

    def test_every_action_has_a_route(self) -> None:
        self.assertEqual(set(self.routes), set(v16.CATALOGUE.actions))

    def test_the_first_plugin_answers(self) -> None:
        self.assertEqual(self.routes["Heartbeat"].request, self.first.answers)

    def test_what_the_first_has_no_handler_for_the_second_answers(self) -> None:
        self.assertEqual(self.routes["Authorize"].request, self.second.answers)

    def test_an_observer_measures_every_handler(self) -> None:
        messages = Messages()
        watched = routes(v16.CATALOGUE, [self.first, self.second], messages)
        for action in ("Heartbeat", "DataTransfer"):
            self.assertNotEqual(watched[action].request, self.routes[action].request)
        self.assertIsNone(watched["BootNotification"].request)
        request = watched["Heartbeat"].request
        assert request is not None
        self.assertIsNone(request(1, v16.HeartbeatRequest()))
        (took,) = [each for each in messages.measures() if each.name == "ocpp_handler_seconds"]
        self.assertEqual(list(took.values), [("1.6", "Heartbeat")])

    def test_what_nobody_handles_has_no_handler(self) -> None:
        self.assertIsNone(self.routes["BootNotification"].request)

    def test_all_of_them_hear_that_an_answer_has_been_written(self) -> None:
        self.assertEqual(self.routes["Heartbeat"].answered, (self.first.hears, self.second.hears))

    def test_answers_to_our_calls_are_heard_by_who_asked_for_them(self) -> None:
        self.assertEqual(self.routes["Reset"].response, (self.second.told,))
        self.assertEqual(self.routes["Heartbeat"].response, ())

    def test_another_version_has_its_own_handlers(self) -> None:
        other = routes(v201.CATALOGUE, [self.first, self.second])
        self.assertEqual(other["Heartbeat"].request, self.second.answers)
        self.assertEqual(other["Heartbeat"].answered, ())
