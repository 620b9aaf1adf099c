"""From agreed terms to the licence document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from consent.licence import Licence, check
from consent.schema import TYPE


@dataclass(frozen=True, slots=True)
class SeparateConsent:
    """One consent that the subject gave on its own: its code, the text shown, and the moment."""

    code: str
    text_sha256: str
    lang: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Representative:
    """Who signs for a deceased person, and the hash of the proof that they may."""

    name: str
    evidence_sha256: str
    kind: str = "estate"


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """What the subject and the organisation agreed on; ``build`` turns it into the document.

    ``signed_by``: who signed, in exact glyphs; ``text_sha256``: hash of the text that they signed.
    ``label_whole_clip``: the label stays on every frame, also where the law asks for the opening alone.
    ``unlabelled_export``: copies without the visible label may be made on the way that the law leaves.
    ``sample``: true marks a licence that nobody signed in earnest (demo, tests).
    """

    operations: Sequence[str]
    purposes: Sequence[str]
    channels: Sequence[str]
    territories: Sequence[str]
    languages: Sequence[str]
    not_before: datetime
    not_after: datetime
    separate_consents: Sequence[SeparateConsent]
    signed_by: str
    signed_at: datetime
    text_sha256: str
    intended_use: str
    max_seconds: int = 600
    max_outputs: int = 200
    products_excluded: Sequence[str] = ()
    prohibited: Sequence[str] = ("political", "sexual", "gambling", "medical_claim", "guaranteed_return")
    representative: Representative | None = None
    live_stream: bool = False
    training_use: bool = False
    pre_approval: str = "none"
    visible_label: str = "AI生成"
    label_whole_clip: bool = False
    unlabelled_export: bool = False
    law: Sequence[str] = ("CN",)
    lang: str = "zh-CN"
    sample: bool = False


@dataclass(frozen=True, slots=True)
class Party:
    """The person and the organisation between whom the licence is, and the licensed pictures."""

    identity: str
    subject: str
    name: str
    status: str
    kind: str
    organisation: str
    material: Sequence[str]


def build(terms: LicenceTerms, party: Party, *, licence_id: str, revision: int = 1) -> Licence:
    """The licence document of these terms.

    Raises:
        LicenceInvalidError: the terms do not make a valid document; each fault has its JSON path.
    """
    return check(
        {
            "type": TYPE,
            "licence_id": licence_id,
            "kind": party.kind,
            "revision": revision,
            "supersedes": None,
            "sample": terms.sample,
            "subject": _subject(terms, party),
            "grantee": {"org": party.organisation, "uscc": None, "sublicensing": False, "processors": []},
            "material": [{"kind": "portrait", "sha256": sha256} for sha256 in party.material],
            "separate_consents": [
                {
                    "code": item.code,
                    "text_sha256": item.text_sha256,
                    "lang": item.lang,
                    "given": True,
                    "at": _moment(item.at),
                }
                for item in terms.separate_consents
            ],
            "signed": {
                "by": terms.signed_by,
                "text_sha256": terms.text_sha256,
                "at": _moment(terms.signed_at),
            },
            "grant": _grant(terms),
            "term": {
                "not_before": _moment(terms.not_before),
                "not_after": _moment(terms.not_after),
                "auto_renew": False,
                "notice_days": 30,
            },
            "law": list(terms.law),
            "lang": terms.lang,
            **_STANDING,
        }
    )


_STANDING: Mapping[str, Any] = {
    "compensation": {"model": "none", "amount": "0.00", "currency": "CNY", "per_output": "0.00"},
    "withdrawal": {
        "channels": ["portal"], "new_generation": "stop_immediately", "queued": "cancel",
        "published": "withdraw_within_hours:72", "biometric_delete_hours": 0, "audit_retention_years": 3,
    },
    "retention": {
        "portraits": "term+0d", "embeddings": "term+0d", "outputs": "term+90d", "consent_record": "term+3y",
    },
    "pia": None,
}  # fmt: skip
"""Clauses that no term changes yet."""


def _subject(terms: LicenceTerms, party: Party) -> dict[str, Any]:
    representative = terms.representative
    return {
        "identity": party.identity,
        "pid": party.subject,
        "name": party.name,
        "status": party.status,
        "adult": True,
        "id_doc": None,
        "counsel": None,
        "union": None,
        "representative": None
        if representative is None
        else {
            "kind": representative.kind,
            "name": representative.name,
            "evidence_sha256": representative.evidence_sha256,
        },
    }


def _grant(terms: LicenceTerms) -> dict[str, Any]:
    return {
        "operations": list(terms.operations),
        "purposes": list(terms.purposes),
        "channels": list(terms.channels),
        "territories": list(terms.territories),
        "languages": list(terms.languages),
        "intended_use_text": terms.intended_use,
        "products_excluded": list(terms.products_excluded),
        "prohibited": list(terms.prohibited),
        "exclusive": False,
        "training_use": terms.training_use,
        "live_stream": terms.live_stream,
        "max_outputs": terms.max_outputs,
        "max_seconds_per_output": terms.max_seconds,
        "pre_approval": terms.pre_approval,
        "labels": {
            "visible": terms.visible_label,
            "invisible": True,
            "may_remove": False,
            **({"duration": "clip"} if terms.label_whole_clip else {}),
            **({"unlabelled_export": True} if terms.unlabelled_export else {}),
        },
    }


def _moment(at: datetime) -> str:
    """RFC 3339 with whole seconds; a naive datetime has no offset, and the schema refuses it by path."""
    return at.isoformat(timespec="seconds")
