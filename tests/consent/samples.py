"""Terms and a use that fit each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.utils import timezone

from consent.licence import Use
from consent.terms import LicenceTerms, SeparateConsent

HASH = "a" * 64
USE = Use("face_swap", "product_explainer", "branch_screen", "CN", "zh", seconds=30)


def make_terms(**changes: Any) -> LicenceTerms:
    """Terms that allow USE from yesterday for a year."""
    now = timezone.now().replace(microsecond=0)
    plain = LicenceTerms(
        operations=["face_swap"],
        purposes=["product_explainer"],
        channels=["branch_screen"],
        territories=["CN"],
        languages=["zh"],
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365),
        separate_consents=[
            SeparateConsent("PIPL29_FACE", HASH, "zh-CN", now),
            SeparateConsent("DEEPSYN14_EDIT", HASH, "zh-CN", now),
        ],
        signed_by="王五",
        signed_at=now,
        text_sha256=HASH,
        intended_use="网点屏幕中的产品讲解视频。",
        sample=True,
    )
    return replace(plain, **changes)
