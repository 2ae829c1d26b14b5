"""Operations: the id tags, one by one and many at a time.

Imports msgspec, the records and its neighbours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from ocpp_twisted.plugins.http.listing import CSV, PageQuery, RecordKeeping
from ocpp_twisted.plugins.http.operations import JSON, Asked, operation, where
from ocpp_twisted.plugins.http.problems import Problem
from ocpp_twisted.records import IdTag, IdTagStatus, Page

__all__ = ["IdTags"]

_COLUMNS = IdTag.__struct_fields__


class IdTagEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is entered of an id tag; what is left out is not so.

    :ivar idTag: the one of the path, if it is given.
    :ivar expiryDate: from then on it is Expired; may be past.
    """

    idTag: str | None = None
    status: IdTagStatus = "Accepted"
    expiryDate: Annotated[datetime, Meta(tz=True)] | None = None
    parentIdTag: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    maxTransactions: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class Imported(Struct, frozen=True, kw_only=True):
    """What became of an import.

    :ivar entered: how many id tags it had.
    :ivar new: how many of them were not there before.
    """

    entered: int
    new: int


class IdTags(RecordKeeping):
    """The id tags."""

    @operation(
        "GET",
        "/api/v1/id-tags",
        "The id tags, in alphabetical order.",
        query=PageQuery,
        answer=Page[IdTag],
        problems=("no-records",),
    )
    async def show_all(self, asked: Asked) -> Page[IdTag]:
        """A page of them."""
        page: Page[IdTag] = await self.page(
            self.records.list_id_tags(asked.query.after, asked.query.limit)
        )
        return page

    @operation(
        "POST",
        "/api/v1/id-tags",
        "Enter many id tags, or replace those that are there: all of them, or none.",
        body={JSON: list[IdTag], CSV: bytes},
        answer=Imported,
        problems=("no-records",),
    )
    async def enter_all(self, asked: Asked) -> Imported:
        """As CSV: the first line has names of `IdTag`'s fields; empty is as left out."""
        if asked.media_type == CSV:
            lines = list(_of_csv(asked.body))
            tags = [tag for _, tag in lines]
            _refuse_twins(tags, lambda number: f"line {lines[number][0]}")
        else:
            tags = asked.body
            _refuse_twins(tags, lambda number: f"$[{number}].idTag")
        return Imported(entered=len(tags), new=await self.records.put_id_tags(tags))

    @operation(
        "GET",
        "/api/v1/id-tags/{idTag}",
        "One id tag.",
        answer=IdTag,
        problems=("no-records",),
    )
    async def show(self, asked: Asked) -> IdTag:
        """Capital and small letters are the same."""
        tag: IdTag | None = await self.records.get_id_tag(asked.path["idTag"])
        if tag is None:
            raise _missing(asked)
        return tag

    @operation(
        "PUT",
        "/api/v1/id-tags/{idTag}",
        "Enter an id tag, or replace it.",
        body={JSON: IdTagEntry},
        answer=IdTag,
        problems=("no-records",),
    )
    async def enter(self, asked: Asked) -> IdTag:
        """Its status counts from the next Authorize or start of a transaction on."""
        name = asked.path["idTag"]
        fields = msgspec.structs.asdict(asked.body)
        given = fields.pop("idTag")
        if given is not None and given.casefold() != name.casefold():
            text = f"the path says {name}: leave idTag out, or write the same"
            raise Problem("invalid-request", text, path="$.idTag")
        try:
            tag = msgspec.convert({"idTag": name, **fields}, IdTag)
        except msgspec.ValidationError as error:
            raise Problem("invalid-request", where(str(error))[0], path="idTag") from error
        await self.records.put_id_tags([tag])
        return tag

    @operation(
        "DELETE",
        "/api/v1/id-tags/{idTag}",
        "Remove an id tag.",
        problems=("no-records",),
    )
    async def remove(self, asked: Asked) -> None:
        """Transactions that it began go on."""
        if not await self.records.delete_id_tag(asked.path["idTag"]):
            raise _missing(asked)


def _missing(asked: Asked) -> Problem:
    return Problem("not-found", f"there is no id tag {asked.path['idTag']}")


def _of_csv(content: bytes) -> Iterator[tuple[int, IdTag]]:
    """The id tags of a table, each with its line. Lines without any value are none.

    :raises Problem: if it is none, or one of them is not valid.
    """
    try:
        text = content.decode("utf-8-sig")
        head = text.partition("\n")[0]
        # Where the comma stands in numbers, spreadsheets put semicolons between the columns.
        delimiter = ";" if ";" in head and "," not in head else ","
        rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
        columns = [column.strip() for column in next(rows, [])]
        if "idTag" not in columns or not {*columns} <= {*_COLUMNS}:
            wanted = ", ".join(_COLUMNS)
            raise _wrong(
                1, f"the first line must have names of columns: idTag, and any of {wanted}"
            )
        if len({*columns}) < len(columns):
            raise _wrong(1, "a column stands there twice")
        for row in rows:
            if any(cell.strip() for cell in row):
                yield rows.line_num, _of_row(rows.line_num, columns, row)
    except UnicodeDecodeError:
        raise _wrong(None, "the table is not UTF-8") from None
    except csv.Error as error:
        raise _wrong(rows.line_num, f"this is no CSV: {error}") from error


def _of_row(line: int, columns: Sequence[str], row: Sequence[str]) -> IdTag:
    if len(row) != len(columns):
        raise _wrong(line, f"there are {len(row)} values for {len(columns)} columns")
    fields: dict[str, Any] = {
        column: value for column, cell in zip(columns, row, strict=True) if (value := cell.strip())
    }
    try:
        return msgspec.convert(fields, IdTag, strict=False)
    except msgspec.ValidationError as error:
        text, path = where(str(error))
        raise _wrong(line, f"{text} in {path[2:]}" if path[2:] else text) from error


def _wrong(line: int | None, text: str) -> Problem:
    path = None if line is None else f"line {line}"
    return Problem("invalid-request", text if path is None else f"{path}: {text}", path=path)


def _refuse_twins(tags: Sequence[IdTag], place: Callable[[int], str]) -> None:
    """Refuse a list that has a tag twice.

    :param place: where the tag of this number stands.
    """
    seen: set[str] = set()
    for number, tag in enumerate(tags):
        if tag.idTag.casefold() in seen:
            text = f"{tag.idTag} stands there twice (capital and small letters are the same)"
            raise Problem("invalid-request", text, path=place(number))
        seen.add(tag.idTag.casefold())
