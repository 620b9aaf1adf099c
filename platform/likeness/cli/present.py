"""``likeness present``: a script, or a table of scripts, said by a licensed likeness."""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from generation.errors import GenerationError, RefusedError
from generation.presenter.errors import PresenterError
from likeness.cli.arguments import Verbs, add_account, add_verb
from likeness.cli.output import Exit, Printer, Result
from likeness.cli.session import actor, open_platform, working

if TYPE_CHECKING:
    from audit.events import Actor
    from generation.presenter.storyboard import SceneSpec
    from generation.presenting import PresentRequest

COLUMNS = (
    "id",
    "script",
    "identity",
    "performer",
    "language",
    "kind",
    "voice",
    "format",
    "purpose",
    "channel",
)
"""Of a CSV file: ``script`` is needed; a cell left empty is what the command line says."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One video: its id, its request, and where it goes."""

    client_id: str
    request: PresentRequest
    out: Path


def register(verbs: Verbs) -> None:
    """Add the verb."""
    verb = add_verb(verbs, "present", "Have a licensed likeness say a script; waits for the video.", present)
    verb.add_argument(
        "script", type=Path, nargs="?", metavar="SCRIPT", help="text, .ssml or .xml, or .csv for many"
    )
    verb.add_argument(
        "--scenes", type=Path, metavar="FILE", help="several scenes as JSON, in place of SCRIPT"
    )
    verb.add_argument("--identity", default="", metavar="ID", help="whose licensed face is shown")
    verb.add_argument("--performer", default="", metavar="ID", help="whose portrait the script drives")
    verb.add_argument("--lang", default="zh", dest="language")
    verb.add_argument("--voice", default="")
    verb.add_argument("--recording", type=Path, metavar="FILE", help="a sound that says the script")
    verb.add_argument("--voice-identity", default="", metavar="ID", help="whose voice the recording is")
    verb.add_argument("--idle", type=Path, metavar="FILE", help="a clip of the performer in silence")
    verb.add_argument("--revises", default="", metavar="ID", help="an earlier video to take sentences from")
    verb.add_argument("--format", default="landscape", help="landscape, portrait, square or preview")
    verb.add_argument("--colour", default="#3c6e96", help="background")
    verb.add_argument("--transparent", action="store_true", help="nothing behind the person: WebM")
    verb.add_argument("--purpose", default="")
    verb.add_argument("--channel", default="")
    verb.add_argument("--territory", default="CN")
    verb.add_argument("--no-subtitles", action="store_true", help="side files are written all the same")
    verb.add_argument("--id", default="", help="your own id: the same request again is the same video")
    verb.add_argument("--out", required=True, type=Path, metavar="FILE", help="a folder for a table")
    add_account(verb)


def present(args: argparse.Namespace, printer: Printer) -> Result:
    """Submit, wait with progress, and write each video and its subtitles."""
    open_platform()
    by = actor(args, "requester")
    table = args.script is not None and args.script.suffix.lower() == ".csv"
    if (args.script is None) == (args.scenes is None) or (table and (args.recording or args.idle)):
        raise TableError("Give a script or --scenes, not both; a table has no recording and no clip.")
    wanted = list(_rows(args)) if table else [_single(args, by=by)]
    with working(printer):
        asked = [(each, _ask(each, by=by, printer=printer)) for each in wanted]
        done = [
            each if isinstance(each, dict) else _finish(one, by=by, printer=printer) for one, each in asked
        ]
    lines = [f"{row['id']}: {row['out'] or row['message']}" for row in done]
    document = {"presentations": done} if len(done) > 1 else done[0]
    states = {row["state"] for row in done}
    if states <= {"succeeded"}:
        return Result(document, lines)
    return Result(document, lines, Exit.REFUSED if states <= {"succeeded", "rejected"} else Exit.FAILED)


def _single(args: argparse.Namespace, *, by: Actor) -> Wanted:
    """The one video of a script or of scenes, with what it needs uploaded.

    Raises:
        TableError: the file of scenes is no JSON.
        PresenterError, GenerationError, EngineError: the scenes or an upload cannot be used.
    """
    if args.scenes is None:
        text = args.script.read_text("utf-8")
        kind = "ssml" if args.script.suffix.lower() in (".ssml", ".xml") else "text"
        request = _request(args, {"script": text, "kind": kind})
    else:
        request = replace(_request(args, {"script": ""}), scenes=_scenes(args.scenes, by=by))
    if args.recording is not None:
        request = replace(request, recording=_uploaded(args.recording, by=by))
    if args.idle is not None:
        request = replace(request, idle=_uploaded(args.idle, by=by))
    request = replace(request, voice_identity=args.voice_identity, revises=args.revises)
    return Wanted(args.id or _id_of(request), request, args.out)


def _scenes(path: Path, *, by: Actor) -> tuple[SceneSpec, ...]:
    """The scenes of a file; a background may be named by its id, or as a file beside this one."""
    from generation.presenter.storyboard import parse

    try:
        document = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise TableError(f"{path.name} is no JSON: {error}.") from None
    for each in document if isinstance(document, list) else ():
        name = each.get("background") if isinstance(each, dict) else None
        if isinstance(name, str) and name and (path.parent / name).is_file():
            each["background"] = _uploaded(path.parent / name, by=by)
    return parse(document)


def _uploaded(path: Path, *, by: Actor) -> str:
    """The id of a file once it is here; the same bytes have the same id."""
    from generation import services

    with path.open("rb") as file:
        return str(services.upload(file, by=by).pk)


def _rows(args: argparse.Namespace) -> Iterator[Wanted]:
    """The videos of a table.

    Raises:
        TableError: a column is missing or unknown.
    """
    args.out.mkdir(parents=True, exist_ok=True)
    with args.script.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        unknown = [name for name in table.fieldnames or () if name not in COLUMNS]
        if "script" not in (table.fieldnames or ()) or unknown:
            raise TableError(f"{args.script.name} has the columns {', '.join(table.fieldnames or ())}.")
        for row in table:
            request = _request(args, {name: value for name, value in row.items() if name != "id" and value})
            client_id = row.get("id") or _id_of(request)
            yield Wanted(client_id, request, args.out / f"{client_id}.mp4")


def _request(args: argparse.Namespace, given: dict[str, str]) -> PresentRequest:
    from generation.presenting import PresentRequest

    plain = {
        "identity_id": given.get("identity", args.identity),
        "performer_id": given.get("performer", args.performer),
        "script": given["script"],
        "kind": given.get("kind", "text"),
        "language": given.get("language", args.language),
        "voice": given.get("voice", args.voice),
        "format": given.get("format", args.format),
        "purpose": given.get("purpose", args.purpose),
        "channel": given.get("channel", args.channel),
    }
    return PresentRequest(
        **plain,
        territory=args.territory,
        colour=args.colour,
        subtitles=not args.no_subtitles,
        transparent=args.transparent,
    )


def _id_of(request: PresentRequest) -> str:
    """An id of the request itself: the same command again does not make the same video twice."""
    return "cli-" + hashlib.sha256(repr(request).encode()).hexdigest()[:24]


def _ask(wanted: Wanted, *, by: Actor, printer: Printer) -> dict[str, Any] | None:
    """None when it was taken on; else what became of it at once."""
    from generation import presenting

    try:
        presenting.present(wanted.request, client_id=wanted.client_id, by=by)
    except (GenerationError, PresenterError) as error:
        printer.progress(f"{wanted.client_id}: {error}")
        state = "rejected" if isinstance(error, RefusedError) else "failed"
        return _row(wanted.client_id, state, error)
    printer.progress(f"{wanted.client_id}: submitted")
    return None


def _finish(wanted: Wanted, *, by: Actor, printer: Printer) -> dict[str, Any]:
    from generation import selectors
    from likeness import follow

    row = follow.until_presented(wanted.client_id, by=by, watch=printer.bar)
    state = selectors.presentation_state(row)
    if state != "succeeded" or row.job is None:
        return _row(wanted.client_id, state, row.job if row.job is not None and not row.code else row)
    follow.take_out(str(row.job.pk), wanted.out, by=by)
    for suffix, digest in ((".srt", row.srt_sha256), (".vtt", row.vtt_sha256)):
        follow.write_blob(digest, wanted.out.with_suffix(suffix))
    return {
        **_row(wanted.client_id, state, row),
        "job": str(row.job.pk),
        "mark": row.job.mark_id,
        "sha256": row.job.output_sha256,
        "out": str(wanted.out),
        "sync": row.job.report.get("sync"),
    }


def _row(client_id: str, state: str, error: Any) -> dict[str, Any]:
    return {
        "id": client_id,
        "state": state,
        "out": "",
        "code": str(getattr(error, "code", "")),
        "message": str(getattr(error, "message", "") or (error if isinstance(error, Exception) else "")),
        "hint": str(getattr(error, "hint", "")),
        "reasons": list(getattr(error, "reasons", ()) or ()),
    }


class TableError(Exception):
    """A table of scripts, or a file of scenes, cannot be used."""

    code = "table.invalid"
    hint = (
        f"Use a CSV file with a header of some of: {', '.join(COLUMNS)}; script is needed."
        " Scenes are a JSON list of objects, each with its script."
    )
