"""What every page needs: the navigation of the person who looks at it, and any alarm of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from likeness.accounts.roles import Role
from likeness.portal import access
from likeness.portal.health import NOBODY, log_witnessing
from likeness.portal.waiting import reviews_waiting


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the navigation; ``section`` is what a page says it belongs to."""

    section: str
    label: Any
    route: str
    icon: str
    roles: frozenset[Role]


NAVIGATION = (
    Entry("home", _("Overview"), "home", "home", access.EVERYONE),
    Entry("reviews", _("Reviews"), "review-list", "review", access.REVIEWERS),
    Entry("identities", _("Identities"), "identity-list", "person", access.EVERYONE),
    Entry("consents", _("Licences"), "consent-list", "licence", access.EVERYONE),
    Entry("studio", _("Studio"), "studio", "speech", access.SUBMIT_JOBS),
    Entry("videos", _("Videos"), "presentation-list", "play", access.EVERYONE),
    Entry("templates", _("Templates"), "template-list", "look", access.EVERYONE),
    Entry("jobs", _("Jobs"), "job-list", "film", access.EVERYONE),
    Entry("exports", _("Unlabelled copies"), "export-list", "seal", access.SEE_EXPORTS),
    Entry("provenance", _("Provenance"), "provenance", "search", access.EVERYONE),
    Entry("verify", _("Check evidence"), "verify", "shield", access.EVERYONE),
    Entry("log", _("Log"), "log-list", "log", access.SEE_LOG),
    Entry("hooks", _("Webhooks"), "hook-list", "hook", access.SEE_HOOKS),
    Entry("erasure", _("Erasure"), "erasure-list", "undo", access.ERASE),
    Entry("blocklist", _("Blocklist"), "block-list", "block", access.BLOCK),
)


def portal(request: HttpRequest) -> dict[str, Any]:
    """The navigation by role, the person, how many reviews wait for them, and the log's witnesses."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {
            "navigation": (),
            "person": None,
            "reviews_waiting": 0,
            "witnessing": NOBODY,
            "public_check": settings.LIKENESS_PUBLIC_CHECK,
        }
    roles = frozenset(user.roles)
    return {
        "navigation": tuple(entry for entry in NAVIGATION if access.allows(entry.roles, roles)),
        "person": user,
        "reviews_waiting": SimpleLazyObject(lambda: reviews_waiting(user.actor)),
        "witnessing": SimpleLazyObject(lambda: log_witnessing(link=access.allows(access.SEE_LOG, roles))),
    }
