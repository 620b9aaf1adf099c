"""What can go wrong with a mark; every class has a stable ``code`` and a ``hint`` that says what to do next.

WatermarkError
├── WeakKeyError            the master secret is missing or too short
├── MarkIdError             the id is zero or not 64 bits
├── UnsupportedFrameError   size, shape or type of the frames cannot carry the mark
├── UnsupportedSoundError   rate, channels or samples of a sound cannot carry the mark
├── StrengthUnsetError      a frame came before the strength of the clip was set
├── LabelTextError          the visible text lacks what GB 45438-2025 asks for, or cannot be drawn
├── LabelSizeError          the visible label does not fit the picture
├── LabelPlacementError     a face touches every place where the label may stand
├── LabelPolicyError        marks that the law of the place does not allow, or a profile that does not exist
├── TerritoryError          a territory that is none
├── ProviderCodeError       the AIGC provider code is not 27 characters of the right kind
├── AigcLabelError          an AIGC label cannot be written as given
├── ContainerError          the file is not a picture or clip that can carry metadata
├── CredentialError         content credentials cannot be made or signed
├── UnreadableError         the file cannot be decoded
├── DecodeLimitError        the detector was asked for more decodes than its bound allows
└── ReadBackError           a sealed file does not give its marks back
    ├── MarkUnreadableError
    ├── SoundLostError
    ├── VisibleLabelLostError
    ├── LabelLostError
    └── CredentialInvalidError
"""

from __future__ import annotations

from typing import ClassVar


class WatermarkError(Exception):
    """Root of every error of this package."""

    code: ClassVar[str] = "watermark.error"
    hint: ClassVar[str] = "Read the message; no marked file was delivered."


class WeakKeyError(WatermarkError):
    """The master secret is missing or shorter than 32 octets."""

    code = "watermark.weak_key"
    hint = "Give the mark keys a random master secret of 32 octets or more."


class MarkIdError(WatermarkError):
    """A mark id must be a random, non-zero 64-bit number."""

    code = "watermark.mark_id"
    hint = "Draw the id with new_mark_id() and keep it with the job."


class UnsupportedFrameError(WatermarkError):
    """Frames of this size, shape or type cannot carry the mark."""

    code = "watermark.unsupported_frame"
    hint = "Use 8-bit luma, short side 240 px or more, not taller than 2.84 : 1 nor wider than 3.79 : 1."


class UnsupportedSoundError(WatermarkError):
    """Sound of this rate, number of channels, type or value cannot carry the mark."""

    code = "watermark.unsupported_sound"
    hint = "Give finite float32 samples, 1 to 8 channels, at 8 to 192 kHz."


class StrengthUnsetError(WatermarkError):
    """A frame was to be marked before the strength of the clip was set."""

    code = "watermark.strength_unset"
    hint = "Call servo() once a clip, or hand over the strength that was found at planning time."


class LabelTextError(WatermarkError):
    """The text of the visible label breaks GB 45438-2025, 5.2, or has a glyph that the font lacks."""

    code = "watermark.label_text"
    hint = "Name AI or 人工智能, and 生成 or 合成, in characters that the built-in font can draw."


class LabelSizeError(WatermarkError):
    """The visible label, at its lawful size, does not fit the picture."""

    code = "watermark.label_size"
    hint = "Shorten the text of the label."


class LabelPlacementError(WatermarkError):
    """Faces touch every place where the visible label may stand."""

    code = "watermark.label_placement"
    hint = "Use footage that leaves a corner free of faces."


class LabelPolicyError(WatermarkError):
    """The marks are not those that the law of the place asks for, or the profile does not exist."""

    code = "watermark.label_policy"
    hint = "Leave the marks to the profile of the territory; they can be raised, never lowered."


class TerritoryError(WatermarkError):
    """The territory is not two capital letters (ISO 3166-1, or EU)."""

    code = "watermark.territory"
    hint = "Give a territory of the catalogue, such as CN or EU."


class ProviderCodeError(WatermarkError):
    """The provider code is not 27 characters of the form that TC260-PG-20252A asks for."""

    code = "watermark.provider_code"
    hint = "Build it with provider_code(credit_code, ...) from the 18-character unified social credit code."


class AigcLabelError(WatermarkError):
    """The AIGC label cannot be written as given."""

    code = "watermark.aigc_label"
    hint = "All seven values are strings; Label, ContentProducer and ProduceID are not empty."


class ContainerError(WatermarkError):
    """The file is not of a kind that carries our metadata, or is broken."""

    code = "watermark.container"
    hint = "Give a whole file: JPEG, PNG, WAV, MP4, MOV, Matroska or WebM."


class CredentialError(WatermarkError):
    """Content credentials could not be made or signed."""

    code = "watermark.credential"
    hint = "Check the certificate chain, the signing key and the file."


class UnreadableError(WatermarkError):
    """Nothing that is looked for, picture or sound, can be decoded from the file."""

    code = "watermark.unreadable"
    hint = "Give a picture, a clip or a recording that a player can open."


class DecodeLimitError(WatermarkError):
    """More decodes were asked for than the false-positive bound allows."""

    code = "watermark.decode_limit"
    hint = "Try fewer keys at once, or raise max_decodes and accept the larger bound."


class ReadBackError(WatermarkError):
    """A sealed file does not give one of its marks back; it must not be delivered."""

    code = "watermark.read_back"
    hint = "Seal the output again; the file was not delivered."


class MarkUnreadableError(ReadBackError):
    """The invisible mark cannot be read, or names another id."""

    code = "watermark.mark_unreadable"
    hint = "Render again with the robust profile; a clip without any texture cannot carry the mark."


class SoundLostError(ReadBackError):
    """The sound mark or the audible label cannot be found in the file, though the sound could carry it."""

    code = "watermark.sound_lost"
    hint = "Seal the output again; nothing may change its sound after the mark was put in."


class VisibleLabelLostError(ReadBackError):
    """The visible label is not on the frames."""

    code = "watermark.visible_label_lost"
    hint = "Render again; the label must be blended into every frame before the encoder."


class LabelLostError(ReadBackError):
    """The AIGC label in the metadata is missing or differs from what was written."""

    code = "watermark.label_lost"
    hint = "Mux with use_metadata_tags: without it the key is dropped silently."


class CredentialInvalidError(ReadBackError):
    """The content credential is missing, invalid, not trusted by our root, or names another mark."""

    code = "watermark.credential_invalid"
    hint = "Sign last, after every other change to the file, with a chain that the given root trusts."
