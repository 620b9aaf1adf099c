"""The sample subjects of the demonstration, and the texts that stand in for what a real person would sign.

Nobody in the pictures agreed to anything: every text and licence made here says that it is a sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from consent.terms import LicenceTerms, Representative, SeparateConsent

PURPOSE, CHANNEL = "customer_service", "mobile_app"
WRONG_PURPOSE = "marketing"
TERRITORY = "CN"
TERM = timedelta(days=365)
FACE_CONSENTS = ("PIPL29_FACE", "DEEPSYN14_EDIT")
OPERATIONS: Mapping[str, tuple[str, ...]] = {
    "likeness": ("face_swap", "lip_sync"),
    "performer": ("performance",),
}
LANGUAGES = ("zh", "en")

SCRIPTS: Mapping[str, str] = {
    "zh": "您好，本示例由AI生成。100元起存，年利率1.5%。",
    "en": "Hello, I am an AI-generated sample. Open an account from $50, at 1.85% a year.",
}
"""Each says what it is, an amount and a rate, with closed lips (b, p, m) in between."""

_TEXTS: Mapping[str, str] = {
    "agreement": (
        "SAMPLE, signed by nobody. I allow the organisation to put my face onto footage of performers, "
        "and to have it say scripts with a synthetic voice, for customer service in its mobile app, "
        "for one year, labelled as AI-generated. I can withdraw at any time."
    ),
    "PIPL29_FACE": "SAMPLE, signed by nobody. I agree that my face is processed as sensitive data.",
    "DEEPSYN14_EDIT": "SAMPLE, signed by nobody. I agree that my face is edited by deep synthesis.",
    "estate": "SAMPLE, signed by nobody. Proof that the estate may decide on the likeness of the deceased.",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One sample person: display name, status, and the picture's file name among the samples."""

    name: str
    status: str
    kind: str
    picture: str


TELLER = Subject("Sample teller (Eileen Collins, NASA portrait)", "living", "likeness", "astronaut.png")
PERFORMER = Subject(
    "Sample performer (Grace Hopper, US Navy portrait)", "deceased", "performer", "grace_hopper.jpg"
)


def sample_text(code: str) -> str:
    """The sample's wording of one signed text."""
    return _TEXTS[code]


def sample_terms(
    *,
    name: str,
    kind: str,
    status: str,
    now: datetime,
    purposes: Sequence[str] = (PURPOSE,),
    channels: Sequence[str] = (CHANNEL,),
) -> LicenceTerms:
    """Terms of a sample licence or performance release; the deceased are represented by a sample estate."""
    estate = Representative(name="Sample estate", evidence_sha256=_sha256("estate"))
    represented = None if status == "living" else estate
    return LicenceTerms(
        operations=OPERATIONS[kind],
        purposes=purposes,
        channels=channels,
        territories=(TERRITORY,),
        languages=LANGUAGES,
        not_before=now - timedelta(minutes=5),
        not_after=now + TERM,
        separate_consents=[
            SeparateConsent(code=code, text_sha256=_sha256(code), lang="en", at=now) for code in FACE_CONSENTS
        ],
        signed_by=represented.name if represented else name,
        signed_at=now,
        text_sha256=_sha256("agreement"),
        intended_use="Sample: a short clip that shows the whole chain on one machine.",
        representative=represented,
        sample=True,
    )


def _sha256(code: str) -> str:
    return hashlib.sha256(_TEXTS[code].encode()).hexdigest()
