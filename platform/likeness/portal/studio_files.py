"""Files and values of the studio's forms: taken in, named in the request, blamed where they do not fit."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile

from audit.events import Actor
from generation import services
from generation.presenter.errors import TemplateInvalidError
from likeness.portal.pages import DOMAIN_ERRORS
from likeness.portal.studio_forms import FILE, VALUE, SceneForm
from likeness.portal.uploads import opened
from likeness.portal.wording.faults import explain
from likeness.portal.wording.templates import place_fault, value_fault

RECORDING = "recording_file"


def take(upload: UploadedFile[Any], *, kind: str, by: Actor) -> str:
    """Take in a file and give what a request names it by: a picture's SHA-256, or the id of a recording.

    Raises:
        EngineError, GenerationError: it cannot be used; nothing of it is kept.
    """
    with opened(upload) as stream:
        if kind == "picture":
            return str(services.upload_picture(stream, by=by).sha256)
        return str(services.upload(stream, by=by).pk)


def take_files(form: SceneForm, *, by: Actor) -> bool:
    """Take in what was chosen without being sent before (a browser that runs no scripts); False: refused."""
    for name in [each for each in form.fields if each.startswith(FILE) or each == RECORDING]:
        upload = form.cleaned_data.get(name)
        if not upload:
            continue
        value, kind = (
            ("recording", "sound") if name == RECORDING else (VALUE + name.removeprefix(FILE), "picture")
        )
        try:
            form.cleaned_data[value] = take(upload, kind=kind, by=by)
        except DOMAIN_ERRORS as error:
            words = explain(error)
            form.add_error(name, f"{words.sentence} {words.hint}")
    return not form.errors


def blame_values(form: SceneForm, error: TemplateInvalidError, *, script: str = "script") -> None:
    """Put what is wrong with a template's values beside them; what a script names wrongly, at the script."""
    kinds = form.template_read.variables if form.template_read else {}
    values = {form.cleaned_data.get(VALUE + name): name for name, kind in kinds.items() if kind == "image"}
    for found in sorted(error.fields):
        name = values.get(found, found)  # a picture that is gone is named by its hash
        if name in kinds:
            form.add_error((FILE if kinds[name] == "image" else VALUE) + name, value_fault(kinds[name]))
        else:
            form.add_error(script, place_fault(name))
