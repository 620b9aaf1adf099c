"""Words of webhooks: why an address is not taken, and what became of a message."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from likeness.portal.wording.states import chip

PROBLEMS: dict[str, tuple[Any, Any]] = {
    "dns": (
        gettext_lazy("The host was not found."),
        gettext_lazy("Check its name, and the name server of this machine."),
    ),
    "address_refused": (
        gettext_lazy("The host leads to an address that is not public."),
        gettext_lazy("List it as host=address in LIKENESS_HOOK_HOSTS if it stands in your own network."),
    ),
    "timeout": (
        gettext_lazy("There was no answer within 6 seconds."),
        gettext_lazy("Answer first and work afterwards; see whether a firewall is in between."),
    ),
    "tls": (
        gettext_lazy("The certificate of the host is not trusted."),
        gettext_lazy("Renew it, or name your authority's file in LIKENESS_HOOK_ROOTS."),
    ),
    "connection": (
        gettext_lazy("The host takes no connection."),
        gettext_lazy("See whether it runs, and whether a firewall is in between."),
    ),
    "redirect": (
        gettext_lazy("The host sent it on to another address, which is never followed."),
        gettext_lazy("Add the final address as a webhook of its own."),
    ),
    "status": (
        gettext_lazy("The host answered with an error."),
        gettext_lazy("Look into its own log; it must answer with 200 to 299."),
    ),
    "host_refused": (
        gettext_lazy("The host is not on the list any more."),
        gettext_lazy("Put it back into LIKENESS_HOOK_HOSTS, or remove the webhook."),
    ),
    "roots": (
        gettext_lazy("The file of trusted authorities cannot be read."),
        gettext_lazy("See LIKENESS_HOOK_ROOTS."),
    ),
    "hook_removed": (gettext_lazy("The webhook was removed before it was sent."), ""),
    "worker_lost": (
        gettext_lazy("The worker stopped while it was sent."),
        gettext_lazy("See the worker's log, then send a test message."),
    ),
}
"""Sentence and hint by the code that a delivery keeps."""
_REFUSALS: tuple[tuple[str, Any], ...] = (
    (r"^Only https", gettext_lazy("Only https addresses are called.")),
    (r"registered already", gettext_lazy("This address is a webhook already.")),
    (r"hooks already", gettext_lazy("There are as many webhooks as there may be; remove one first.")),
    (
        r"plain ASCII|no user|cannot be read",
        gettext_lazy("Write a whole https address: no user name, no part after #, plain letters only."),
    ),
)
_NOT_LISTED = re.compile(r"^(\S+:\d+) is not on the list")
EVENTS: dict[str, Any] = {
    "ping": gettext_lazy("Test message"),
    "job": gettext_lazy("Job"),
    "presentation": gettext_lazy("Video"),
    "variants": gettext_lazy("Versions of a script"),
}


def problem(code: str) -> tuple[str, str]:
    """Why a message was not taken, and what to do; an unknown code is shown as it is."""
    sentence, hint = PROBLEMS.get(code, (code, ""))
    return str(sentence), str(hint)


def refusal(message: str) -> str:
    """Why an address is not registered, by the service's own sentence; that stands in for an unknown one."""
    if match := _NOT_LISTED.match(message):
        return _(
            "%(host)s is not on the list of hosts that may be told. Who runs the server adds it to "
            "LIKENESS_HOOK_HOSTS and starts the platform again."
        ) % {"host": match[1].removesuffix(":443")}
    return next((str(words) for form, words in _REFUSALS if re.search(form, message)), message)


def event(name: str) -> str:
    """What a message tells of, and the state that it tells."""
    kind, _dot, state = name.partition(".")
    what = str(EVENTS.get(kind, kind))
    return _("%(what)s: %(state)s") % {"what": what, "state": chip(state).label} if state else what
