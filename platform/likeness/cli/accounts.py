"""``likeness accounts``: list accounts, add one."""

from __future__ import annotations

import argparse
import secrets

from likeness.cli.arguments import Verbs, add_verb
from likeness.cli.output import Printer, Result
from likeness.cli.session import open_platform

ROLES = ("requester", "legal", "business", "expert", "auditor", "operator")


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "accounts", "List or add accounts.", show)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_verb(actions, "list", "Every account with its roles.", show)
    adding = add_verb(actions, "add", "Add an account; its password is printed once.", add)
    adding.add_argument("email")
    adding.add_argument("--role", action="append", choices=ROLES, required=True, help="may be repeated")
    adding.add_argument("--tenant", default="default")


def show(_args: argparse.Namespace, _printer: Printer) -> Result:
    """The accounts."""
    open_platform()
    from likeness.accounts.models import User

    users = list(User.objects.order_by("pk"))
    rows = [{"email": user.email, "roles": list(user.roles), "actor": user.actor_id} for user in users]
    return Result(
        {"accounts": rows}, [f"{user.email:<32} {', '.join(user.roles)}" for user in users] or ["None yet."]
    )


def add(args: argparse.Namespace, _printer: Printer) -> Result:
    """Add one with a random password."""
    open_platform()
    from likeness.accounts import services

    password = secrets.token_urlsafe(15)
    user = services.create_user(email=args.email, password=password, tenant=args.tenant, roles=args.role)
    return Result(
        {"email": user.email, "roles": list(user.roles), "password": password},
        [f"{user.email}: {', '.join(user.roles)}", f"Password (shown once): {password}"],
    )
