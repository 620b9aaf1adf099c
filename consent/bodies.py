"""What the API takes and what it gives: shapes only, the rules are in ``services`` and below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework import serializers

from consent import selectors
from consent.models import BlockList, Consent, Role
from consent.terms import LicenceTerms, Representative, SeparateConsent

# ---- requests


class MomentField(serializers.CharField):
    """A date and time with its offset; a time without one would be guessed."""

    def to_internal_value(self, data: Any) -> Any:
        """Parse RFC 3339."""
        text = super().to_internal_value(data)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise serializers.ValidationError("Give a date and time with offset: 2026-12-01T00:00:00+08:00.")
        return moment


class ReasonBody(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=500)


class ApproveBody(serializers.Serializer[Any]):
    """In which role."""

    role = serializers.ChoiceField(choices=Role.choices)


class EraseBody(serializers.Serializer[Any]):
    """The name or the id of the person, once more: an erasure is never undone."""

    confirmation = serializers.CharField(max_length=60)


class IdentityBody(serializers.Serializer[Any]):
    """A person to enrol, as multipart; ``portraits`` may be there several times."""

    name = serializers.CharField()
    status = serializers.CharField()
    kind = serializers.CharField(default="likeness")
    portraits = serializers.ListField(child=serializers.FileField(allow_empty_file=True), max_length=20)


class PortraitBody(serializers.Serializer[Any]):
    """One more portrait, as multipart."""

    portrait = serializers.FileField(allow_empty_file=True)


class BlockBody(serializers.Serializer[Any]):
    """A face to block: a picture or an identity."""

    image = serializers.FileField(required=False, allow_empty_file=True)
    identity = serializers.CharField(required=False)
    reason = serializers.CharField(max_length=500)
    list = serializers.ChoiceField(choices=BlockList.choices, default=BlockList.DENIED)


class _Closed(serializers.Serializer[Any]):
    """A nested object; the parser refuses unknown keys at the top only."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError(
                {name: ["This field does not exist."] for name in unknown}, code="unknown_field"
            )
        return super().to_internal_value(data)


class SeparateConsentBody(_Closed):
    """One consent that the subject gave on its own."""

    code = serializers.CharField()
    text_sha256 = serializers.CharField()
    lang = serializers.CharField()
    at = MomentField()


class RepresentativeBody(_Closed):
    """Who signed for a deceased person."""

    name = serializers.CharField()
    evidence_sha256 = serializers.CharField()


class ConsentBody(serializers.Serializer[Any]):
    """The terms of a licence for an enrolled identity; catalogues are closed, see the licence schema."""

    identity = serializers.CharField()
    operations = serializers.ListField(child=serializers.CharField())
    purposes = serializers.ListField(child=serializers.CharField())
    channels = serializers.ListField(child=serializers.CharField())
    territories = serializers.ListField(child=serializers.CharField())
    languages = serializers.ListField(child=serializers.CharField())
    not_before = MomentField()
    not_after = MomentField()
    separate_consents = SeparateConsentBody(many=True)
    signed_by = serializers.CharField()
    signed_at = MomentField()
    text_sha256 = serializers.CharField()
    intended_use = serializers.CharField()
    max_seconds = serializers.IntegerField(required=False)
    max_outputs = serializers.IntegerField(required=False)
    products_excluded = serializers.ListField(child=serializers.CharField(), required=False)
    prohibited = serializers.ListField(child=serializers.CharField(), required=False)
    representative = RepresentativeBody(required=False, allow_null=True)
    live_stream = serializers.BooleanField(required=False)
    training_use = serializers.BooleanField(required=False)
    pre_approval = serializers.CharField(required=False)
    visible_label = serializers.CharField(required=False)
    label_whole_clip = serializers.BooleanField(required=False)
    unlabelled_export = serializers.BooleanField(required=False)
    law = serializers.ListField(child=serializers.CharField(), required=False)
    lang = serializers.CharField(required=False)
    sample = serializers.BooleanField(required=False)

    def terms(self) -> LicenceTerms:
        """The terms, after ``is_valid``; what is left out has its default."""
        given = {name: value for name, value in self.validated_data.items() if name != "identity"}
        given["separate_consents"] = [SeparateConsent(**item) for item in given["separate_consents"]]
        if given.get("representative") is not None:
            given["representative"] = Representative(**given["representative"])
        return LicenceTerms(**given)


# ---- answers


class PortraitAnswer(serializers.Serializer[Any]):
    """One enrolled picture."""

    id = serializers.CharField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    bytes = serializers.IntegerField(read_only=True)
    quality = serializers.JSONField(read_only=True)
    created = serializers.DateTimeField(read_only=True)


class IdentityAnswer(serializers.Serializer[Any]):
    """One person."""

    id = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    status = serializers.CharField(read_only=True)
    kind = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    erased = serializers.DateTimeField(read_only=True, allow_null=True)
    portraits = PortraitAnswer(many=True, read_only=True)


class ApprovalAnswer(serializers.Serializer[Any]):
    """One person's yes."""

    role = serializers.CharField(read_only=True)
    person = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)


class ConsentAnswer(serializers.Serializer[Any]):
    """One consent, without its document."""

    id = serializers.CharField(read_only=True)
    identity = serializers.CharField(source="identity_id", read_only=True)
    kind = serializers.CharField(source="identity.kind", read_only=True)
    state = serializers.CharField(source="standing", read_only=True)
    revision = serializers.IntegerField(read_only=True)
    epoch = serializers.IntegerField(read_only=True)
    document_sha256 = serializers.CharField(read_only=True)
    not_before = serializers.DateTimeField(read_only=True)
    not_after = serializers.DateTimeField(read_only=True)
    sample = serializers.BooleanField(read_only=True)
    submitted_by = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    approvals = ApprovalAnswer(many=True, read_only=True)
    missing_approvals = serializers.SerializerMethodField()

    def get_missing_approvals(self, row: Consent) -> list[str]:
        """The roles that still have to approve."""
        return list(selectors.missing_approvals(row)) if row.state == "in_review" else []


class StepAnswer(serializers.Serializer[Any]):
    """One step of a consent; ``index`` is its place in the log."""

    at = serializers.DateTimeField(read_only=True)
    what = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    person = serializers.CharField(read_only=True)
    role = serializers.CharField(read_only=True)
    reason = serializers.CharField(read_only=True)
    index = serializers.IntegerField(read_only=True, allow_null=True)


class ConsentDetailAnswer(ConsentAnswer):
    """One consent, with its licence document and its timeline."""

    document = serializers.DictField(read_only=True)
    history = StepAnswer(many=True, read_only=True)


class ProspectAnswer(serializers.Serializer[Any]):
    """What an erasure would destroy now; while ``blocked``, it is refused."""

    identity = serializers.CharField(source="identity.id", read_only=True)
    name = serializers.CharField(source="identity.name", read_only=True)
    erased = serializers.DateTimeField(source="identity.erased", read_only=True, allow_null=True)
    blocked = serializers.BooleanField(read_only=True)
    in_force = serializers.IntegerField(read_only=True)
    portraits = serializers.IntegerField(read_only=True)
    documents = serializers.IntegerField(read_only=True)
    details = serializers.IntegerField(read_only=True)


class ErasedAnswer(serializers.Serializer[Any]):
    """How much was erased; all zero when the person had been erased before."""

    portraits = serializers.IntegerField(read_only=True)
    keys = serializers.IntegerField(read_only=True)
    documents = serializers.IntegerField(read_only=True)
    details = serializers.IntegerField(read_only=True)
    outputs = serializers.IntegerField(read_only=True)


class DisclosureAnswer(serializers.Serializer[Any]):
    """The words that an entry commits to: SHA-256 over the salt and these very bytes is its ``detail``."""

    salt = serializers.CharField(read_only=True)
    jcs = serializers.CharField(read_only=True)


class BlockAnswer(serializers.Serializer[Any]):
    """One entry of the block list; never its picture or template."""

    id = serializers.CharField(read_only=True)
    list = serializers.CharField(read_only=True)
    identity = serializers.CharField(source="identity_id", read_only=True, allow_null=True)
    reason = serializers.CharField(read_only=True)
    added_by = serializers.CharField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
