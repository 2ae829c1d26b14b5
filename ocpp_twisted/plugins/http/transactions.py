"""Operations: transactions and their meter values.

Imports the records and its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from ocpp_twisted.plugins.http.listing import (
    CSV,
    ChargePointQuery,
    PageQuery,
    RecordKeeping,
    csv_reply,
)
from ocpp_twisted.plugins.http.operations import Asked, Reply, operation
from ocpp_twisted.plugins.http.problems import Problem
from ocpp_twisted.records import MeterSample, Page, Transaction

__all__ = ["Transactions"]


class TransactionsQuery(ChargePointQuery, frozen=True, kw_only=True):
    """Which transactions.

    :ivar idTag: who began them.
    :ivar open: only those that go on, or only those that have ended.
    :ivar since: those that were told to the server at this time or later.
    :ivar until: those that were told to the server before this time.
    """

    idTag: str | None = None
    open: bool | None = None
    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None


class MeterValuesQuery(PageQuery, frozen=True, kw_only=True):
    """Which meter values; `limit` counts points in time.

    :ivar format: ``csv`` for a table, whose header Link has the next page.
    """

    format: Literal["json", "csv"] = "json"


class Transactions(RecordKeeping):
    """The transactions."""

    @operation(
        "GET",
        "/api/v1/transactions",
        "Transactions, the newest first.",
        query=TransactionsQuery,
        answer=Page[Transaction],
        problems=("no-records",),
    )
    async def show_all(self, asked: Asked) -> Page[Transaction]:
        """A page of them."""
        query = asked.query
        listed = self.records.list_transactions(
            charge_point=query.identity,
            id_tag=query.idTag,
            is_open=query.open,
            since=query.since,
            until=query.until,
            after=query.after,
            limit=query.limit,
        )
        page: Page[Transaction] = await self.page(listed)
        return page

    @operation(
        "GET",
        "/api/v1/transactions/{id}",
        "One transaction, by the server's own id.",
        answer=Transaction,
        problems=("no-records",),
    )
    async def show(self, asked: Asked) -> Transaction:
        """With what is known of its start and end."""
        return _there(await self.records.get_transaction(_id(asked)), asked)

    @operation(
        "POST",
        "/api/v1/transactions/{id}/close",
        "Close a transaction that the charge point has left open.",
        answer=Transaction,
        problems=("no-records",),
    )
    async def close(self, asked: Asked) -> Transaction:
        """One that has ended stays as it is; the charge point is not told."""
        return _there(await self.records.close_transaction(_id(asked)), asked)

    @operation(
        "GET",
        "/api/v1/transactions/{id}/meter-values",
        "The meter values of a transaction, in the order of their times.",
        query=MeterValuesQuery,
        answer=Page[MeterSample],
        media=(CSV,),
        problems=("no-records",),
    )
    async def meter_values(self, asked: Asked) -> Page[MeterSample] | Reply:
        """Those of the start and the end included."""
        number, query = _id(asked), asked.query
        page: Page[MeterSample] = await self.page(
            self.records.meter_values(number, query.after, query.limit)
        )
        if not page.items:
            _there(await self.records.get_transaction(number), asked)
        return page if query.format == "json" else _table(page, query)


def _id(asked: Asked) -> int:
    text = asked.path["id"]
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise _missing(asked)
    return int(text)


def _there(transaction: Transaction | None, asked: Asked) -> Transaction:
    if transaction is None:
        raise _missing(asked)
    return transaction


def _missing(asked: Asked) -> Problem:
    return Problem("not-found", f"there is no transaction {asked.path['id']}")


def _table(page: Page[MeterSample], query: MeterValuesQuery) -> Reply:
    following = {}
    if page.next is not None:
        parameters = urlencode({"format": "csv", "limit": query.limit, "after": page.next})
        following = {"Link": f'<?{parameters}>; rel="next"'}
    return csv_reply(MeterSample.__struct_fields__, map(_row, page.items), **following)


def _row(sample: MeterSample) -> Sequence[Any]:
    """The cells as JSON has them; signed data stays JSON."""
    cells = msgspec.to_builtins(sample)
    if isinstance(cells["signed"], dict):
        cells["signed"] = msgspec.json.encode(cells["signed"]).decode()
    return ["" if cell is None else cell for cell in cells.values()]
