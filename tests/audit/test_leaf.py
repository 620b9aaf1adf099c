import hashlib
import json
import uuid
from dataclasses import dataclass, fields
from datetime import UTC, datetime

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit import events, leaf, merkle
from audit.errors import EventError, PersonalDataError
from audit.events import Actor
from audit.leaf import KeyKind

ACTOR = Actor("usr_0123456789abcdef", "demo", frozenset({"legal"}))
AT = datetime(2026, 11, 20, 7, 12, tzinfo=UTC)
ID = uuid.UUID("6f1c2d3e-0000-4000-8000-000000000001")
JOB = "3f1c2d3e-0000-4000-8000-00000000000a"


def encode(event, *, actor=ACTOR, at=AT, request=""):
    return leaf.encode(event, actor=actor, event_id=ID, at=at, request=request)


def failed(code):
    return events.GenerationFailed(job=JOB, code=code)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "two words",
        "换脸",
        "line\nfeed",
        "nul\x00",
        "\ud800",
        "x" * 257,
        None,
        True,
        1,
        1.5,
        b"bytes",
        ("tuple",),
    ],
)
def test_text_field_refuses_what_is_no_short_token(value):
    with pytest.raises(EventError, match="code"):
        encode(failed(value))


@pytest.mark.parametrize("value", [True, None, 1.0, float("nan"), "1", 2**53, -(2**53), (1,)])
def test_integer_field_refuses_what_is_no_integer_of_53_bits(value):
    with pytest.raises(EventError, match="attempt"):
        encode(events.GenerationCancelled(job=JOB, attempt=value))


@pytest.mark.parametrize("value", ["text", ["list"], ("ok", ""), ("ok", None), ("ok", 1), ("a",) * 257, None])
def test_list_field_refuses_what_is_no_tuple_of_tokens(value):
    with pytest.raises(EventError, match="reasons"):
        encode(events.GateDecided(job=JOB, stage="submit", decision="refuse", reasons=value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Impostor(events.Event):
    type = "generation.failed"
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(events.Event):
    type = "unknown.event"


@pytest.mark.parametrize(
    "event", [Unknown(), Impostor(job=JOB), object(), None, {"type": "generation.failed"}]
)
def test_unknown_event_is_refused(event):
    with pytest.raises(EventError):
        encode(event)


@pytest.mark.parametrize("actor", [Actor("", "demo"), Actor("usr_1", ""), Actor("Grace Hopper", "demo")])
def test_actor_must_be_tokens(actor):
    with pytest.raises(EventError):
        encode(failed("engine.no_face"), actor=actor)


def test_time_without_zone_is_refused():
    with pytest.raises(EventError, match="time zone"):
        encode(failed("engine.no_face"), at=datetime(2026, 11, 20))  # noqa: DTZ001 - the bad input


def test_body_beyond_65535_bytes_is_refused():
    many = tuple("x" * 256 for _ in range(256))
    with pytest.raises(EventError, match="65535"):
        encode(events.GateDecided(job=JOB, stage="s", decision="allow", inputs=many))


@pytest.mark.parametrize(
    "value",
    [
        "11010519491231002X",
        "subject-11010519491231002x",
        "440308199901101512",
        "13912345678",
        "+8613912345678",
        "139-1234-5678",
        "tel:+4915112345678",
        "grace@navy.example",
    ],
)
def test_personal_data_is_refused(value):
    with pytest.raises(PersonalDataError):
        encode(failed(value))
    with pytest.raises(PersonalDataError):
        encode(failed("ok"), request=value)


@pytest.mark.parametrize(
    "value",
    [
        "110105194912310021",
        "000000000000000000",
        "3f1c2d3e-1391-4234-8678-139123456789",
        "a13912345678b" * 4,
        "likeness.example/audit+12345678+AQOhB7",
        "registry/likeness@sha256:abcd",
        "2026-11-20T07:12:00.000000Z",
        "139123456789",
    ],
)
def test_identifiers_are_not_taken_for_personal_data(value):
    assert leaf.personal_data(value) == ""


def test_leaf_is_canonical_and_leaves_out_empty_options():
    event = events.GateDecided(job=JOB, stage="admission", decision="refuse", reasons=("licence.missing",))
    body = encode(event, request="req-1")
    value = json.loads(body)
    assert body == json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    assert value == {
        "v": 1,
        "type": "gate.decided",
        "event_id": str(ID),
        "ts": "2026-11-20T07:12:00.000000Z",
        "tenant": "demo",
        "actor": ACTOR.id,
        "request": "req-1",
        "job": JOB,
        "stage": "admission",
        "decision": "refuse",
        "reasons": ["licence.missing"],
        "policy_version": 0,
        "distance_ppm": 0,
        "threshold_ppm": 0,
        "gallery": 0,
    }


def test_event_fields_never_hide_common_ones_or_ask_for_a_person():
    forbidden = {"v", "type", "event_id", "ts", "tenant", "actor", "request", "image"}
    forbidden |= {"name", "phone", "email", "address", "id_no", "file_name", "embedding"}
    for kind in events.TYPES.values():
        assert not forbidden & {field.name for field in fields(kind)}, kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ab",
        b"[]",
        b"null",
        b"{}",
        b'{"type":"x"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type":1,"ts":"","tenant":"","actor":"","event_id":"00000000-0000-0000-0000-000000000000"}',
    ],
    ids=["empty", "text", "list", "null", "no fields", "one field", "not UTF-8", "deep", "type no text"],
)
def test_leaf_that_is_no_event_is_refused(body):
    with pytest.raises(EventError):
        leaf.read(body)


def test_keys_cover_every_way_to_find_an_entry():
    event = events.GenerationQueued(job=JOB, identity="idn_1", consents=("con_1", "con_2"))
    assert leaf.terms(encode(event)) == {
        (KeyKind.LEAF, merkle.leaf_hash(encode(event)).hex()),
        (KeyKind.JOB, JOB),
        (KeyKind.IDENTITY, "idn_1"),
        (KeyKind.CONSENT, "con_1"),
        (KeyKind.CONSENT, "con_2"),
        (KeyKind.ACTOR, ACTOR.id),
        (KeyKind.TYPE, "generation.queued"),
        (KeyKind.TENANT, "demo"),
    }


def test_models_of_every_event_are_found_as_models():
    finished = events.GenerationFinished(job=JOB, output="a", bytes=1, mime="b", models=("m1", "m2"))
    enrolled = events.IdentityEnrolled(identity="i", subject="s", template_model="m3")
    models = {
        value
        for body in (finished, enrolled)
        for kind, value in leaf.terms(encode(body))
        if kind == KeyKind.MODEL
    }
    assert models == {"m1", "m2", "m3"}


def test_script_is_found_by_its_commitment():
    body = json.dumps(json.loads(encode(failed("x"))) | {"script": "sha256:" + "a" * 64}).encode()
    assert (KeyKind.SCRIPT, "sha256:" + "a" * 64) in leaf.terms(body)


def test_key_is_a_bigint_that_depends_on_kind_and_value():
    found = {leaf.key(kind, value) for kind in (KeyKind.JOB, KeyKind.MODEL) for value in ("a", "b")}
    assert len(found) == 4
    assert all(-(2**63) <= key < 2**63 for key in found)
    assert leaf.key(KeyKind.JOB, "a") == int.from_bytes(
        hashlib.sha256(b"1:a").digest()[:8], "big", signed=True
    )
    assert leaf.keys(encode(failed("x"))) == {leaf.key(*term) for term in leaf.terms(encode(failed("x")))}


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20))
def test_text_stands_in_its_leaf_as_it_is_quoted(value):
    if leaf.personal_data(value) == "":
        assert leaf.quoted(value) in encode(failed(value))


TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
NUMBERS = st.integers(-leaf.MAX_INTEGER, leaf.MAX_INTEGER)
VALUES = st.dictionaries(TOKENS, TOKENS | NUMBERS | st.lists(TOKENS, max_size=4), max_size=12)


@given(VALUES)
def test_canonical_form_is_that_of_rfc_8785(values):
    assert leaf._canonical(values) == rfc8785.dumps(values)


@given(st.text("0123456789abcX", min_size=1, max_size=30))
def test_no_number_stands_alone_in_a_run_of_letters_and_digits_of_another_length(text):
    found = leaf._PHONE.search(text) or leaf._ID_CARD.search(text) or leaf._EMAIL.search(text)
    assert not found or len(text) in leaf._NUMBER_LENGTHS


def test_number_beside_chinese_text_is_seen():
    assert leaf.personal_data("号码13812345678在此处")
