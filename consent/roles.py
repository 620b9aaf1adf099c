"""Who may do what with a consent: one table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from audit.events import Actor
from consent.errors import RoleError


class Action(StrEnum):
    """The changes that this package makes."""

    ENROL = "enrol"
    SUBMIT = "submit"
    REJECT = "reject"
    REVOKE = "revoke"
    BLOCK = "block"
    UNBLOCK = "unblock"
    ERASE = "erase"
    DISCLOSE = "disclose"


ALLOWED: Mapping[Action, frozenset[str]] = {
    Action.ENROL: frozenset({"requester", "operator"}),
    Action.SUBMIT: frozenset({"requester", "operator"}),
    Action.REJECT: frozenset({"legal", "business", "expert"}),
    # Withdrawal is as easy as the grant (PIPL 15): whoever may submit for the subject may withdraw for them.
    Action.REVOKE: frozenset({"requester", "operator", "legal", "business"}),
    Action.BLOCK: frozenset({"legal", "operator"}),
    Action.UNBLOCK: frozenset({"legal"}),
    Action.ERASE: frozenset({"legal"}),
    Action.DISCLOSE: frozenset({"auditor", "legal"}),
}


def require(by: Actor, action: Action) -> None:
    """Refuse an actor without any of the action's roles.

    Raises:
        RoleError: none of the roles is held.
    """
    if by.roles.isdisjoint(ALLOWED[action]):
        needed = " or ".join(sorted(ALLOWED[action]))
        raise RoleError(f"To {action}, one needs the role {needed}.")


def require_held(by: Actor, role: str) -> None:
    """Refuse an actor who does not hold this very role.

    Raises:
        RoleError: the role is not held.
    """
    if role not in by.roles:
        raise RoleError(f"You do not hold the role {role}.")
