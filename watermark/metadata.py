"""The label in the metadata: the AIGC JSON of GB 45438-2025 and the IPTC digital source type.

One JSON object a file, one copy of it. JPEG and PNG hold it in XMP (TC260-PG-20259A); MP4 under the key
``AIGC`` of ``moov.udta.meta`` (TC260-PG-20257A): the engine's muxer writes it, here are text and reader.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from watermark import containers, mp4
from watermark.containers import Kind
from watermark.errors import AigcLabelError, ContainerError, LabelLostError, ProviderCodeError

LABEL_MAX = 64 * 1024
"""Octets; a longer label is malformed."""
MP4_KEY = "AIGC"
_WRITTEN_MAX = 32 * 1024  # XML escapes and the frame around it must fit one JPEG segment
_NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_ELEMENT = f"{{{_NAMESPACE}}}AIGC"
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
    """A JPEG or PNG file with this label and source type in its XMP; an older label is replaced.

    Raises:
        ContainerError: the octets are not a whole JPEG or PNG file.
        AigcLabelError: the label cannot be written.
    """
    packet = _xmp(label.to_json(), source)
    kind = containers.kind_of_octets(data)
    if kind is Kind.MP4:
        raise ContainerError("An MP4 file takes its label while it is muxed, not afterwards.")
    if kind is Kind.PNG:
        payload = containers.XMP_PNG_KEYWORD + b"\0\0\0\0\0" + packet
        parts = list(containers.png_chunks(data))
        old = {part for part in parts if _is_label_chunk(data, part)}
        return _spliced(data, 33, old, containers.png_chunk(b"iTXt", payload))  # IHDR ends at 33
    segments = list(containers.jpeg_segments(data))
    leading = [part for part in segments if part.name == b"\xe0"]  # JFIF comes first where there is one
    at = leading[-1].end if leading else 2
    old = {part for part in segments if _is_xmp_segment(data, part)}
    return _spliced(data, at, old, containers.jpeg_segment(0xE1, containers.XMP_JPEG_PREFIX + packet))


def _spliced(data: bytes, at: int, old: set[containers.Part], new: bytes) -> bytes:
    out, copied = [], 0
    for start, end, text in sorted([(part.start, part.end, b"") for part in old] + [(at, at, new)]):
        out += [data[copied:start], text]
        copied = end
    return b"".join([*out, data[copied:]])


def _is_label_chunk(data: bytes, part: containers.Part) -> bool:
    found = containers.png_text(data, part)
    return found is not None and found[0] in {containers.XMP_PNG_KEYWORD, b"AIGC"}


def _is_xmp_segment(data: bytes, part: containers.Part) -> bool:
    return part.name == b"\xe1" and data[part.payload : part.end].startswith(containers.XMP_JPEG_PREFIX)


def _xmp(text: str, source: SourceType) -> bytes:
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        f' xmlns:TC260="{_NAMESPACE}" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"<TC260:AIGC>{escape(text)}</TC260:AIGC>"
        f"<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


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
    """The AIGC label of a JPEG, PNG or MP4 file; two copies, or one that cannot be read, are malformed."""
    try:
        texts = _texts(path)
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


def _texts(path: Path) -> list[bytes]:
    kind = containers.kind_of(path)
    if kind is Kind.MP4:
        return [value for key, value in mp4.metadata(path) if key == MP4_KEY]
    data = containers.load_picture(path)
    if kind is Kind.PNG:
        pairs = [pair for part in containers.png_chunks(data) if (pair := containers.png_text(data, part))]
        plain = [text for keyword, text in pairs if keyword == b"AIGC"]
        packets = [text for keyword, text in pairs if keyword == containers.XMP_PNG_KEYWORD]
    else:
        prefix, plain = len(containers.XMP_JPEG_PREFIX), []
        segments = [part for part in containers.jpeg_segments(data) if _is_xmp_segment(data, part)]
        packets = [data[part.payload + prefix : part.end] for part in segments]
    return plain + [text for packet in packets for text in _labels_in_xmp(packet)]


def _labels_in_xmp(packet: bytes) -> list[bytes]:
    """AIGC properties of one packet; entities and document types are refused, nothing is ever resolved."""
    if len(packet) > containers.METADATA_MAX:
        raise AigcLabelError("The XMP packet is too large.")
    try:
        root = fromstring(packet, forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError) as error:
        if _NAMESPACE.encode() not in packet:
            return []  # someone else's broken XMP says nothing about our label
        raise AigcLabelError(f"The XMP packet cannot be read: {type(error).__name__}.") from error
    found = [element.text or "" for element in root.iter(_ELEMENT)]
    found += [element.attrib[_ELEMENT] for element in root.iter() if _ELEMENT in element.attrib]
    return [text.encode() for text in found]
