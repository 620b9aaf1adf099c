"""Who may open which page: one table, by role.

Services and the database decide on every change once more; this table only keeps people from pages that are
of no use to them, and builds their navigation.
"""

from __future__ import annotations

from collections.abc import Iterable

from likeness.accounts.roles import Role

EVERYONE = frozenset(Role)
REVIEWERS = frozenset({Role.LEGAL, Role.BUSINESS, Role.EXPERT})
"""Roles that approve and reject; each is a seat of its own."""
ENROL = frozenset({Role.REQUESTER, Role.OPERATOR})
REVOKE = frozenset({Role.REQUESTER, Role.LEGAL, Role.BUSINESS, Role.OPERATOR})
BLOCK = frozenset({Role.LEGAL, Role.OPERATOR})
UNBLOCK = frozenset({Role.LEGAL})
ERASE = frozenset({Role.LEGAL})
DISCLOSE = frozenset({Role.AUDITOR, Role.LEGAL})
SEE_PORTRAITS = REVIEWERS | ENROL
"""Portraits are biometric material: only those who enrol or review see them."""
SUBMIT_JOBS = frozenset({Role.REQUESTER})
CANCEL_JOBS = frozenset({Role.REQUESTER, Role.OPERATOR})
DOWNLOAD = frozenset({Role.REQUESTER, Role.LEGAL, Role.BUSINESS, Role.EXPERT, Role.AUDITOR})
EXPORT = frozenset({Role.LEGAL})
"""Who asks for copies without the visible label, and takes them; another person decides."""
APPROVE_EXPORT = frozenset({Role.BUSINESS})
SEE_EXPORTS = frozenset({Role.LEGAL, Role.BUSINESS, Role.AUDITOR})
DRAFT_TEMPLATES = frozenset({Role.OPERATOR, Role.BUSINESS})
"""Who writes versions of templates, and puts an earlier one back."""
APPROVE_TEMPLATES = frozenset({Role.BUSINESS, Role.LEGAL})
"""Who agrees to a version that somebody else wrote."""
CHANGE_HOOKS = frozenset({Role.OPERATOR})
SEE_HOOKS = frozenset({Role.OPERATOR, Role.AUDITOR})
SEE_LOG = EVERYONE - {Role.REQUESTER}
SEARCH_LOG = frozenset({Role.AUDITOR})


def allows(roles: frozenset[Role], held: Iterable[str]) -> bool:
    """Tell whether any of the roles a person holds is among those that a page is for."""
    return not roles.isdisjoint(held)
