"""What can go wrong in the engine.

EngineError
├── WeightsError
│   ├── WeightsMissingError       a model file is not there
│   ├── WeightsAlteredError       its bytes are not the pinned ones
│   ├── WeightsUnknownError       no entry of that name
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


class EngineError(Exception):
    """Root of the engine's errors; ``code`` is stable, ``hint`` says what to do next."""

    code = "engine.error"
    hint = "See the job's log."


class WeightsError(EngineError):
    """A model file cannot be used."""

    code = "weights.error"
    hint = "Run `likeness weights check`."


class MediaError(EngineError):
    """A media file cannot be used or written."""

    code = "media.error"
    hint = "Check the file with a player, then send it again."


class FaceError(EngineError):
    """The faces in a picture are not what the work needs."""

    code = "face.error"
    hint = "Use a picture with one clear, frontal face."


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
