"""Words of the licence: purposes, channels, operations and what else a document lists by code."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

TABLES: dict[str, dict[str, Any]] = {
    "role": {
        "requester": _("Requester"),
        "legal": _("Legal"),
        "business": _("Business"),
        "expert": _("Expert"),
        "auditor": _("Auditor"),
        "operator": _("Operator"),
    },
    "kind": {"likeness": _("Likeness"), "performer": _("Performer")},
    "status": {"living": _("Living"), "deceased": _("Deceased"), "historic": _("Historic figure")},
    "operation": {
        "face_swap": _("Face swap"),
        "enhance": _("Enhancement"),
        "lip_sync": _("Lip sync"),
        "voice": pgettext_lazy("operation", "Voice"),
        "performance": _("Performance: the face in the footage is replaced"),
    },
    "purpose": {
        "customer_service": _("Customer service"),
        "internal_training": _("Internal training"),
        "product_explainer": _("Product explainer"),
        "marketing": _("Marketing"),
    },
    "channel": {
        "branch_screen": _("Branch screens"),
        "mobile_app": _("Mobile app"),
        "website": _("Website"),
        "internal": _("Internal only"),
    },
    "territory": {
        "CN": _("Mainland China"),
        "HK": _("Hong Kong, China"),
        "MO": _("Macao, China"),
        "TW": _("Taiwan, China"),
        "SG": _("Singapore"),
        "JP": _("Japan"),
        "KR": _("South Korea"),
        "EU": _("European Union"),
        "GB": _("United Kingdom"),
        "DK": _("Denmark"),
        "US": _("United States"),
        "CH": _("Switzerland"),
        "AU": _("Australia"),
        "CA": _("Canada"),
    },
    "language": {
        "zh": _("Mandarin Chinese"),
        "yue": _("Cantonese"),
        "en": _("English"),
        "ja": _("Japanese"),
        "ko": _("Korean"),
        "de": _("German"),
        "fr": _("French"),
        "es": _("Spanish"),
        "it": _("Italian"),
        "pt": _("Portuguese"),
        "da": _("Danish"),
    },
    "product": {
        "deposits": _("Deposits"),
        "cards": _("Cards"),
        "payments": _("Payments"),
        "loans": _("Loans"),
        "funds": _("Funds"),
        "wealth": _("Wealth management"),
        "insurance": _("Insurance"),
        "stock": _("Shares"),
        "crypto": _("Crypto assets"),
    },
    "prohibited": {
        "political": _("Political content"),
        "sexual": _("Sexual content"),
        "gambling": _("Gambling"),
        "medical_claim": _("Medical claims"),
        "personal_opinion": _("Personal opinions of the subject"),
        "guaranteed_return": _("Promises of guaranteed returns"),
    },
    "consent": {
        "PIPL29_FACE": _("Processing of the face as sensitive personal information (PIPL, article 29)"),
        "DEEPSYN14_EDIT": _("Editing by deep synthesis (Deep Synthesis Provisions, article 14)"),
        "VOICE_CLONE": _("Cloning of the voice"),
        "REMOTE_TRANSFER": _("Transfer of face data outside the bank"),
        "TRAINING_USE": _("Use for training models"),
        "SUPPRESSION_TEMPLATE": _("Keeping a one-way template after withdrawal, only to block"),
        "PUBLIC_RELEASE": _("Release to the public"),
    },
    "pre_approval": {
        "none": _("Not required"),
        "script": _("The subject sees the script first"),
        "final": _("The subject sees the finished video first"),
    },
    "law": {
        "CN": _("China"),
        "EU": _("European Union"),
        "US-CA": _("California"),
        "US-NY": _("New York"),
        "US-TN": _("Tennessee"),
        "DK": _("Denmark"),
    },
    "format": {
        "landscape": _("Landscape, 1080p"),
        "portrait": _("Portrait, 1080p"),
        "square": _("Square, 1080"),
        "preview": _("Draft, 720p"),
    },
    "variable": {
        "text": pgettext_lazy("variable", "Text"),
        "amount": _("Amount"),
        "date": _("Date"),
        "image": _("Picture"),
    },
    "writing": {"text": pgettext_lazy("writing", "Plain text"), "ssml": "SSML"},
    "profile": {
        "cn": _("China"),
        "eu": _("European Union"),
        "cn+eu": _("China and the European Union"),
    },
    "place": {
        "top-right": _("top right"),
        "top-left": _("top left"),
        "bottom-right": _("bottom right"),
        "bottom-left": _("bottom left"),
        "top": _("top"),
        "bottom": _("bottom"),
    },
    "raised": {"operator": _("this installation"), "licence": _("the licence")},
    "mark": {
        "invisible": _("Invisible watermark"),
        "visible": _("Visible label"),
        "aigc": _("AIGC label in the metadata"),
        "c2pa": _("C2PA manifest"),
    },
}


def word(table: str, code: str) -> str:
    """The word for a code, in the reader's language; an unknown code is shown as it is."""
    return str(TABLES.get(table, {}).get(code, code))


def choices(table: str, codes: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    """Codes and words for a form's field, in the table's order."""
    entries = TABLES[table]
    return [(code, entries[code]) for code in entries if not codes or code in codes]
