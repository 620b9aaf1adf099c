import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent import licence, terms
from consent.catalogue import LANGUAGES, TERRITORIES, Channel, Operation, Product, Purpose
from consent.errors import LicenceInvalidError, LicenceTamperedError
from consent.licence import Use

SEED = bytes(range(32))
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HASH = "a" * 64
TERMS = terms.LicenceTerms(
    operations=["face_swap", "lip_sync"],
    purposes=["product_explainer", "customer_service"],
    channels=["branch_screen", "website"],
    territories=["CN"],
    languages=["zh", "en"],
    not_before=NOW - timedelta(days=1),
    not_after=NOW + timedelta(days=365),
    separate_consents=[
        terms.SeparateConsent("PIPL29_FACE", HASH, "zh-CN", NOW),
        terms.SeparateConsent("DEEPSYN14_EDIT", HASH, "zh-CN", NOW),
    ],
    signed_by="欧阳䶮",
    signed_at=NOW,
    text_sha256=HASH,
    intended_use="本行网点屏幕中的产品讲解视频。",
    products_excluded=["stock", "crypto"],
    sample=True,
)
PARTY = terms.Party(
    "idn_" + "1" * 16, "sub_" + "2" * 16, "欧阳䶮", "living", "likeness", "示例银行", [HASH, "b" * 64]
)
USE = Use("face_swap", "product_explainer", "branch_screen", "CN", "zh", seconds=30)


def build(**changes: Any) -> licence.Licence:
    return terms.build(replace(TERMS, **changes), PARTY, licence_id="con_" + "3" * 16)


def document() -> dict[str, Any]:
    return copy.deepcopy(dict(build().document))


def put(document: Any, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for step in way:
        document = document[int(step) if step.isdigit() else step]
    if value is DELETE:
        del document[last]
    else:
        document[int(last) if last.isdigit() else last] = value


DELETE = object()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("surprise", 1, "$.surprise"),
        ("grant.surprise", 1, "$.grant.surprise"),
        ("material.0.surprise", 1, "$.material[0].surprise"),
        ("term", DELETE, "$.term"),
        ("term.not_after", DELETE, "$.term.not_after"),
        ("sample", DELETE, "$.sample"),
        ("sample", 1, "$.sample"),
        ("revision", 1.0, "$.revision"),
        ("revision", True, "$.revision"),
        ("revision", 0, "$.revision"),
        ("grant.max_outputs", 2.5, "$.grant.max_outputs"),
        ("grant.max_seconds_per_output", float("nan"), "$.grant.max_seconds_per_output"),
        ("grant.max_seconds_per_output", "600", "$.grant.max_seconds_per_output"),
        ("grant.operations", [], "$.grant.operations"),
        ("grant.purposes", [], "$.grant.purposes"),
        ("grant.purposes", "marketing", "$.grant.purposes"),
        ("grant.purposes", ["other"], "$.grant.purposes[0]"),
        ("grant.channels", ["website", "website"], "$.grant.channels[1]"),
        ("grant.territories", ["cn"], "$.grant.territories[0]"),
        ("grant.languages", [None], "$.grant.languages[0]"),
        ("grant.intended_use_text", "", "$.grant.intended_use_text"),
        ("grant.labels.may_remove", True, "$.grant.labels.may_remove"),
        ("grant.labels.invisible", False, "$.grant.labels.invisible"),
        ("grant.labels.duration", "opening", "$.grant.labels.duration"),
        ("grant.labels.duration", True, "$.grant.labels.duration"),
        ("grant.labels.unlabelled_export", False, "$.grant.labels.unlabelled_export"),
        ("grant.labels.unlabelled_export", "yes", "$.grant.labels.unlabelled_export"),
        ("grant.labels.shown", True, "$.grant.labels.shown"),
        ("grant.operations", ["performance"], "$.grant.operations"),
        ("grant.operations", ["face_swap", "performance"], "$.grant.operations"),
        ("kind", "performer", "$.grant.operations"),
        ("kind", "voice", "$.kind"),
        ("grant.operations", ["voice"], "$.grant.operations[0]"),
        ("separate_consents.0.given", False, "$.separate_consents[0].at"),
        ("separate_consents.1.code", "PIPL29_FACE", "$.separate_consents[1]"),
        ("grant.training_use", True, "$.grant.training_use"),
        ("material", [], "$.material"),
        ("material.0.sha256", "A" * 64, "$.material[0].sha256"),
        ("term.not_after", "2026-11-19T12:00:00+00:00", "$.term.not_after"),
        ("term.not_after", "2027-02-30T12:00:00+00:00", "$.term.not_after"),
        ("term.not_after", "2027-01-01T12:00:00", "$.term.not_after"),
        ("term.not_after", None, "$.term.not_after"),
        ("term.not_before", "0001-01-01T00:00:00+14:00", "$.term.not_before"),
        ("term.not_after", "9999-12-31T23:59:59-12:00", "$.term.not_after"),
        ("grant.intended_use_text", "\ud800", "$.grant.intended_use_text"),
        ("grant.labels.visible", "AI\x00", "$.grant.labels.visible"),
        ("subject.status", "minor", "$.subject.status"),
        ("subject.status", "deceased", "$.subject.representative"),
        ("subject.name", "", "$.subject.name"),
        ("subject.name", " 王", "$.subject.name"),
        ("subject.name", "王\u200b五", "$.subject.name"),
        ("subject.name", "\u202e五", "$.subject.name"),
        ("subject.name", "⽅五", "$.subject.name"),
        ("subject.name", "e\u0301", "$.subject.name"),
        ("signed.by", "王\u200b五", "$.signed.by"),
        ("compensation.amount", 20000, "$.compensation.amount"),
        ("type", "likeness.licence/2", "$.type"),
    ],
)  # fmt: skip
def test_document_outside_the_closed_world_is_refused_by_path(path, value, named):
    broken = document()
    put(broken, path, value)
    with pytest.raises(LicenceInvalidError) as caught:
        licence.check(broken)
    assert named in caught.value.fields


@pytest.mark.parametrize("value", [None, [], "text", 1, {}])
def test_document_that_is_no_licence_is_refused(value):
    with pytest.raises(LicenceInvalidError):
        licence.check(value)


def test_operation_without_its_consent_says_which():
    with pytest.raises(LicenceInvalidError) as caught:
        build(operations=["voice"])
    assert caught.value.code == "consent_missing"
    assert "VOICE_CLONE" in str(caught.value)


def test_naive_term_is_refused():
    with pytest.raises(LicenceInvalidError):
        build(not_after=datetime(2027, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{}" + b" " * 70_000,
        json.dumps(document(), ensure_ascii=False, indent=1).encode(),
        build().canonical.replace(b'"revision":1', b'"revision":1,"revision":1'),
        build().canonical + b"\n",
    ],
)
def test_bytes_that_are_not_canonical_are_refused(data):
    with pytest.raises(LicenceInvalidError):
        licence.parse(data)


def test_canonical_bytes_come_back():
    assert licence.parse(build().canonical) == build()


def test_signed_bytes_open():
    made = build()
    signature = licence.sign(made, seed=SEED)
    opened = licence.open_signed(
        made.canonical, sha256=made.sha256, signature=signature, public=licence.public_key(SEED)
    )
    assert opened == made


def test_edited_bytes_foreign_signature_or_foreign_key_is_tampering():
    made, wider = build(), build(channels=["branch_screen", "website", "mobile_app"])
    signature, public = licence.sign(made, seed=SEED), licence.public_key(SEED)
    for data, sha256, mark, key in (
        (wider.canonical, made.sha256, signature, public),
        (wider.canonical, wider.sha256, signature, public),
        (made.canonical, made.sha256, bytes(64), public),
        (made.canonical, made.sha256, b"", public),
        (made.canonical, made.sha256, signature, licence.public_key(bytes(32))),
    ):
        with pytest.raises(LicenceTamperedError):
            licence.open_signed(data, sha256=sha256, signature=mark, public=key)


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({}, ()),
        ({"product": "loans"}, ()),
        ({"operation": "voice"}, ("scope.operation",)),
        ({"operation": "other"}, ("scope.operation",)),
        ({"purpose": "marketing"}, ("scope.purpose",)),
        ({"purpose": ""}, ("scope.purpose",)),
        ({"channel": "mobile_app"}, ("scope.channel",)),
        ({"territory": "US"}, ("scope.territory",)),
        ({"language": "zh-CN"}, ("scope.language",)),
        ({"product": "crypto"}, ("scope.product",)),
        ({"product": "lottery"}, ("scope.product",)),
        ({"seconds": 601}, ("scope.seconds",)),
        ({"seconds": 0}, ("scope.seconds",)),
        ({"seconds": -5}, ("scope.seconds",)),
        ({"seconds": float("nan")}, ("scope.seconds",)),
        ({"seconds": True}, ("scope.seconds",)),
        ({"live": True}, ("scope.live",)),
        ({"live": 0}, ("scope.live",)),
        ({"purpose": "marketing", "channel": "internal"}, ("scope.purpose", "scope.channel")),
    ],
)
def test_use_is_refused_with_each_reason(change, reasons):
    assert licence.permits(build(), replace(USE, **change), NOW) == reasons


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        (NOW - timedelta(days=1), ()),
        (NOW - timedelta(days=1, seconds=1), ("licence.not_yet",)),
        (NOW + timedelta(days=365), ()),
        (NOW + timedelta(days=365, seconds=1), ("licence.expired",)),
        (NOW.replace(tzinfo=None), ("licence.clock",)),
    ],
)
def test_term_holds_from_its_first_to_its_last_second(now, reasons):
    assert licence.permits(build(), USE, now) == reasons


words = st.text(max_size=12)
uses = st.builds(
    Use,
    operation=st.sampled_from([*Operation, "other"]) | words,
    purpose=st.sampled_from([*Purpose, "other"]) | words,
    channel=st.sampled_from([*Channel]) | words,
    territory=st.sampled_from(sorted(TERRITORIES)) | words,
    language=st.sampled_from(sorted(LANGUAGES)) | words,
    seconds=st.integers(-10, 1300),
    product=st.sampled_from(["", *Product]) | words,
    live=st.booleans(),
)
subsets = st.builds(
    build,
    operations=st.lists(st.sampled_from(["face_swap", "enhance", "lip_sync"]), min_size=1, unique=True),
    purposes=st.lists(st.sampled_from([str(p) for p in Purpose]), min_size=1, unique=True),
    channels=st.lists(st.sampled_from([str(c) for c in Channel]), min_size=1, unique=True),
    territories=st.lists(st.sampled_from(sorted(TERRITORIES)), min_size=1, unique=True),
    languages=st.lists(st.sampled_from(sorted(LANGUAGES)), min_size=1, unique=True),
    products_excluded=st.lists(st.sampled_from([str(p) for p in Product]), unique=True),
    max_seconds=st.integers(1, 1200),
    live_stream=st.booleans(),
)
moments = st.integers(-3, 368).map(lambda days: NOW + timedelta(days=days))


@given(made=subsets, use=uses, now=moments)
def test_nothing_is_permitted_that_is_not_listed(made, use, now):
    grant = made.document["grant"]
    holds = (
        use.operation in grant["operations"]
        and use.purpose in grant["purposes"]
        and use.channel in grant["channels"]
        and use.territory in grant["territories"]
        and use.language in grant["languages"]
        and use.product in {"", *Product} - set(grant["products_excluded"])
        and 1 <= use.seconds <= grant["max_seconds_per_output"]
        and (not use.live or grant["live_stream"])
        and made.not_before <= now <= made.not_after
    )
    assert (licence.permits(made, use, now) == ()) == holds


@given(made=subsets)
def test_document_round_trips_through_its_bytes(made):
    assert licence.parse(made.canonical).canonical == made.canonical


def test_labels_say_more_only_where_they_ask_for_more() -> None:
    plain = build().document["grant"]["labels"]
    more = build(label_whole_clip=True, unlabelled_export=True).document["grant"]["labels"]
    assert set(plain) == {"visible", "invisible", "may_remove"}
    assert (more["duration"], more["unlabelled_export"]) == ("clip", True)
