"""The label in the metadata: the AIGC JSON of GB 45438-2025 and the IPTC digital source type.

One JSON object a file, one copy of it. JPEG, PNG and WAV get it here when they are finished; MP4, MOV,
Matroska and WebM from their muxer, opened as ``containers.muxing`` says; ``places`` knows where it stands.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from watermark import containers, mp4, pictures, places, riff, xmp
from watermark.containers import Kind
from watermark.errors import AigcLabelError, ContainerError, LabelLostError, ProviderCodeError

LABEL_MAX = 64 * 1024
"""Octets; a longer label is malformed."""
MP4_KEY = places.KEY
"""Name of the metadata that the muxers of every kind of clip are given."""
_WRITTEN_MAX = 32 * 1024  # XML escapes and the frame around it must fit one JPEG segment
_PROVIDER = re.compile(r"0011[0-9A-HJ-NPQRTUWXY]{18}[12][0-9A-Za-z]{4}")  # GB 32100 leaves out I, O, S, V, Z


class SourceType(StrEnum):
    """IPTC digital source type, NewsCodes."""

    COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
    GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


class ProviderRole(StrEnum):
    """Whose code it is: of who generated, or of who passes on."""

    GENERATION = "1"
    PROPAGATION = "2"


def provider_code(
    credit_code: str, *, role: ProviderRole = ProviderRole.GENERATION, application: str = "0000"
) -> str:
    """The 27 characters of TC260-PG-20252A: 00, 11, unified social credit code (18), role, application (4).

    Raises:
        ProviderCodeError: the parts do not make such a code.
    """
    return check_provider_code(f"0011{credit_code}{role}{application}")


def check_provider_code(code: str) -> str:
    """The code itself, when it has the right form.

    Raises:
        ProviderCodeError: it has not.
    """
    if not _PROVIDER.fullmatch(code):
        raise ProviderCodeError(
            f"Provider code {code!r} has {len(code)} characters or a wrong form; 27 are needed."
        )
    return code


@dataclass(frozen=True, slots=True)
class AigcLabel:
    """The implicit label of GB 45438-2025; the fields in the order of the standard.

    ``label``: 1 is, 2 may be, 3 is suspected to be generated.
    """

    label: str
    content_producer: str
    produce_id: str
    reserved_code1: str = ""
    content_propagator: str = ""
    propagate_id: str = ""
    reserved_code2: str = ""

    @classmethod
    def of_output(cls, *, credit_code: str, application: str, produce_id: str, reference: str) -> Self:
        """The label of a file that we made: producer and propagator are the same company.

        ``reference``: the log entry, or a digest of a signature.

        Raises:
            ProviderCodeError: company or application cannot be written as a provider code.
        """
        maker = provider_code(credit_code, application=application)
        sender = provider_code(credit_code, role=ProviderRole.PROPAGATION, application=application)
        return cls("1", maker, produce_id, reference, sender, produce_id)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The label that a JSON text says.

        Raises:
            AigcLabelError: it is too long, no object of strings, has a key twice or a first field empty.
        """
        if len(text.encode("utf-8", "replace")) > LABEL_MAX:
            raise AigcLabelError(f"The AIGC label has more than {LABEL_MAX} octets.")
        try:
            value = json.loads(text, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise AigcLabelError(f"The AIGC label is not JSON: {error}.") from error
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise AigcLabelError("The AIGC label is not an object of strings.")
        found = cls(**{field: value.get(key, "") for field, key in _KEYS.items()})
        if found.label not in {"1", "2", "3"} or not found.content_producer or not found.produce_id:
            raise AigcLabelError("The AIGC label lacks Label, ContentProducer or ProduceID.")
        return found

    def to_json(self) -> str:
        """The canonical text: seven strings in the order of the standard, no spaces, not ASCII-escaped.

        Raises:
            AigcLabelError: a value is not printable, a first field is empty, or all is too long.
        """
        value = {key: getattr(self, field) for field, key in _KEYS.items()}
        if not all(text.isprintable() for text in value.values()):
            raise AigcLabelError("The AIGC label has a character that cannot be printed.")
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > _WRITTEN_MAX:
            raise AigcLabelError(f"The AIGC label has more than {_WRITTEN_MAX} octets.")
        self.parse(text)
        return text


_KEYS = {
    "label": "Label",
    "content_producer": "ContentProducer",
    "produce_id": "ProduceID",
    "reserved_code1": "ReservedCode1",
    "content_propagator": "ContentPropagator",
    "propagate_id": "PropagateID",
    "reserved_code2": "ReservedCode2",
}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


# ---- writing ------------------------------------------------------------------------------------


def embed_label(data: bytes, label: AigcLabel, *, source: SourceType = SourceType.COMPOSITE) -> bytes:
    """A JPEG, PNG or WAV file with this label and source type; an older label is replaced.

    Raises:
        ContainerError: the octets are no such file, or not a whole one.
        AigcLabelError: the label cannot be written.
    """
    text = label.to_json()
    kind = containers.kind_of_octets(data)
    if not containers.takes_label_afterwards(kind):
        raise ContainerError(f"A file of kind {kind} takes its label while it is muxed, or not at all.")
    if kind is Kind.WAV:
        return _labelled_sound(data, text, source)
    write = _labelled_png if kind is Kind.PNG else _labelled_jpeg
    return write(data, xmp.packet(source, text))


def append_source(path: Path, source: SourceType = SourceType.COMPOSITE) -> None:
    """Add the IPTC digital source type to a finished MP4 or MOV file, as XMP; its label is elsewhere.

    Raises:
        ContainerError: it is another kind of file, or holds XMP already.
    """
    if containers.kind_of(path) not in containers.BOXES or mp4.packets(path):
        raise ContainerError(f"{path.name} is no MP4 or MOV file that takes XMP.")
    with path.open("ab") as file:
        file.write(mp4.packet_box(xmp.packet(source)))


def _labelled_png(data: bytes, packet: bytes) -> bytes:
    parts = list(pictures.png_chunks(data))
    payload = pictures.XMP_PNG_KEYWORD + b"\0\0\0\0\0" + packet
    old = {part for part in parts if _is_label_chunk(data, part)}
    labelled = _spliced(data, pictures.PNG_HEAD, old, pictures.png_chunk(b"iTXt", payload))
    return pictures.png_with_one_idat(labelled)


def _labelled_jpeg(data: bytes, packet: bytes) -> bytes:
    segments = list(pictures.jpeg_segments(data))
    leading = [part for part in segments if part.name == b"\xe0"]  # JFIF comes first where there is one
    old = {part for part, _ in pictures.jpeg_app1(data, pictures.XMP_JPEG_PREFIX)}
    exif = pictures.jpeg_app1(data, pictures.EXIF_JPEG_PREFIX)  # stays, unless it holds a label of its own
    old |= {part for part, block in exif if places.in_exif(block)}
    new = pictures.jpeg_segment(0xE1, pictures.XMP_JPEG_PREFIX + packet)
    return _spliced(data, leading[-1].end if leading else 2, old, new)


def _labelled_sound(data: bytes, text: str, source: SourceType) -> bytes:
    file = io.BytesIO(data)
    old = {part for part in riff.top_level(file) if part.name in riff.XMP or riff.labelled(file, part)}
    return riff.with_chunks(file, old, [(riff.LABEL, text.encode()), (b"_PMX", xmp.packet(source))])


def _spliced(data: bytes, at: int, old: set[pictures.Part], new: bytes) -> bytes:
    out, copied = [], 0
    for start, end, text in sorted([(part.start, part.end, b"") for part in old] + [(at, at, new)]):
        out += [data[copied:start], text]
        copied = end
    return b"".join([*out, data[copied:]])


def _is_label_chunk(data: bytes, part: pictures.Part) -> bool:
    if part.name == b"eXIf":
        return bool(places.in_exif(data[part.payload : part.end - 4]))
    found = pictures.png_text(data, part)
    return found is not None and found[0] in {pictures.XMP_PNG_KEYWORD, places.KEY.encode()}


# ---- reading ------------------------------------------------------------------------------------


class AigcState(StrEnum):
    """Whether a file carries the label."""

    PRESENT = "present"
    ABSENT = "absent"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class AigcRead:
    """What was found; ``text`` is the JSON as it stands in the file, ``reason`` what is wrong with it."""

    state: AigcState
    label: AigcLabel | None = None
    text: str = ""
    reason: str = ""


def read_label(path: Path) -> AigcRead:
    """The AIGC label of a file of any known kind; two copies, or one that cannot be read, are malformed."""
    try:
        texts = places.labels(path)
    except ContainerError as error:
        return AigcRead(AigcState.ABSENT, reason=str(error))
    except AigcLabelError as error:
        return AigcRead(AigcState.MALFORMED, reason=str(error))
    if not texts:
        return AigcRead(AigcState.ABSENT)
    if len(texts) > 1:
        return AigcRead(AigcState.MALFORMED, reason=f"The file has {len(texts)} AIGC labels.")
    try:
        text = texts[0].decode()
        return AigcRead(AigcState.PRESENT, AigcLabel.parse(text), text)
    except (UnicodeDecodeError, AigcLabelError) as error:
        return AigcRead(AigcState.MALFORMED, reason=str(error))


def check_label(path: Path, text: str) -> AigcLabel:
    """Read a sealed file back and compare its label octet for octet.

    Raises:
        LabelLostError: it is missing, malformed or another.
    """
    found = read_label(path)
    if found.label is None:
        raise LabelLostError(f"The AIGC label of {path.name} is {found.state}. {found.reason}".rstrip())
    if found.text != text:
        raise LabelLostError(f"The AIGC label of {path.name} is not the one that was written.")
    return found.label
