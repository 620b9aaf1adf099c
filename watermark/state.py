"""What is known of a hidden mark, in one word; the same words for picture and sound."""

from __future__ import annotations

from enum import StrEnum


class MarkState(StrEnum):
    """What is known of a hidden mark; ``not-run``: no keys, nothing to look at, or too little time."""

    PRESENT = "present"
    ABSENT = "absent"
    SUSPECTED = "suspected"
    NOT_RUN = "not-run"
