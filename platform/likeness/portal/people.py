"""Names for the pseudonyms by which rows and the log know people."""

from __future__ import annotations

from django.utils.translation import gettext as _

from audit.events import SYSTEM
from likeness.accounts.models import User


def names(tenant: str) -> dict[str, str]:
    """Display name by pseudonym: the people of one tenant, and the platform itself."""
    rows = User.objects.filter(tenant=tenant).values_list("actor_id", "name", "email")
    return {SYSTEM: _("The platform"), **{actor: name or email for actor, name, email in rows}}
