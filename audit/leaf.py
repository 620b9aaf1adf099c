"""Events as leaves and leaves as events: the field rules, the tripwires and the search keys.

A leaf is RFC 8785 JSON. An event that breaks a rule is refused, and the caller's transaction fails with it.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from enum import IntEnum
from functools import cache, lru_cache
from typing import Any, get_type_hints

from audit import merkle
from audit.errors import EventError, PersonalDataError
from audit.events import TYPES, Actor, Event

VERSION = 1
MAX_INTEGER = 2**53 - 1  # the largest that every JSON reader keeps exact (RFC 8785, 3.2.2.3)
MAX_TOKEN_CHARS = 256
MAX_ITEMS = 256
MAX_BODY_BYTES = 65_535  # an entry bundle writes its length as uint16
BLOCK = 16
"""Entries that a row of the search index stands for: neighbours share type, tenant, models and job, so that a
block has a third of the rows that its entries would have."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
_OUTSIDE = r"(?<![0-9A-Za-z])(?:{})(?![0-9A-Za-z])"  # digits inside a hash or a UUID group are no number
_ID_CARD = re.compile(
    _OUTSIDE.format(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx]")
)
_PHONE = re.compile(_OUTSIDE.format(r"(?:\+?86-?)?1[3-9]\d-?\d{4}-?\d{4}|\+\d{9,15}"))
_NUMBER_LENGTHS = (11, 13, 18)  # without a separator: telephone, the same with 86, identity card
_EMAIL = re.compile(r"[^@:]+@[^@]+\.[A-Za-z]{2,}")
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_EMPTY = ("", ())
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999, 4.1


class KeyKind(IntEnum):
    """What an entry can be found by."""

    JOB = 1
    CONSENT = 2
    IDENTITY = 3
    SUBJECT = 4
    OUTPUT = 5
    MARK = 6
    MANIFEST = 7
    ACTOR = 8
    TYPE = 9
    TENANT = 10
    LEAF = 11
    MODEL = 12
    SCRIPT = 13  # a commitment, since words can be guessed: who has the words asks the job store for the jobs


_KEY_FIELDS: dict[str, KeyKind] = {kind.name.lower(): kind for kind in KeyKind if kind is not KeyKind.LEAF}
_KEY_FIELDS |= {"consents": KeyKind.CONSENT, "models": KeyKind.MODEL, "template_model": KeyKind.MODEL}


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one entry says: the common fields and the whole event as JSON values."""

    event_id: uuid.UUID
    type: str
    ts: str
    tenant: str
    actor: str
    event: dict[str, Any]


def encode(event: Event, *, actor: Actor, event_id: uuid.UUID, at: datetime, request: str = "") -> bytes:
    """The canonical bytes of an event.

    Raises:
        EventError: the type is unknown or a field breaks a rule; the message names the field.
        PersonalDataError: a field looks like an identity number, a telephone number or an e-mail address.
    """
    if TYPES.get(getattr(event, "type", "")) is not type(event):
        raise EventError(f"{type(event).__name__} is not an event of the log.")
    if at.tzinfo is None:
        raise EventError("The time of the event has no time zone.")
    leaf: dict[str, Any] = {
        "v": VERSION,
        "type": event.type,
        "event_id": str(event_id),
        "ts": moment(at),
        "tenant": _token("tenant", actor.tenant),
        "actor": _token("actor", actor.id),
    }
    if request:
        leaf["request"] = _token("request", request)
    for field in _plan(event.type):
        value = getattr(event, field.name)
        if field.required or value not in _EMPTY:
            leaf[field.name] = field.check(field.name, value)
    body = _canonical(leaf)
    if len(body) > MAX_BODY_BYTES:
        raise EventError(f"{event.type} has {len(body)} bytes; {MAX_BODY_BYTES} is the most.")
    return body


def moment(at: datetime) -> str:
    """A moment as leaves write it: UTC, microseconds; as texts they compare as moments do."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _canonical(leaf: dict[str, Any]) -> bytes:
    """RFC 8785, which for exact integers and printable ASCII is plain JSON with its keys in order."""
    return _JSON.encode(leaf).encode("ascii")


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of an event's type, and what it is checked with."""

    name: str
    required: bool
    check: Callable[[str, object], object]


@cache
def _plan(name: str) -> tuple[_Field, ...]:
    """Looked up once for each type: reflection costs as much as writing the leaf."""
    hints, checks = get_type_hints(TYPES[name]), {int: _integer, str: _token}
    return tuple(
        _Field(field.name, field.default is MISSING, checks.get(hints[field.name], _tokens))
        for field in fields(TYPES[name])
    )


def _integer(name: str, value: object) -> int:
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise EventError(f"The field {name} is not an integer of at most 53 bits.")
    return value


def _tokens(name: str, value: object) -> list[str]:
    if not isinstance(value, tuple) or len(value) > MAX_ITEMS:
        raise EventError(f"The field {name} is not a tuple of at most {MAX_ITEMS} tokens.")
    return [_token(name, item) for item in value]


def _token(name: str, value: object) -> str:
    if type(value) is str and _is_hash(value) and len(value) <= MAX_TOKEN_CHARS:
        return value
    if not isinstance(value, str) or len(value) > MAX_TOKEN_CHARS or not _TOKEN.fullmatch(value):
        raise EventError(
            f"The field {name} is not 1 to {MAX_TOKEN_CHARS} printable ASCII characters without a space."
        )
    found = personal_data(value)
    if found:
        raise PersonalDataError(f"The field {name} looks like {found}.")
    return str(value)


def _is_hash(text: str) -> bool:
    """One run of letters and digits in which no number can stand alone."""
    return text.isascii() and text.isalnum() and len(text) not in _NUMBER_LENGTHS


@lru_cache(maxsize=4096)  # tenants, people, licences and codes come again and again
def personal_data(text: str) -> str:
    """What kind of personal data a text seems to hold; empty when none is seen."""
    if _is_hash(text):
        return ""
    if any(_is_id_card(match[0]) for match in _ID_CARD.finditer(text)):
        return "an identity number"
    if _PHONE.search(text):
        return "a telephone number"
    return "an e-mail address" if _EMAIL.search(text) else ""


def _is_id_card(number: str) -> bool:
    rest = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False)) % 11
    return number[17].upper() == "10X98765432"[rest]


def read(body: bytes) -> Leaf:
    """The event of a leaf; its type may be newer than this code.

    Raises:
        EventError: the leaf is not an event at all.
    """
    try:
        event = json.loads(body)
        common = {name: event[name] for name in ("type", "ts", "tenant", "actor")}
        event_id = uuid.UUID(event["event_id"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EventError("The leaf is not an event.") from error
    if not all(isinstance(value, str) for value in common.values()):
        raise EventError("The leaf's common fields are not text.")
    return Leaf(event_id=event_id, **common, event=event)


@lru_cache(maxsize=4096)  # tenants, types, models and people come again and again
def key(kind: KeyKind, value: str) -> int:
    """The search key of one value, a bigint: 64 bits of its hash are enough, since every hit is looked at."""
    digest = hashlib.sha256(f"{kind.value}:{value}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def quoted(value: str) -> bytes:
    """A text as it stands in every leaf that holds it."""
    return _JSON.encode(value).encode("ascii")


def terms(body: bytes, said: Leaf | None = None) -> frozenset[tuple[KeyKind, str]]:
    """Everything that a leaf can be found by; ``said`` is what `read` made of it, where that is known.

    Raises:
        EventError: the leaf is not an event at all.
    """
    said = said or read(body)
    found = {(KeyKind.LEAF, merkle.leaf_hash(body).hex())}
    for name, value in said.event.items():
        kind = _KEY_FIELDS.get(name)
        if kind is not None:
            items = value if isinstance(value, list) else (value,)
            found.update((kind, item) for item in items if isinstance(item, str))
    return frozenset(found)


def keys(body: bytes, said: Leaf | None = None) -> frozenset[int]:
    """The search keys of a leaf, as `terms`.

    Raises:
        EventError: the leaf is not an event at all.
    """
    return frozenset(key(kind, value) for kind, value in terms(body, said))


def keys_of(bodies: Iterable[bytes]) -> frozenset[int]:
    """The search keys of the entries of one block.

    Raises:
        EventError: a leaf is not an event at all.
    """
    return frozenset[int]().union(*map(keys, bodies))
