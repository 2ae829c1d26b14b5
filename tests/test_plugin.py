"""A plug-in is a class whose methods say what they handle; what makes no sense is refused."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.ocppj.message import Request
from ocpp_twisted.plugin import ActionPlugin, after, on, on_result


class Base(ActionPlugin):
    name = "base"

    @on(v16.HeartbeatRequest, v201.HeartbeatRequest)
    def heartbeat(self, charge_point, request): ...

    @after(v16.BootNotificationRequest)
    def booted(self, charge_point, request, response): ...

    @on_result(v16.ResetRequest)
    def was_reset(self, charge_point, request, outcome): ...

    @on(v21.NotifyPeriodicEventStream)
    def streamed(self, charge_point, message): ...


class ActionPluginTests(SynchronousTestCase):
    def test_it_keeps_to_the_interface(self) -> None:
        verifyClass(IActionPlugin, Base)
        verifyObject(IActionPlugin, Base())

    def test_a_method_may_answer_several_versions(self) -> None:
        plugin = Base()
        for version in ("1.6", "2.0.1"):
            self.assertEqual(plugin.request_handler(version, "Heartbeat"), plugin.heartbeat)
        self.assertIsNone(plugin.request_handler("2.1", "Heartbeat"))

    def test_each_decorator_is_for_its_own_moment(self) -> None:
        plugin = Base()
        self.assertEqual(plugin.answered_handler("1.6", "BootNotification"), plugin.booted)
        self.assertIsNone(plugin.request_handler("1.6", "BootNotification"))
        self.assertEqual(plugin.response_handler("1.6", "Reset"), plugin.was_reset)
        self.assertIsNone(plugin.answered_handler("1.6", "Reset"))

    def test_a_send_has_a_handler_as_well(self) -> None:
        plugin = Base()
        handler = plugin.request_handler("2.1", "NotifyPeriodicEventStream")
        self.assertEqual(handler, plugin.streamed)

    def test_a_method_may_have_several_marks(self) -> None:
        class Plugin(ActionPlugin):
            @on(v16.HeartbeatRequest)
            @on(v16.AuthorizeRequest)
            def both(self, charge_point, request): ...

        plugin = Plugin()
        self.assertEqual(plugin.request_handler("1.6", "Heartbeat"), plugin.both)
        self.assertEqual(plugin.request_handler("1.6", "Authorize"), plugin.both)

    def test_the_hooks_of_the_base_do_nothing(self) -> None:
        plugin = ActionPlugin()
        self.assertIsNone(plugin.start(None, {}))
        self.assertIsNone(plugin.charge_point_online(None))
        self.assertIsNone(plugin.charge_point_offline(None, "gone", 1.0))
        self.assertIsNone(plugin.stop())


class InheritanceTests(SynchronousTestCase):
    def test_a_subclass_inherits(self) -> None:
        class Sub(Base):
            pass

        plugin = Sub()
        self.assertEqual(plugin.request_handler("1.6", "Heartbeat"), plugin.heartbeat)

    def test_a_subclass_overrides_a_method_by_its_name(self) -> None:
        class Sub(Base):
            def heartbeat(self, charge_point, request):
                return "sub"

        self.assertEqual(Sub().request_handler("1.6", "Heartbeat")(None, None), "sub")

    def test_a_subclass_marks_another_method_for_the_same_request(self) -> None:
        class Sub(Base):
            @on(v16.HeartbeatRequest)
            def mine(self, charge_point, request): ...

        plugin = Sub()
        self.assertEqual(plugin.request_handler("1.6", "Heartbeat"), plugin.mine)
        self.assertEqual(plugin.request_handler("2.0.1", "Heartbeat"), plugin.heartbeat)

    def test_the_base_is_not_changed_by_its_subclasses(self) -> None:
        class Sub(Base):
            @on(v16.HeartbeatRequest)
            def mine(self, charge_point, request): ...

        plugin = Base()
        self.assertEqual(plugin.request_handler("1.6", "Heartbeat"), plugin.heartbeat)

    def test_of_two_bases_the_nearer_one_wins(self) -> None:
        class Left(Base):
            pass

        class Right(Base):
            @on(v16.HeartbeatRequest)
            def right(self, charge_point, request): ...

        class Both(Left, Right):
            pass

        plugin = Both()
        self.assertEqual(plugin.request_handler("1.6", "Heartbeat"), plugin.right)

    def test_a_mixin_need_not_be_a_plugin(self) -> None:
        class Authorizing:
            @on(v16.AuthorizeRequest)
            def authorize(self, charge_point, request): ...

        class Mixed(Authorizing, Base):
            pass

        plugin = Mixed()
        self.assertEqual(plugin.request_handler("1.6", "Authorize"), plugin.authorize)


class MisuseTests(SynchronousTestCase):
    def refused(self, decorator, *arguments) -> str:
        return str(self.assertRaises(TypeError, decorator, *arguments))

    def test_a_decorator_without_a_request(self) -> None:
        self.assertEqual(self.refused(on), "@on needs at least one request class")

    def test_a_decorator_without_its_parentheses(self) -> None:
        def method(self, charge_point, request): ...

        self.assertIn(
            "name request classes, for example v16.HeartbeatRequest", self.refused(on, method)
        )

    def test_a_response_or_a_name_is_no_request(self) -> None:
        self.assertIn("@after(", self.refused(after, v16.HeartbeatResponse))
        self.assertIn("@on_result('Reset')", self.refused(on_result, "Reset"))

    def test_the_bare_base_is_no_request(self) -> None:
        self.assertIn("@on(", self.refused(on, Request))

    def test_a_send_has_no_answer_to_hear_of(self) -> None:
        self.assertIn("@after(", self.refused(after, v21.NotifyPeriodicEventStream))
        self.assertIn("@on_result(", self.refused(on_result, v21.NotifyPeriodicEventStream))

    def test_two_methods_for_one_request(self) -> None:
        def declare() -> None:
            class Twice(ActionPlugin):
                @on(v16.HeartbeatRequest)
                def one(self, charge_point, request): ...

                @on(v16.HeartbeatRequest)
                def two(self, charge_point, request): ...

        self.assertEqual(
            self.refused(declare),
            "Twice.one and .two are both marked @on(HeartbeatRequest): only one of them can be",
        )
