"""Which container an output gets: decided when the job is asked for, before any work on it."""

from __future__ import annotations

from generation.errors import OutputFormatError
from watermark import containers

CLIPS = ("mp4", "mov", "mkv")
"""What the engine's ``join`` writes of H.264; the first is the default."""
PICTURES = ("png", "jpg")
TRANSPARENT = "webm"
"""The container of a clip without a background: VP9 with its cover, which none of the others takes."""


def container(name: str, *, still: bool, transparent: bool = False) -> str:
    """The container of an output, by the suffix that is asked for; empty asks for the default.

    Raises:
        ContainerError: a file of this name cannot hold the AIGC label.
        OutputFormatError: it could, but is not written here, or not of this footage.
    """
    offered = PICTURES if still else (TRANSPARENT,) if transparent else CLIPS
    if not name:
        return offered[0]
    containers.output_kind(name)
    if name not in offered:
        footage = "a picture" if still else "a transparent clip" if transparent else "a clip"
        are = "is" if len(offered) == 1 else "are"
        raise OutputFormatError(f"No {name[:8]!r} is made of {footage}; {', '.join(offered)} {are}.")
    return name


def mime(name: str) -> str:
    """The media type of a container."""
    return containers.output_kind(name).value


def suffix(mime_type: str) -> str:
    """The name of a file of this media type ends so."""
    return next((name for name in (*CLIPS, TRANSPARENT, *PICTURES) if mime(name) == mime_type), "bin")


def holds_xmp(name: str) -> bool:
    """True for the clips that take XMP when they are finished."""
    return containers.output_kind(name) in containers.BOXES


def holds_credential(name: str) -> bool:
    """False where the credential lies beside the file: Matroska has no place for it."""
    return containers.output_kind(name) not in containers.SIDECAR_ONLY
