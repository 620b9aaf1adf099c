"""What can go wrong between a script and its driving video.

PresenterError
├── ScriptError                     the script cannot be spoken as it stands; says where
│   ├── ScriptEmptyError            nothing is left to speak
│   ├── ScriptTooLongError          more characters than one video holds
│   ├── ScriptAmbiguousError        an amount, date or time with more than one reading, or none
│   ├── ScriptCharacterError        control, zero-width, bidirectional or unspeakable characters
│   └── SsmlInvalidError            not well-formed, an unknown element, or a value out of its range
├── SpeechError                     the script was not spoken
│   ├── SpeechUnavailableError      the engine is not installed or not configured
│   │   └── VoiceTableError         a table in voices.d is malformed
│   ├── VoiceMissingError           the engine has no such voice
│   ├── SpeechFailedError           the engine died, was too slow or refused
│   ├── SpeechTimesError            the sound is silent, or its times do not cover it
│   └── RecordingError              a recording cannot be used, or does not say the script
├── PlateRejectedError              the portrait cannot be driven; every failed check with its number
│   └── IdleRejectedError           the clip cannot be an idle loop
├── DrivingError                    another engine than the embedded one did not drive
│   ├── DrivingUnavailableError     it is not configured, or its weights or licence are missing
│   ├── DrivingFailedError          it died, was too slow or refused
│   └── DrivingMismatchError        its video has another length, size or rate than was asked for
├── SceneError                      the layout does not hold the person, the background or a subtitle
│   └── ScenesInvalidError          scenes of a request that cannot be used; says which field of which
├── TemplateInvalidError            a template, or the values for it, cannot be used; says which field
├── FilmError                       the driving video cannot be written
└── SyncUnmeasuredError             the finished file cannot be measured, so it does not go out
"""

from __future__ import annotations

from collections.abc import Mapping


class PresenterError(Exception):
    """Root of the presenter's errors; ``code`` is stable, ``hint`` says what to do next."""

    code = "presenter.error"
    hint = "See the job's record."


class ScriptError(PresenterError):
    """The script cannot be spoken as it stands; ``start`` and ``end`` are its characters, end exclusive."""

    code = "script_invalid"
    hint = "Change the script at the place named."

    def __init__(self, message: str, *, start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        self.start, self.end = start, end

    @property
    def fields(self) -> dict[str, list[str]]:
        """For an answer: what is wrong with the field, and where."""
        place = [f"characters {self.start + 1} to {self.end}"] if self.end else []
        return {"script": [str(self), *place]}


class ScriptEmptyError(ScriptError):
    """Nothing is left to speak."""

    code = "script_empty"
    hint = "Write at least one word that can be spoken."


class ScriptTooLongError(ScriptError):
    """More characters than one video holds."""

    code = "script_too_long"
    hint = "Split the script into several videos."


class ScriptAmbiguousError(ScriptError):
    """An amount, date or time with more than one reading, or none; ``readings`` are those it may have."""

    code = "script_ambiguous"
    hint = "Write it out, or say how to read it with <say-as> or <sub>."

    def __init__(self, message: str, *, start: int, end: int, readings: tuple[str, ...] = ()) -> None:
        super().__init__(message, start=start, end=end)
        self.readings = readings


class ScriptCharacterError(ScriptError):
    """Control, zero-width, bidirectional or unspeakable characters."""

    code = "script_character"
    hint = "Remove the character, or write in words what should be said."


class SsmlInvalidError(ScriptError):
    """The markup is not well-formed, names an unknown element, or has a value out of its range."""

    code = "ssml_invalid"
    hint = (
        "Use the elements speak, p, s, break, prosody, mark, bookmark, say-as, sub, phoneme, lang and voice."
    )


class SpeechError(PresenterError):
    """The script was not spoken."""

    code = "tts_failed"
    hint = "Try again; if it fails again, see the engine's own log."


class SpeechUnavailableError(SpeechError):
    """The engine is not installed or not configured."""

    code = "tts_unavailable"
    hint = "Install the extra likeness[espeak], or configure another engine."


class VoiceTableError(SpeechUnavailableError):
    """A table in ``voices.d`` is malformed: no voice is used until it is mended."""

    code = "voices_invalid"
    hint = "Correct the table in voices.d; `likeness voices` checks it."


class VoiceMissingError(SpeechError):
    """The engine has no such voice."""

    code = "voice_missing"
    hint = "Choose a voice that the engine has for this language."


class SpeechFailedError(SpeechError):
    """The engine died, was too slow or refused."""


class SpeechTimesError(SpeechError):
    """The sound is silent, or its times do not cover it: no video is made without sound it can follow."""


class RecordingError(SpeechError):
    """A recording cannot be used, or does not say the script; ``measured``: what was found, by name."""

    code = "recording_refused"
    hint = "Record the script as it is written, in a quiet room, without shouting into the microphone."

    def __init__(self, message: str, *, measured: Mapping[str, float] | None = None) -> None:
        super().__init__(message)
        self.measured = dict(measured or {})


class PlateRejectedError(PresenterError):
    """The portrait cannot be driven; ``failed``: check -> measured number."""

    code = "plate_rejected"
    hint = "Use a frontal, sharp portrait with the lips closed or a slight smile."

    def __init__(self, message: str, *, failed: Mapping[str, float]) -> None:
        super().__init__(message)
        self.failed = dict(failed)


class IdleRejectedError(PlateRejectedError):
    """The clip cannot be an idle loop; ``failed``: check -> measured number."""

    code = "idle_rejected"
    hint = "Film 10 to 20 seconds of one person who looks into the camera with the lips closed."


class DrivingError(PresenterError):
    """Another engine than the embedded one did not drive."""

    code = "driving_engine_failed"
    hint = "See the engine's own log; the embedded engine takes its place where that is allowed."


class DrivingUnavailableError(DrivingError):
    """The engine is not configured, or its weights or licence are missing."""

    code = "driving_unavailable"
    hint = "Configure the engine, or choose the embedded one."


class DrivingFailedError(DrivingError):
    """The engine died, was too slow or refused."""


class DrivingMismatchError(DrivingError):
    """The engine's video has another length, size or rate than was asked for."""

    code = "driving_mismatch"
    hint = "See the numbers; the engine must keep the template's frames, size and rate."


class SceneError(PresenterError):
    """The layout does not hold the person, the background or a subtitle."""

    code = "scene_invalid"
    hint = "Change the template's size, place or texts."


class ScenesInvalidError(SceneError):
    """The scenes of a request cannot be used; ``fields``: such as ``scenes.2.colour`` -> what is wrong."""

    code = "scenes_invalid"
    hint = "Correct the named fields; the first scene is number 0."

    def __init__(self, message: str, *, faults: Mapping[str, str]) -> None:
        super().__init__(f"{message} ({', '.join(sorted(faults))})")
        self.fields = {name: [text] for name, text in faults.items()}


class TemplateInvalidError(PresenterError):
    """A template, or the values for it, cannot be used; ``fields``: name -> what is wrong."""

    code = "template_invalid"
    hint = "Correct the named fields; a template's variables are given each once."

    def __init__(self, message: str, *, faults: Mapping[str, str]) -> None:
        super().__init__(f"{message} ({', '.join(sorted(faults))})")
        self.fields = {name: [text] for name, text in faults.items()}


class FilmError(PresenterError):
    """The driving video cannot be written."""

    code = "driving_failed"
    hint = "See whether the disk is full; then submit the job again."


class PackageError(PresenterError):
    """A stored performance is damaged or of another version."""

    code = "performance_unreadable"
    hint = "Submit the script again."


class SpliceError(PresenterError):
    """Frames of an earlier video cannot be taken over."""

    code = "splice_failed"
    hint = "Submit the script again without naming the earlier video."


class SyncUnmeasuredError(PresenterError):
    """The finished file cannot be measured, so it does not go out."""

    code = "sync_unmeasured"
    hint = "Look at the video: its face must be seen from the first frame on, and it must have sound."
