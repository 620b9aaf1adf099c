"""XMP packets: ours written, anybody's read, without ever resolving an entity."""

from __future__ import annotations

from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from watermark.containers import METADATA_MAX
from watermark.errors import AigcLabelError

_NAMESPACE = "http://www.tc260.org.cn/ns/AIGC/1.0/"
_ELEMENT = f"{{{_NAMESPACE}}}AIGC"


def packet(source: str, text: str = "") -> bytes:
    """A packet with the IPTC digital source type and, when given, the AIGC label (TC260-PG-20259A)."""
    label = f"<TC260:AIGC>{escape(text)}</TC260:AIGC>" if text else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        f' xmlns:TC260="{_NAMESPACE}" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">'
        f"{label}"
        f"<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>"
        '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def labels(data: bytes) -> list[bytes]:
    """The AIGC properties of one packet; entities and document types are refused.

    Raises:
        AigcLabelError: it names our label and cannot be read, or is too large.
    """
    if len(data) > METADATA_MAX:
        raise AigcLabelError("The XMP packet is too large.")
    try:
        root = fromstring(data, forbid_dtd=True)
    except (DefusedXmlException, ParseError, ValueError) as error:
        if _NAMESPACE.encode() not in data:
            return []  # someone else's broken XMP says nothing about our label
        raise AigcLabelError(f"The XMP packet cannot be read: {type(error).__name__}.") from error
    found = [element.text or "" for element in root.iter(_ELEMENT)]
    found += [element.attrib[_ELEMENT] for element in root.iter() if _ELEMENT in element.attrib]
    return [text.encode() for text in found]
