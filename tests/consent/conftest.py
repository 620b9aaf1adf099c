from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from consent import services
from tests.consent import fakes
from tests.consent.samples import USE, make_terms


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
