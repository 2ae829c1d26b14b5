"""Messages on the display (functional block O).

Imports its neighbours. Source: OCPP 2.0.1 part 2, use cases O01 to O06.
"""

from __future__ import annotations

from typing import Any

from ocpp_twisted.plugin import after, on
from ocpp_twisted.simulator.v2.block import Block
from ocpp_twisted.simulator.v2.dialect import every, given

__all__ = ["Displays"]

_STATES = ("Charging", "Faulted", "Idle", "Unavailable")
_AT_ONCE = 5


class Displays(Block):
    """Keeps the messages that the central system sets."""

    name = "displays"

    def __init__(self, voice: Any) -> None:
        super().__init__(voice)
        self._messages: dict[int, Any] = {}
        voice.live("DisplayMessageCtrlr", "DisplayMessages", lambda: str(len(self.messages())))

    def messages(self) -> list[Any]:
        """Those that are not over."""
        now = self.now()
        ends = {number: given(each, "endDateTime") for number, each in self._messages.items()}
        for number, end in ends.items():
            if end is not None and end <= now:
                del self._messages[number]
        return list(self._messages.values())

    def transaction_ended(self, transaction: str) -> None:
        """Messages of a transaction end with it (O02.FR.02)."""
        for number, each in list(self._messages.items()):
            if given(each, "transactionId") == transaction:
                del self._messages[number]

    @on(*every("SetDisplayMessage"))
    def set_display_message(self, link: Any, request: Any) -> Any:
        """See OCPP, O01, O02 and O06."""
        message = request.message
        status = self._objection(message)
        if status is None:
            if message.priority == "AlwaysFront":  # there is one of them at most (O01.FR.10)
                for number, each in list(self._messages.items()):
                    if each.priority == "AlwaysFront":
                        del self._messages[number]
            self._messages[message.id] = message
        return self.make("SetDisplayMessageResponse", status=status or "Accepted")

    def _objection(self, message: Any) -> str | None:
        transaction, state = given(message, "transactionId"), given(message, "state")
        known = self.voice.telling.known.get(transaction)
        controller = "DisplayMessageCtrlr"
        full = len(self.messages()) >= self.voice.most(controller, "DisplayMessages")
        if not self.model.boolean(controller, "Enabled"):
            return "Rejected"
        if message.message.format not in self.model.members(controller, "SupportedFormats"):
            return "NotSupportedMessageFormat"
        if message.priority not in self.model.members(controller, "SupportedPriorities"):
            return "NotSupportedPriority"
        if state is not None and state not in _STATES:
            return "NotSupportedState"
        if transaction is not None and (known is None or not known.ongoing):
            return "UnknownTransaction"
        return "Rejected" if full and message.id not in self._messages else None

    @on(*every("GetDisplayMessages"))
    def get_display_messages(self, link: Any, request: Any) -> Any:
        """See OCPP, O03 and O04."""
        status = "Accepted" if self._wanted(request) else "Unknown"
        return self.make("GetDisplayMessagesResponse", status=status)

    @after(*every("GetDisplayMessages"))
    def notify_display_messages(self, link: Any, request: Any, response: Any) -> None:
        """What was asked for, in parts."""
        if response.status == "Accepted":
            self.call_in_turn(
                self.parts(
                    "NotifyDisplayMessages",
                    "messageInfo",
                    self._wanted(request),
                    _AT_ONCE,
                    requestId=request.requestId,
                )
            )

    def _wanted(self, request: Any) -> list[Any]:
        ids, priority = given(request, "id"), given(request, "priority")
        state = given(request, "state")
        return [
            each
            for each in self.messages()
            if (ids is None or each.id in ids)
            and priority in (None, each.priority)
            and state in (None, given(each, "state"))
        ]

    @on(*every("ClearDisplayMessage"))
    def clear_display_message(self, link: Any, request: Any) -> Any:
        """See OCPP, O05."""
        self.messages()
        gone = self._messages.pop(request.id, None)
        status = "Unknown" if gone is None else "Accepted"
        return self.make("ClearDisplayMessageResponse", status=status)
