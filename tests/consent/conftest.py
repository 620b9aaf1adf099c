from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from consent import services
from consent.licence import Use
from consent.terms import LicenceTerms, SeparateConsent
from tests.consent import fakes

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


@pytest.fixture(autouse=True)
def _edges(settings):
    settings.LIKENESS_FACE_EMBEDDER = "tests.consent.fakes.analyse"
    settings.LIKENESS_REVOCATION_HANDLERS = ["tests.consent.fakes.withdraw"]
    fakes.withdrawn.clear()


@pytest.fixture
def world(home, people):
    """The people, and short ways to a consent in a given state."""
    by = {name: user.actor for name, user in people.items()}

    def enrol(
        name: str = "wang", *, status: str = "living", kind: str = "likeness", pictures: int = 2
    ) -> Any:
        data = [fakes.picture(name, number) for number in range(pictures)]
        return services.enrol(name="王五", status=status, kind=kind, portraits=data, by=by["requester"])

    def submit(person: Any = None, **changes: Any) -> Any:
        person = person or enrol()
        if person.kind == "performer":
            changes.setdefault("operations", ["performance"])
        return services.submit(person.id, terms=make_terms(**changes), by=by["requester"])

    def activate(person: Any = None, **changes: Any) -> Any:
        row = submit(person, **changes)
        if row.identity.status != "living":
            services.approve(row.id, role="expert", by=by["expert"])
        services.approve(row.id, role="legal", by=by["legal"])
        return services.approve(row.id, role="business", by=by["business"])

    return SimpleNamespace(by=by, enrol=enrol, submit=submit, activate=activate, terms=make_terms, use=USE)
