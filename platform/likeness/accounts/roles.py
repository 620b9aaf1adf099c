"""The roles and what each may do at the platform's own doors."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What somebody is trusted with; separation of duty is enforced by consent's tables."""

    REQUESTER = "requester"  # enrols, submits licences, asks for generations
    LEGAL = "legal"  # approves licences for the legal department
    BUSINESS = "business"  # approves licences for the business owner
    EXPERT = "expert"  # approves licences of people who cannot speak for themselves
    AUDITOR = "auditor"  # reads the log
    OPERATOR = "operator"  # runs the installation
