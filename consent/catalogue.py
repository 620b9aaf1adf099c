"""The closed lists of a licence; a value that stands in none of them is refused, never "other"."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What the person lends: a face that others wear, or a performance whose face is replaced."""

    LIKENESS = "likeness"
    PERFORMER = "performer"


class Status(StrEnum):
    """The person; all but ``living`` need an expert's approval."""

    LIVING = "living"
    DECEASED = "deceased"
    HISTORIC = "historic"


class Operation(StrEnum):
    """What may be done; ``performance`` is the one operation of a performer."""

    FACE_SWAP = "face_swap"
    ENHANCE = "enhance"
    LIP_SYNC = "lip_sync"
    VOICE = "voice"
    PERFORMANCE = "performance"


class Purpose(StrEnum):
    """What the output is for."""

    CUSTOMER_SERVICE = "customer_service"
    INTERNAL_TRAINING = "internal_training"
    PRODUCT_EXPLAINER = "product_explainer"
    MARKETING = "marketing"


class Channel(StrEnum):
    """Where the output is shown."""

    BRANCH_SCREEN = "branch_screen"
    MOBILE_APP = "mobile_app"
    WEBSITE = "website"
    INTERNAL = "internal"


class Product(StrEnum):
    """Bank products that an output may speak of, unless the licence excludes them."""

    DEPOSITS = "deposits"
    CARDS = "cards"
    PAYMENTS = "payments"
    LOANS = "loans"
    FUNDS = "funds"
    WEALTH = "wealth"
    INSURANCE = "insurance"
    STOCK = "stock"
    CRYPTO = "crypto"


TERRITORIES = frozenset({"CN", "HK", "MO", "TW", "SG", "JP", "KR", "EU", "GB", "DK", "US", "CH", "AU", "CA"})
LANGUAGES = frozenset({"zh", "yue", "en", "ja", "ko", "de", "fr", "es", "it", "pt", "da"})
PROHIBITED = frozenset(
    {"political", "sexual", "gambling", "medical_claim", "personal_opinion", "guaranteed_return"}
)
LAWS = frozenset({"CN", "EU", "US-CA", "US-NY", "US-TN", "DK"})
CONSENT_CODES = frozenset(
    {
        "PIPL29_FACE", "DEEPSYN14_EDIT", "VOICE_CLONE", "REMOTE_TRANSFER",
        "TRAINING_USE", "SUPPRESSION_TEMPLATE", "PUBLIC_RELEASE",
    }
)  # fmt: skip
NEEDED_CONSENTS: Mapping[Operation, frozenset[str]] = {
    Operation.FACE_SWAP: frozenset({"PIPL29_FACE", "DEEPSYN14_EDIT"}),
    Operation.ENHANCE: frozenset({"PIPL29_FACE"}),
    Operation.LIP_SYNC: frozenset({"PIPL29_FACE", "DEEPSYN14_EDIT"}),
    Operation.VOICE: frozenset({"VOICE_CLONE"}),
    Operation.PERFORMANCE: frozenset({"PIPL29_FACE", "DEEPSYN14_EDIT"}),
}
"""The separate consents without which a licence may not name the operation."""
