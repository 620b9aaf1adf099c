"""What can be wrong with a script before anybody speaks it.

PresenterError
└── ScriptError                     the script cannot be spoken as it stands; says where
    ├── ScriptEmptyError            nothing is left to speak
    ├── ScriptTooLongError          more characters than one video holds
    ├── ScriptAmbiguousError        an amount, date or time with more than one reading, or none
    ├── ScriptCharacterError        control, zero-width, bidirectional or unspeakable characters
    └── SsmlInvalidError            not well-formed, an unknown element, or a value out of its range
"""

from __future__ import annotations


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
