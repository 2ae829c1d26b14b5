"""A plug-in is a class whose methods say what they handle; what makes no sense is refused."""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from ocpp_twisted import v16, v21, v201
from ocpp_twisted.interfaces import IActionPlugin
from ocpp_twisted.ocppj.message import Request, Response
from ocpp_twisted.plugin import ActionPlugin, after, on, on_data_transfer, on_result


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


class DataTransferTests(SynchronousTestCase):
    def test_each_transfer_with_its_method_and_type(self) -> None:
        class Plugin(ActionPlugin):
            @on_data_transfer("com.acme")
            @on_data_transfer("com.acme", "count", data=int)
            def both(self, charge_point, request, data): ...

        plugin = Plugin()
        expected = {
            ("com.acme", None): (plugin.both, Any),
            ("com.acme", "count"): (plugin.both, int),
        }
        self.assertEqual(plugin.data_transfer_handlers(), expected)
        self.assertEqual(Base().data_transfer_handlers(), {})

    def test_a_subclass_overrides_and_adds(self) -> None:
        class Plugin(ActionPlugin):
            @on_data_transfer("com.acme", "a")
            def one(self, charge_point, request, data): ...

            @on_data_transfer("com.acme", "b")
            def two(self, charge_point, request, data): ...

        class Sub(Plugin):
            def one(self, charge_point, request, data): ...

            @on_data_transfer("com.acme", "b", data=int)
            def mine(self, charge_point, request, data): ...

        plugin = Sub()
        expected = {("com.acme", "a"): (plugin.one, Any), ("com.acme", "b"): (plugin.mine, int)}
        self.assertEqual(plugin.data_transfer_handlers(), expected)


class CustomActionTests(SynchronousTestCase):
    def test_each_action_has_its_own_handler(self) -> None:
        class Answer(Response):
            pass

        class One(Request[Answer]):
            ACTION = "One"
            RESPONSE = Answer

        class Two(Request[Answer]):
            ACTION = "Two"
            RESPONSE = Answer

        class Plugin(Base):
            custom_actions: ClassVar[Any] = {"1.6": [One, Two], "2.1": [Two]}

            @on(One)
            def one(self, charge_point, request): ...

            @on(Two)
            def two(self, charge_point, request): ...

        plugin = Plugin()
        self.assertEqual(plugin.request_handler("1.6", "One"), plugin.one)
        self.assertEqual(plugin.request_handler("1.6", "Two"), plugin.two)
        self.assertIsNone(plugin.answered_handler("1.6", "Two"))
        self.assertIsNone(plugin.request_handler("2.1", "One"))
        self.assertEqual(plugin.request_handler("2.1", "Two"), plugin.two)
        self.assertIsNone(plugin.request_handler("1.6", "Three"))


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

    def test_a_data_transfer_without_a_vendor(self) -> None:
        def method(self, charge_point, request, data): ...

        self.assertIn(
            "name a vendorId, and a messageId or None", self.refused(on_data_transfer, method)
        )
        self.assertIn("('com.acme', 7)", self.refused(on_data_transfer, "com.acme", 7))

    def test_data_of_a_type_that_cannot_be_read(self) -> None:
        text = self.refused(
            on_data_transfer, "com.acme", None, dict[str, int] | set[int] | list[int]
        )
        self.assertIn("@on_data_transfer('com.acme', None): data=", text)
        self.assertIn("more than one array-like", text)

    def test_two_methods_for_one_data_transfer(self) -> None:
        def declare() -> None:
            class Twice(ActionPlugin):
                @on_data_transfer("com.acme", "a")
                def one(self, charge_point, request, data): ...

                @on_data_transfer("com.acme", "a")
                def two(self, charge_point, request, data): ...

        marked = "Twice.one and .two are both marked @on_data_transfer('com.acme', 'a')"
        self.assertEqual(self.refused(declare), f"{marked}: only one of them can be")

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
