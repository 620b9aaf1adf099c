"""What can go wrong in the engine.

EngineError
├── WeightsError
│   ├── WeightsMissingError       a model file is not there
│   ├── WeightsAlteredError       its bytes are not the pinned ones
│   ├── WeightsUnknownError       no entry of that name
│   ├── WeightsEntryError         an entry of the registry is malformed or doubled
│   ├── WeightsSourceError        an artefact could not be fetched or read
│   ├── LicenceRefusedError       its licence is against the model policy
│   └── ContractMismatchError     inputs or outputs are not those of its contract
├── MediaError
│   ├── UnreadableMediaError      not media, truncated, no frames, no picture
│   ├── TooLargeError             over a limit, with limit and value
│   ├── UnsupportedMediaError     HDR, unknown geometry, undecodable audio
│   └── EncodeError               encoder or disk failed
├── FaceError
│   ├── NoFaceError               no face where one is needed
│   ├── AmbiguousTargetError      several faces and no mapping
│   ├── PortraitRefusedError      the enrolment gate's reasons and numbers
│   └── ModelOutputError          NaN or out-of-range model output
├── EmbeddingMismatchError        two vectors of different models
├── GuardAbortError               the guard said stop, or gave no verdict
└── CancelledError                the job was cancelled
"""

from __future__ import annotations

from collections.abc import Sequence


class EngineError(Exception):
    """Root of the engine's errors; ``code`` is stable, ``hint`` says what to do next."""

    code = "engine.error"
    hint = "See the job's log."


class WeightsError(EngineError):
    """A model file cannot be used."""

    code = "weights.error"
    hint = "Run `likeness weights check`."


class WeightsMissingError(WeightsError):
    """A model file is not there."""

    code = "weights.missing"
    hint = "Run `likeness weights pull starter`, or `likeness weights import DIR`."


class WeightsAlteredError(WeightsError):
    """A model file does not have the pinned bytes; it is left as it is."""

    code = "weights.altered"
    hint = "Move the file away and run `likeness weights pull starter`."


class WeightsUnknownError(WeightsError):
    """The registry has no model of that id."""

    code = "weights.unknown"
    hint = "Run `likeness weights list` for the ids."


class WeightsEntryError(WeightsError):
    """An entry of the registry is malformed, or two entries share an id or a file."""

    code = "weights.entry"
    hint = "Correct the table in weights.d."


class WeightsSourceError(WeightsError):
    """A pinned artefact could not be fetched or read."""

    code = "weights.source"
    hint = "Check pip's index settings, or import the artefacts from a directory."


class LicenceRefusedError(WeightsError):
    """A model's licence is against the model policy."""

    code = "weights.licence"
    hint = "Use a model whose licence allows commercial use, or set the research policy."


class ContractMismatchError(WeightsError):
    """A model's inputs or outputs are not those of its contract."""

    code = "weights.contract"
    hint = "Correct the model's contract in weights.d, or export the model again."


class MediaError(EngineError):
    """A media file cannot be used or written."""

    code = "media.error"
    hint = "Check the file with a player, then send it again."


class UnreadableMediaError(MediaError):
    """Not media, truncated, without frames or without a picture."""

    code = "media.unreadable"
    hint = "Check that the file plays, then send it again."


class TooLargeError(MediaError):
    """The media is over a limit; ``what`` names it, ``value`` and ``limit`` are in its unit."""

    code = "media.too_large"
    hint = "Cut or scale the file to the limit."

    def __init__(self, what: str, *, value: float, limit: float) -> None:
        super().__init__(f"{what} is {value:.12g}, the limit is {limit:.12g}.")
        self.what = what
        self.value = value
        self.limit = limit


class UnsupportedMediaError(MediaError):
    """A kind of media that the engine does not process."""

    code = "media.unsupported"
    hint = "Convert the file to 8-bit SDR H.264 with AAC sound."


class EncodeError(MediaError):
    """The output could not be written."""

    code = "media.encode"
    hint = "Check the free space and the log, then run the job again."


class FaceError(EngineError):
    """The faces in a picture are not what the work needs."""

    code = "face.error"
    hint = "Use a picture with one clear, frontal face."


class NoFaceError(FaceError):
    """No face where one is needed."""

    code = "face.none"
    hint = "Use a picture or clip with a clear face, at least 5 % of the picture wide."


class AmbiguousTargetError(FaceError):
    """Several faces, and nothing says which one is meant."""

    code = "face.ambiguous"
    hint = "Name the person whose face is replaced."


class PortraitRefusedError(FaceError):
    """A portrait failed the enrolment gate; ``failures`` has each reason with its number and limit."""

    code = "portrait.refused"
    hint = "Send a sharp, evenly lit, frontal portrait of one person."

    def __init__(self, message: str, *, failures: Sequence[object] = ()) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class ModelOutputError(FaceError):
    """A model gave NaN or numbers out of range."""

    code = "face.model_output"
    hint = "Run `likeness weights check`; if it passes, the frame is broken."


class EmbeddingMismatchError(EngineError):
    """Two vectors of different models were compared."""

    code = "embedding.mismatch"
    hint = "Re-embed the enrolled portraits with the loaded model."

    def __init__(self, mine: str, theirs: str) -> None:
        super().__init__(f"Embeddings of model {mine[:12]} and model {theirs[:12]} cannot be compared.")


class GuardAbortError(EngineError):
    """The guard stopped the work."""

    code = "guard.abort"
    hint = "The gate refused a face of the footage; see the reason code."

    def __init__(self, reason: str, *, frame: int) -> None:
        super().__init__(f"Frame {frame}: refused ({reason}).")
        self.reason = reason
        self.frame = frame


class CancelledError(EngineError):
    """The job was cancelled while it ran."""

    code = "job.cancelled"
    hint = "Submit the job again."
