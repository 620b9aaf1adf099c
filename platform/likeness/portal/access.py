"""Who may open which page: one table, by role.

Services and the database decide on every change once more; this table only keeps people from pages that are of
no use to them, and builds their navigation.
"""

from __future__ import annotations

from collections.abc import Iterable

from likeness.accounts.roles import Role


EVERYONE = frozenset(Role)
REVIEWERS = frozenset({Role.LEGAL, Role.BUSINESS, Role.EXPERT})
"""Roles that approve; each is a seat of its own."""
SEE_CONSENTS = REVIEWERS | {Role.REQUESTER, Role.AUDITOR, Role.OPERATOR}
SEE_PORTRAITS = REVIEWERS | {Role.REQUESTER}
"""Portraits are biometric material: only those who enrol or review see them."""
ENROL = frozenset({Role.REQUESTER})
SUBMIT_JOBS = frozenset({Role.REQUESTER})
SEE_JOBS = EVERYONE
DOWNLOAD = frozenset({Role.REQUESTER, Role.LEGAL, Role.BUSINESS, Role.EXPERT, Role.AUDITOR})
CANCEL_JOBS = frozenset({Role.REQUESTER, Role.OPERATOR})
REVOKE = frozenset({Role.LEGAL, Role.BUSINESS, Role.OPERATOR})
SEE_LOG = frozenset({Role.AUDITOR, Role.OPERATOR, Role.LEGAL, Role.BUSINESS, Role.EXPERT})
LOOK_UP = EVERYONE
BLOCK = frozenset({Role.OPERATOR, Role.LEGAL})


def allows(roles: frozenset[Role], held: Iterable[str]) -> bool:
    """Tell whether any of the roles a person holds is among those that a page is for."""
    return not roles.isdisjoint(held)
