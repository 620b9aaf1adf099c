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
    keying = add_verb(actions, "key", "Make an API key for a program; it is printed once.", key)
    keying.add_argument("email")
    keying.add_argument("--label", default="command line")
    keying.add_argument("--days", type=int, default=90)


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


def key(args: argparse.Namespace, _printer: Printer) -> Result:
    """A key that acts as the account: ``Authorization: Bearer KEY``."""
    open_platform()
    from likeness.accounts import services
    from likeness.accounts.models import User
    from likeness.cli.session import AccountMissingError

    user = User.objects.filter(email__iexact=args.email, is_active=True).first()
    if user is None:
        raise AccountMissingError(f"There is no active account {args.email}.")
    made = services.create_api_key(user=user, label=args.label, days=args.days)
    return Result({"email": user.email, "key": made}, [f"Key for {user.email} (shown once): {made}"])
