"""What the lists have in common: a page at a time, of records that may not be there.

Imports the records' interface and its neighbours `operations` and `problems`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.internet.defer import Deferred

from ocpp_twisted.identity import Identity
from ocpp_twisted.plugins.http.operations import Reply
from ocpp_twisted.plugins.http.problems import Problem
from ocpp_twisted.records import IRecords

__all__ = ["CSV", "ChargePointQuery", "PageQuery", "RecordKeeping", "csv_reply"]

CSV = "text/csv"


class PageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a list.

    :ivar after: the `next` of the page before.
    :ivar limit: how many items a page has at most.
    """

    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class ChargePointQuery(PageQuery, frozen=True, kw_only=True):
    """A list that may be of one charge point.

    :ivar chargePoint: its id.
    :ivar name: under which it connects, if its URL has a name.
    """

    chargePoint: str | None = None
    name: str = ""

    @property
    def identity(self) -> Identity | None:
        """The charge point that is meant; None for all.

        :raises Problem: if there is a name without an id.
        """
        if self.chargePoint is None:
            if self.name:
                text = "a name alone means no charge point: give chargePoint as well"
                raise Problem("invalid-request", text, path="chargePoint")
            return None
        return Identity(self.chargePoint, self.name)


class RecordKeeping:
    """Operations on records.

    :param records: None if the server keeps none; each operation is a `Problem` then.
    """

    def __init__(self, records: IRecords | None) -> None:
        self._kept = records

    @property
    def records(self) -> IRecords:
        """The records.

        :raises Problem: if there are none.
        """
        if self._kept is None:
            text = "no action plug-in of this server keeps records; add --action-plugin local"
            raise Problem("no-records", text)
        return self._kept

    @staticmethod
    async def page(listed: Deferred[Any]) -> Any:
        """A page.

        :raises Problem: if `after` was not the `next` of a page.
        """
        try:
            return await listed
        except ValueError as error:
            text = f"{error}: give the `next` of the page before"
            raise Problem("invalid-request", text, path="after") from error


def csv_reply(columns: Sequence[str], rows: Iterable[Sequence[Any]], **headers: str) -> Reply:
    """A table as CSV (RFC 4180), with the names of its columns in the first line."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return Reply(body=text.getvalue().encode(), media_type=f"{CSV}; charset=utf-8", headers=headers)
