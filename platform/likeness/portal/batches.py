"""A table of scripts: read, asked for row by row, and followed. One refused row leaves the others alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from audit.events import Actor
from consent import selectors as consents
from generation import presenting, selectors
from generation.errors import GenerationError, NotFoundError, PresentInvalidError, RefusedError
from generation.presenter.errors import PresenterError
from likeness.portal.presentations import PresentationRow, rows_of
from likeness.portal.studio_forms import request_of
from likeness.portal.wording.faults import reason_of, told
from likeness.portal.wording.reasons import Reason
from likeness.portal.wording.studio import field_words

COLUMNS = (
    "id",
    "script",
    "identity",
    "performer",
    "language",
    "kind",
    "voice",
    "format",
    "purpose",
    "channel",
)
"""Those of ``likeness present``."""
ROWS, BYTES = 100, 1 << 20
EXCERPT = 80


class TableFaultError(Exception):
    """A table that cannot be used as a whole; the message is in the reader's language."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row of a table on its page; ``row`` is None where nothing was kept of it."""

    number: int
    client_id: str
    excerpt: str
    row: PresentationRow | None
    reasons: tuple[Reason, ...]


def read_table(data: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file, in UTF-8 or, as spreadsheets in China write it, GB 18030.

    Raises:
        TableFaultError: it is no such table; says why.
    """
    if len(data) > BYTES:
        raise TableFaultError(_("The table is larger than 1 MB."))
    table = csv.DictReader(io.StringIO(_text(data), newline=""))
    try:
        names = [name.strip() for name in table.fieldnames or ()]
        table.fieldnames = names
        unknown = [name for name in names if name not in COLUMNS]
        if "script" not in names:
            raise TableFaultError(_("The first line must name the columns; the column “script” is needed."))
        if unknown or len(set(names)) < len(names):
            raise TableFaultError(
                _("A column is not known or is there twice: %(names)s.")
                % {"names": ", ".join(unknown or names)}
            )
        rows = [row for row in table if any(_cells(row).values())]
    except csv.Error:
        raise TableFaultError(_("The file is not a CSV table.")) from None
    if not rows or len(rows) > ROWS:
        raise TableFaultError(_("A table has 1 to %(n)d rows below its first line.") % {"n": ROWS})
    if any(None in row for row in rows):
        raise TableFaultError(
            _("A row has more cells than the first line; put quotation marks around commas.")
        )
    return [_cells(row) for row in rows]


def submit(
    rows: list[dict[str, str]], *, scene: Mapping[str, Any], batch: str, by: Actor
) -> list[dict[str, Any]]:
    """Ask for each row; JSON-ready notes of what became of it, for the page that follows them."""
    people = _people(by.tenant)
    return [_ask(row, number, scene, people, batch, by) for number, row in enumerate(rows, start=1)]


def rows_now(notes: list[dict[str, Any]], *, tenant: str) -> tuple[BatchRow, ...]:
    """Where every row of a batch is now."""
    return tuple(_rows(notes, tenant))


def _rows(notes: list[dict[str, Any]], tenant: str) -> Iterator[BatchRow]:
    wanted = [note["id"] for note in notes if not note["code"]]
    kept = selectors.presentations(tenant=tenant).filter(client_id__in=wanted)
    found = {each.row.client_id: each for each in rows_of(kept, tenant=tenant)}
    for note in notes:
        row = None if note["code"] else found.get(note["id"])
        yield BatchRow(note["number"], note["id"], note["script"], row, _reasons(note, row))


def _reasons(note: Mapping[str, Any], row: PresentationRow | None) -> tuple[Reason, ...]:
    if note["code"]:
        named = field_words(note["fields"])
        words = told(note["code"], sentence=note["sentence"], hint=note["hint"])
        return (Reason(words.code, named or words.sentence, "" if named else words.hint),)
    if row is None:
        return ()
    ended = row.row.job if row.row.job is not None and not row.row.code else row.row
    codes = dict.fromkeys(ended.reasons or ([ended.code] if ended.code else []))
    return tuple(reason_of(code, sentence=ended.message, hint=ended.hint) for code in codes)


def _ask(
    row: Mapping[str, str],
    number: int,
    scene: Mapping[str, Any],
    people: Mapping[str, str],
    batch: str,
    by: Actor,
) -> dict[str, Any]:
    given = {**scene, **{name: value for name, value in row.items() if value and name != "id"}}
    for name in ("identity", "performer"):
        given[name] = people.get(given[name], given[name])
    client_id = row.get("id") or f"{batch}-{number}"
    note = {"number": number, "id": client_id, "script": row.get("script", "")[:EXCERPT]}
    try:
        presenting.present(request_of(given), client_id=client_id, by=by)
    except RefusedError:
        pass  # kept as rejected: its row tells why
    except (GenerationError, PresenterError) as error:
        code = "cast.missing" if isinstance(error, NotFoundError) else str(error.code)
        fields = list(error.fields) if isinstance(error, PresentInvalidError) else []
        return note | {"code": code, "fields": fields, "sentence": str(error), "hint": str(error.hint)}
    return note | {"code": ""}


def _people(tenant: str) -> dict[str, str]:
    """Ids by name, for names that one person alone has: a table may name people."""
    names: dict[str, list[str]] = {}
    for row in consents.identities(tenant=tenant):
        names.setdefault(str(row.name), []).append(row.id)
    return {name: ids[0] for name, ids in names.items() if len(ids) == 1}


def _cells(row: Mapping[str | None, Any]) -> dict[str, str]:
    return {str(name): (value or "").strip() for name, value in row.items() if name is not None}


def _text(data: bytes) -> str:
    for coding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(coding)
        except UnicodeDecodeError:
            continue
    raise TableFaultError(_("The file is not text in UTF-8 or GB 18030."))
