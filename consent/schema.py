"""The licence's closed-world schema: what is not listed is refused, everything listed is required."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consent.catalogue import (
    CONSENT_CODES,
    LANGUAGES,
    LAWS,
    PROHIBITED,
    TERRITORIES,
    Channel,
    Kind,
    Operation,
    Product,
    Purpose,
    Status,
)
from consent.errors import Fault

Check = Callable[[object, str], Iterator[Fault]]
"""Yields the faults of a value at a JSON path; no fault means valid."""

TYPE = "likeness.licence/1"
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOMENT = re.compile(r"2[01]\d{2}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(Z|[+-]\d{2}:\d{2})")


@dataclass(frozen=True, slots=True)
class Text:
    """A string by pattern and length (in characters)."""

    pattern: str = r"[^\x00-\x1f\x7f]*"
    at_least: int = 1
    at_most: int = 200

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, str):
            yield Fault(path, "type", "must be a string")
        elif not self.at_least <= len(value) <= self.at_most:
            yield Fault(path, "length", f"must have {self.at_least} to {self.at_most} characters")
        elif _SURROGATE.search(value):  # half a character: no UTF-8, so no canonical bytes
            yield Fault(path, "pattern", "holds half of a character pair")
        elif re.fullmatch(self.pattern, value, re.DOTALL) is None:
            yield Fault(path, "pattern", f"must match {self.pattern}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed list of strings."""

    values: frozenset[str]

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, str):
            yield Fault(path, "type", "must be a string")
        elif value not in self.values:
            yield Fault(
                path, "choice", f"{value!r} is not in the catalogue: {', '.join(sorted(self.values))}"
            )


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer in a range; booleans and floats are not integers."""

    at_least: int
    at_most: int

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, int) or isinstance(value, bool):
            yield Fault(path, "type", "must be an integer; the document has no floats")
        elif not self.at_least <= value <= self.at_most:
            yield Fault(path, "range", f"must be {self.at_least} to {self.at_most}")


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean, or only one of the two."""

    only: bool | None = None

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, bool):
            yield Fault(path, "type", "must be true or false")
        elif self.only is not None and value is not self.only:
            yield Fault(path, "fixed", f"must be {str(self.only).lower()}")


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time with seconds and offset, RFC 3339, of this century or the next."""

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
            yield Fault(
                path, "moment", "must be a date and time with offset, such as 2026-12-01T00:00:00+08:00"
            )
            return
        try:
            datetime.fromisoformat(value)
        except ValueError:
            yield Fault(path, "moment", f"{value} does not exist")


@dataclass(frozen=True, slots=True)
class Nullable:
    """A value or null."""

    item: Check

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if value is not None:
            yield from self.item(value, path)


@dataclass(frozen=True, slots=True)
class Many:
    """A list of distinct values."""

    item: Check
    at_least: int = 0
    at_most: int = 100

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, list):
            yield Fault(path, "type", "must be a list")
            return
        if not self.at_least <= len(value) <= self.at_most:
            yield Fault(path, "length", f"must have {self.at_least} to {self.at_most} entries")
            return
        for index, entry in enumerate(value):
            yield from self.item(entry, f"{path}[{index}]")
            if entry in value[:index]:
                yield Fault(f"{path}[{index}]", "repeated", "is there twice")


@dataclass(frozen=True, slots=True)
class Record:
    """An object with exactly these fields, and at most those of ``optional`` beside them."""

    fields: Mapping[str, Check]
    optional: Mapping[str, Check] = field(default_factory=dict)

    def __call__(self, value: object, path: str) -> Iterator[Fault]:
        """Yield the faults of ``value`` at ``path``."""
        if not isinstance(value, dict):
            yield Fault(path, "type", "must be an object")
            return
        for name in value.keys() - self.fields.keys() - self.optional.keys():
            yield Fault(f"{path}.{name}", "unknown_field", "is not a field of the schema")
        for name, check in self.fields.items():
            if name in value:
                yield from check(value[name], f"{path}.{name}")
            else:
                yield Fault(f"{path}.{name}", "missing_field", "is required")
        for name in self.optional.keys() & value.keys():
            yield from self.optional[name](value[name], f"{path}.{name}")


DIGEST = Text(r"[0-9a-f]{64}", at_least=64, at_most=64)
MONEY = Text(r"\d{1,12}\.\d{2}", at_most=15)
SPAN = Text(r"term\+\d{1,4}[dy]", at_most=10)

_LANG = Text(r"[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?", at_least=2, at_most=8)
_OPERATIONS = Many(Choice(frozenset(Operation)), at_least=1)
_SUBJECT = Record(
    {
        "identity": Text(r"idn_[0-9a-f]{16}"),
        "pid": Text(r"sub_[0-9a-f]{16}"),
        "name": Text(at_most=60),
        "status": Choice(frozenset(Status)),
        "adult": Flag(only=True),
        "id_doc": Nullable(
            Record({"kind": Text(), "hmac": DIGEST, "verified_by": Text(), "method": Text()}),
        ),
        "counsel": Nullable(Text()),
        "union": Nullable(Text()),
        "representative": Nullable(
            Record(
                {"kind": Choice(frozenset({"estate"})), "name": Text(at_most=60), "evidence_sha256": DIGEST}
            )
        ),
    }
)
_CONSENT_ITEM = Record(
    {
        "code": Choice(CONSENT_CODES),
        "text_sha256": DIGEST,
        "lang": _LANG,
        "given": Flag(),
        "at": Nullable(Moment()),
    }
)
_GRANT = Record(
    {
        "operations": _OPERATIONS,
        "purposes": Many(Choice(frozenset(Purpose)), at_least=1),
        "channels": Many(Choice(frozenset(Channel)), at_least=1),
        "territories": Many(Choice(TERRITORIES), at_least=1),
        "languages": Many(Choice(LANGUAGES), at_least=1),
        "intended_use_text": Text(pattern=r"[^\x00-\x09\x0b-\x1f\x7f]*", at_most=2000),
        "products_excluded": Many(Choice(frozenset(Product))),
        "prohibited": Many(Choice(PROHIBITED)),
        "exclusive": Flag(),
        "training_use": Flag(),
        "live_stream": Flag(),
        "max_outputs": Whole(1, 1_000_000),
        "max_seconds_per_output": Whole(1, 86_400),
        "pre_approval": Choice(frozenset({"none", "script", "final"})),
        "labels": Record(
            {"visible": Text(at_most=20), "invisible": Flag(only=True), "may_remove": Flag(only=False)},
            # Said only where it differs from the law's least: the label on every frame; a statutory copy.
            optional={"duration": Choice(frozenset({"clip"})), "unlabelled_export": Flag(only=True)},
        ),
    }
)
_WITHDRAWAL = Record(
    {
        "channels": Many(Choice(frozenset({"portal", "paper", "hotline"})), at_least=1),
        "new_generation": Choice(frozenset({"stop_immediately"})),
        "queued": Choice(frozenset({"cancel"})),
        "published": Text(r"withdraw_within_hours:[1-9]\d{0,2}"),
        "biometric_delete_hours": Whole(0, 720),
        "audit_retention_years": Whole(3, 30),
    }
)
SCHEMA = Record(
    {
        "type": Choice(frozenset({TYPE})),
        "licence_id": Text(r"con_[0-9a-f]{16}"),
        "kind": Choice(frozenset(Kind)),
        "revision": Whole(1, 1_000_000),
        "supersedes": Nullable(Text(r"con_[0-9a-f]{16}")),
        "sample": Flag(),
        "subject": _SUBJECT,
        "grantee": Record(
            {
                "org": Text(),
                "uscc": Nullable(Text(r"[0-9A-Z]{18}")),
                "sublicensing": Flag(only=False),
                "processors": Many(Text()),
            }
        ),
        "material": Many(Record({"kind": Choice(frozenset({"portrait"})), "sha256": DIGEST}), at_least=1),
        "separate_consents": Many(_CONSENT_ITEM, at_least=1),
        "signed": Record({"by": Text(at_most=60), "text_sha256": DIGEST, "at": Moment()}),
        "grant": _GRANT,
        "term": Record(
            {
                "not_before": Moment(),
                "not_after": Moment(),
                "auto_renew": Flag(only=False),
                "notice_days": Whole(0, 365),
            }
        ),
        "compensation": Record(
            {
                "model": Choice(frozenset({"none", "flat", "per_output"})),
                "amount": MONEY,
                "currency": Text(r"[A-Z]{3}"),
                "per_output": MONEY,
            }
        ),
        "withdrawal": _WITHDRAWAL,
        "retention": Record(
            {"portraits": SPAN, "embeddings": SPAN, "outputs": SPAN, "consent_record": SPAN}
        ),
        "pia": Nullable(Record({"ref": Text(), "sha256": DIGEST, "approved": Text(r"\d{4}-\d{2}-\d{2}")})),
        "law": Many(Choice(LAWS), at_least=1),
        "lang": _LANG,
    }
)  # fmt: skip
