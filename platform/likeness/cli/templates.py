"""``likeness templates``: looks of videos, from a draft to a version in use and back."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform, working

if TYPE_CHECKING:
    from generation.models import TemplateVersion

POLL_S = 0.5


def register(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(verbs, "templates", "Looks of videos: background, logo, lower third.", show)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_account(add_verb(actions, "list", "Every template and its versions.", show))
    adding = add_verb(actions, "add", "Write a new version of a template and wait for its trial.", add)
    adding.add_argument("name")
    adding.add_argument("scene", type=Path, metavar="FILE", help="the scene as JSON")
    add_account(adding)
    for name, text, run in (
        ("approve", "Agree to a version, as a second person; it is used from now on.", approve),
        ("rollback", "Use an approved version again.", roll_back),
    ):
        verb = add_verb(actions, name, text, run)
        verb.add_argument("name")
        verb.add_argument("version", type=int)
        add_account(verb)


def show(args: argparse.Namespace, _printer: Printer) -> Result:
    """All of them."""
    open_platform()
    from generation import templating

    found = list(templating.seen(tenant=actor(args).tenant))
    rows = [
        {
            "name": each.name,
            "active": each.active.number if each.active else None,
            "versions": [_row(version) for version in each.versions.order_by("number")],
        }
        for each in found
    ]
    lines = [f"{row['name']}: version {row['active'] or '-'} in use" for row in rows]
    return Result({"templates": rows}, lines or ["None yet."])


def add(args: argparse.Namespace, printer: Printer) -> Result:
    """Write a version; 1 when its trial fails."""
    open_platform()
    from generation import templating

    try:
        document = json.loads(args.scene.read_text("utf-8"))
    except ValueError as error:
        raise SceneFileError(f"{args.scene} is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise SceneFileError(f"{args.scene} holds no JSON object.")
    by = actor(args, "operator", "business")
    with working(printer):
        version = templating.draft(args.name, document, by=by)
        while version.state == "trying":
            time.sleep(POLL_S)
            version.refresh_from_db()
    told = version.trial.get("message") or version.state
    line = f"{args.name} version {version.number}: {told}"
    return Result(_row(version), [line], Exit.FAILED if version.state == "failed" else Exit.DONE)


def approve(args: argparse.Namespace, _printer: Printer) -> Result:
    """A second person's yes."""
    open_platform()
    from generation import templating

    version = templating.approve(args.name, args.version, by=actor(args, "business", "legal"))
    return Result(_row(version), [f"{args.name}: version {version.number} in use"])


def roll_back(args: argparse.Namespace, _printer: Printer) -> Result:
    """An earlier version again."""
    open_platform()
    from generation import templating

    version = templating.roll_back(args.name, args.version, by=actor(args, "operator", "business"))
    return Result(_row(version), [f"{args.name}: version {version.number} in use again"])


def _row(version: TemplateVersion) -> dict[str, object]:
    return {
        "version": version.number,
        "state": str(version.state),
        "sha256": version.sha256,
        "trial": version.trial,
    }


class SceneFileError(Exception):
    """A file with a scene cannot be read."""

    code = "scene.file"
    hint = "Give a JSON object; the fields stand in the schema at /api/v1/schema/."
