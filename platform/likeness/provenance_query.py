"""What an auditor asks the log for: the closed list of fields, and what each must look like."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta

from audit.events import TYPES
from generation.presenter.normalise import LENGTH_MAX
from likeness.errors import RequestInvalidError

PAGE = 50
PAGE_MAX = 200
MAX_INDEX = 2**63 - 1
TEXT_CHARS = 120
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Everything that a hit must be about; empty fields ask for nothing.

    ``person``: name, identity or pseudonym. ``operator``: who did it, by name, address or pseudonym.
    ``licence``: SHA-256 of the licence's document. ``model``: SHA-256 of a model. ``script``: SHA-256 of what
    was said, as its author wrote it. ``photo``: a picture of one face. ``since`` is the first moment,
    ``until`` the first one that is too late.
    """

    person: str = ""
    operator: str = ""
    consent: str = ""
    job: str = ""
    licence: str = ""
    model: str = ""
    mark: str = ""
    manifest: str = ""
    output: str = ""
    script: str = ""
    event: str = ""
    since: datetime | None = None
    until: datetime | None = None
    photo: bytes = b""
    limit: int = PAGE
    before: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The fields that were used: all that the log learns of a question."""
        used = (field.name for field in fields(self) if field.name not in {"limit", "before"})
        return tuple(sorted(name for name in used if getattr(self, name)))


def parse(asked: Mapping[str, str], *, photo: bytes = b"") -> Query:
    """The query of text values by field name; white space around them is dropped.

    Raises:
        RequestInvalidError: names each field that is unknown or malformed.
    """
    given = {name: value.strip() for name, value in asked.items() if value.strip()}
    values: dict[str, object] = {}
    faults: dict[str, list[str]] = {}
    for name, value in given.items():
        read = _READERS.get(name)
        try:
            if read is None:
                raise ValueError("Not a field of the search.")
            values[name] = read(value)
        except ValueError as error:
            faults[name] = [str(error)]
    query = Query(**values, photo=photo) if not faults else Query()  # type: ignore[arg-type]  # by _READERS
    if query.since and query.until and query.since >= query.until:
        faults["until"] = ["Lies before the first day."]
    if faults:
        raise RequestInvalidError(faults)
    return query


def _text(value: str) -> str:
    if len(value) > TEXT_CHARS or not value.isprintable():
        raise ValueError(f"At most {TEXT_CHARS} printable characters.")
    return value


def _script(value: str) -> str:
    """The SHA-256 of a script: as it was given, or of the words themselves."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower()
    if len(value) > LENGTH_MAX:
        raise ValueError(f"At most {LENGTH_MAX} characters of a script, or its SHA-256.")
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _token(pattern: str, told: str) -> Callable[[str], str]:
    known = re.compile(pattern, re.ASCII)

    def read(value: str) -> str:
        if known.fullmatch(value.lower()) is None:
            raise ValueError(told)
        return value.lower()

    return read


def _job(value: str) -> str:
    try:
        return uuid.UUID(value).hex
    except ValueError:
        raise ValueError("The id of a job, 32 hexadecimal digits.") from None


def _event(value: str) -> str:
    if value not in TYPES:
        raise ValueError("Not a type of entry.")
    return value


def _first(value: str) -> datetime:
    """The first moment of a day, or the moment itself."""
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("A day such as 2026-12-31, or a moment with its zone.") from None
    if _DAY.fullmatch(value):
        return at.replace(tzinfo=UTC)
    if at.tzinfo is None:
        raise ValueError("A moment needs its zone, such as Z or +08:00.")
    return at


def _end(value: str) -> datetime:
    """The first moment after a day, or the moment itself."""
    at = _first(value)
    if _DAY.fullmatch(value) and date.fromisoformat(value) < date.max:
        return at + timedelta(days=1)
    return at


def _number(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdigit() and low <= int(value[:20]) <= high):
            raise ValueError(f"A number between {low} and {high}.")
        return int(value)

    return read


_DIGEST = _token(r"[0-9a-f]{64}", "A SHA-256, 64 hexadecimal digits.")
_READERS: Mapping[str, Callable[[str], object]] = {
    "person": _text,
    "operator": _text,
    "consent": _token(r"con_[0-9a-f]{16}", "The id of a licence, con_ and 16 hexadecimal digits."),
    "job": _job,
    "licence": _DIGEST,
    "model": _DIGEST,
    "mark": _token(r"[0-9a-f]{16}", "The number of an invisible mark, 16 hexadecimal digits."),
    "manifest": _DIGEST,
    "output": _DIGEST,
    "script": _script,
    "event": _event,
    "since": _first,
    "until": _end,
    "limit": _number(1, PAGE_MAX),
    "before": _number(0, MAX_INDEX),
}
FIELDS = tuple(_READERS)
"""Every field that can be asked for as text."""
