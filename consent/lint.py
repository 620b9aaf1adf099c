"""What a licence's schema cannot say: rules between its fields, and names that mean one person only."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from consent.catalogue import NEEDED_CONSENTS, Kind, Operation, Status
from consent.errors import Fault


def document_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Rules between fields of a document that is valid by the schema."""
    subject, grant, term = document["subject"], document["grant"], document["term"]
    for path, name in (("$.subject.name", subject["name"]), ("$.signed.by", document["signed"]["by"])):
        yield from name_faults(name, path)
    if subject["status"] == Status.DECEASED and subject["representative"] is None:
        yield Fault("$.subject.representative", "missing_field", "is required for a deceased person")
    if datetime.fromisoformat(term["not_after"]) <= datetime.fromisoformat(term["not_before"]):
        yield Fault("$.term.not_after", "term", "must be after not_before")
    performing = {Operation.PERFORMANCE} == set(grant["operations"])
    if performing != (document["kind"] == Kind.PERFORMER) or (
        not performing and Operation.PERFORMANCE in grant["operations"]
    ):
        yield Fault("$.grant.operations", "kind", "a performer grants performance, a likeness all but it")
    yield from _consent_faults(document)


def _consent_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """Operations and training need their own consent, given at a moment."""
    items, grant = document["separate_consents"], document["grant"]
    given = {item["code"] for item in items if item["given"]}
    for index, item in enumerate(items):
        if item["given"] is not (item["at"] is not None):
            yield Fault(
                f"$.separate_consents[{index}].at", "moment", "is set exactly when the consent is given"
            )
        if item["code"] in {earlier["code"] for earlier in items[:index]}:
            yield Fault(f"$.separate_consents[{index}].code", "repeated", "is there twice")
    for index, operation in enumerate(grant["operations"]):
        for code in sorted(NEEDED_CONSENTS[Operation(operation)] - given):
            yield Fault(
                f"$.grant.operations[{index}]", "consent_missing", f"{operation} needs consent {code}"
            )
    if grant["training_use"] and "TRAINING_USE" not in given:
        yield Fault("$.grant.training_use", "consent_missing", "training needs consent TRAINING_USE")


def name_faults(name: str, path: str) -> Iterator[Fault]:
    """What is wrong with a person's name: confusable, invisible or not in normal form C."""
    if unicodedata.normalize("NFC", name) != name:
        yield Fault(path, "name", "must be in Unicode normal form C")
    if name.strip() != name or not name:
        yield Fault(path, "name", "must not be empty, begin or end with white space")
    for character in dict.fromkeys(name):
        radical = "\u2e80" <= character <= "\u2fdf"
        hidden = unicodedata.category(character)[0] == "C" or unicodedata.category(character) in {"Zl", "Zp"}
        if radical or hidden:
            yield Fault(path, "name", f"holds U+{ord(character):04X}, which is refused in names")
