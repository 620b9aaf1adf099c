"""The conventions of the REST API: one body for every error, one status for every error class.

    {"code": "...", "message": "...", "hint": "..."}    and where they help: "fields", "job", "reasons"

``code`` is stable. Packages below raise their own errors and know nothing of HTTP; the table here decides.
"""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from kombu.exceptions import OperationalError as BrokerError
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

log = logging.getLogger(__name__)

RETRY_AFTER_S = 5
STATUS: dict[str, int] = {
    # By class name; a class that is not here has the status of its nearest base.
    "LicenceInvalidError": 400,
    "IdentityInvalidError": 400,
    "RequestInvalidError": 400,
    "PresentInvalidError": 400,
    "CallbackRefusedError": 400,
    "TemplateInvalidError": 400,
    "ScenesInvalidError": 400,
    "ScriptError": 400,
    "VoiceMissingError": 400,
    "ExportInvalidError": 400,
    "RoleError": 403,
    "NotFoundError": 404,
    "EntryNotFoundError": 404,
    "BlobNameError": 404,
    "StateError": 409,
    "JobStateError": 409,
    "ClientIdTakenError": 409,
    "ExportStateError": 409,
    "TemplateStateError": 409,
    "AlreadyOverError": 409,
    "LicenceTamperedError": 409,
    "AccountExistsError": 409,
    "ShreddedError": 410,
    "BlobMissingError": 410,
    "TooLargeError": 413,
    "TooManyChecksError": 429,
    "QuotaError": 429,
    "PreviewLimitError": 429,
    "UnsupportedMediaError": 415,
    "WithdrawnError": 451,
    # Refused: understood, and not done.
    "ConsentError": 422,
    "GenerationError": 422,
    "EngineError": 422,
    "PresenterError": 422,
    "WatermarkError": 422,
    "AccountError": 422,
    "FormatError": 422,
    # Not ready: the same request may succeed later.
    "AuditError": 503,
    "EmbedderError": 503,
    "GalleryError": 503,
    "VaultError": 503,
    "GateError": 503,
    "SpeechUnavailableError": 503,
    "WeightsError": 503,
    "BlobWriteError": 503,
    "EmbeddedError": 503,
    # Ours: what they say is for the log alone.
    "LikenessError": 500,
    "EventError": 500,
    "NotInTransactionError": 500,
    "SealError": 500,
    "LeaseLostError": 500,
    "ModelOutputError": 500,
}
MALFORMED = "Send what the schema at /api/v1/schema/ describes."


def status_of(error: BaseException) -> int:
    """Give the HTTP status of a package's error; 500 for what no package promised to raise."""
    if not hasattr(error, "code"):
        return 500
    for kind in type(error).__mro__:
        if kind.__name__ in STATUS:
            return STATUS[kind.__name__]
    return 500


def error_body(code: str, message: str, hint: str, **more: Any) -> dict[str, Any]:
    """Give the body of an error answer; empty extras are left out."""
    return {
        "code": code,
        "message": message,
        "hint": hint,
        **{key: value for key, value in more.items() if value},
    }


def refuse(status: int, code: str, message: str, hint: str) -> HttpResponse:
    """Give a whole error answer outside of a REST view."""
    return JsonResponse(error_body(code, message, hint), status=status)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an exception of a view into an answer; None lets Django report an unforeseen one."""
    answer = _answer(error)
    if answer is None:
        return None
    status, body = answer
    headers = {}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if wait := getattr(error, "wait", None):  # of a throttle
        headers["Retry-After"] = str(int(wait) + 1)
    if isinstance(error, drf.APIException) and getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(getattr(error, "auth_header", ""))
    if status >= 500:
        view = type(context.get("view")).__name__
        log.error("%s answered %d", view, status, exc_info=error)
    set_rollback()
    return Response(body, status=status, headers=headers)


def _answer(error: Exception) -> tuple[int, dict[str, Any]] | None:
    if isinstance(error, Http404):
        error = drf.NotFound()
    elif isinstance(error, PermissionDenied):
        error = drf.PermissionDenied()
    if isinstance(error, drf.APIException):
        return error.status_code, _rest_body(error)
    if isinstance(error, RequestDataTooBig):
        return 413, error_body("too_large", "The body is too large.", "Send files as multipart.")
    if isinstance(error, OperationalError | InterfaceError | BrokerError):
        return 503, error_body("unavailable", "The database does not answer.", "Try again in a moment.")
    if isinstance(error, DatabaseError) or not hasattr(error, "code"):
        return None
    status = status_of(error)
    if status == 500:
        return 500, error_body(
            "internal", "Something failed on the server.", "Try again; then tell the operator."
        )
    extras = {name: getattr(error, name, None) for name in ("fields", "job", "reasons")}
    if isinstance(extras["reasons"], tuple):
        extras["reasons"] = list(extras["reasons"])
    return status, error_body(
        str(getattr(error, "code", "")), str(error), str(getattr(error, "hint", "")), **extras
    )


def _rest_body(error: drf.APIException) -> dict[str, Any]:
    if isinstance(error, drf.ValidationError):
        fields = _fields(error.detail)
        unknown = any(code == "unknown_field" for code in _codes(error.get_codes()))
        code = "unknown_field" if unknown else "invalid"
        first = next(iter(fields.items()), ("", ["invalid"]))
        return error_body(code, f"{first[0]}: {first[1][0]}", MALFORMED, fields=fields)
    hints = {
        drf.ParseError: MALFORMED,
        drf.NotAuthenticated: "Sign in, or send Authorization: Bearer with a key.",
        drf.AuthenticationFailed: "Make a new key.",
        drf.PermissionDenied: "Ask an operator for the role.",
        drf.NotFound: "Check the id.",
        drf.Throttled: "Wait as long as Retry-After says.",
        drf.UnsupportedMediaType: "Send application/json, or multipart/form-data where files go.",
    }
    codes = {drf.ParseError: "malformed", drf.AuthenticationFailed: "not_authenticated"}
    code = codes.get(type(error), str(getattr(error.detail, "code", "") or error.default_code))
    message = "Not found." if isinstance(error, drf.NotFound) else str(error.detail)
    return error_body(code, message, hints.get(type(error), "See the schema at /api/v1/schema/."))


def _fields(detail: Any, name: str = "") -> dict[str, list[str]]:
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            found |= _fields(value, f"{name}.{key}" if name else str(key))
        return found
    if isinstance(detail, list):
        if any(isinstance(item, dict) for item in detail):
            found = {}
            for number, item in enumerate(detail):
                found |= _fields(item, f"{name}[{number}]") if item else {}
            return found
        return {name or "body": [str(item) for item in detail]}
    return {name or "body": [str(detail)]}


def _codes(codes: Any) -> list[str]:
    if isinstance(codes, dict):
        return [code for value in codes.values() for code in _codes(value)]
    if isinstance(codes, list):
        return [code for value in codes for code in _codes(value)]
    return [str(codes)]


def is_api(request: HttpRequest | Request) -> bool:
    """Say whether an answer must be JSON."""
    return request.path.startswith(("/api/", "/log/"))
