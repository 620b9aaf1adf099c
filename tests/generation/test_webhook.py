from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path

import pytest

from generation import webhook
from generation.addresses import is_public
from generation.errors import CallbackRefusedError
from generation.webhook import Outcome, Place, Target, check_url, read_places
from tests.generation.receiver import Receiver, receiving

PLACES = read_places(["bank.example", "bank.example:8443", "inside.example=10.1.2.3", "127.0.0.1:9443"])


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as server:
        yield server


@pytest.mark.parametrize(
    "url",
    [
        "",
        "bank.example/hook",
        "//bank.example/hook",
        "http://bank.example/hook",
        "ftp://bank.example/hook",
        "file:///etc/passwd",
        "https://",
        "https:///hook",
        "https://other.example/hook",
        "https://bank.example.evil.example/hook",
        "https://evil.example/bank.example",
        "https://sub.bank.example/hook",
        "https://bank.example:444/hook",
        "https://bank.example:99999/hook",
        "https://bank.example:port/hook",
        "https://bank.example:443:443/hook",
        "https://bank.example./hook",
        "https://user@bank.example/hook",
        "https://bank.example@evil.example/hook",
        "https://bank.example:8443@evil.example/",
        "https://evil.example#@bank.example/",
        "https://bank.example/hook#part",
        "https://bank.example\\@evil.example/",
        "https://evil.example\\.bank.example/",
        "https://bank%2eexample/hook",
        "https://bank.example%00.evil.example/",
        "https://ｂank.example/hook",
        "https://bank。example/hook",
        "https://bank.example/ho ok",
        "https://bank.example/hook\r\nX-Evil: 1",
        "https://bank.example/hook\x00",
        " https://bank.example/hook",
        "https://127.0.0.1/hook",
        "https://127.0.0.1:9444/hook",
        "https://127.1:9443/hook",
        "https://2130706433:9443/hook",
        "https://0x7f000001:9443/hook",
        "https://0177.0.0.1:9443/hook",
        "https://[::ffff:127.0.0.1]:9443/hook",
        "https://[::1]/hook",
        "https://[bank.example]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/hook",
        "https://bank.example/" + "a" * 500,
    ],
)
def test_an_address_that_is_not_called_is_refused(url: str) -> None:
    with pytest.raises(CallbackRefusedError) as raised:
        check_url(url, PLACES)

    assert raised.value.code == "callback_refused"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://bank.example", Target(Place("bank.example"), "/")),
        ("https://BANK.example:443/hook?a=%20b", Target(Place("bank.example"), "/hook?a=%20b")),
        ("HTTPS://bank.example:8443/x", Target(Place("bank.example", 8443), "/x")),
        ("https://inside.example/x", Target(PLACES[2], "/x")),
        ("https://127.0.0.1:9443/x", Target(PLACES[3], "/x")),
    ],
)
def test_a_listed_host_is_called(url: str, target: Target) -> None:
    assert check_url(url, PLACES) == target


@pytest.mark.parametrize(
    "entry",
    [
        "", "*", "*.example", "https://bank.example", "bank.example/x", "bank.example:x", "a@b.example",
        "bank_.example", "2130706433", "127.1", "0x7f.1", "a.example=", "a.example=b.example",
        "169.254.169.254", "metadata.example=169.254.169.254", "metadata.example=fd00:ec2::254",
        "metadata.example=100.100.100.200", "a.example=::ffff:169.254.169.254", "a.example=224.0.0.1",
        "a.example=0.0.0.0", "a.example=fe80::1", "a.example=::",
    ],
)  # fmt: skip
def test_a_list_with_a_dangerous_entry_is_refused(entry: str) -> None:
    if entry == "a.example=":
        assert read_places([entry])[0].address is None
        return
    with pytest.raises(CallbackRefusedError):
        read_places([entry])


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *[(each, True) for each in ("93.184.215.14", "1.1.1.1", "2606:4700:4700::1111")],
        *[
            (each, False)
            for each in (
                "", "127.0.0.1", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254",  # noqa: S104
                "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
                "192.88.99.1", "::", "::1", "::ffff:127.0.0.1", "::7f00:1", "64:ff9b::7f00:1",
                "64:ff9b:1::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "fe80::1", "fe80::1%eth0",
                "fd00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "0177.0.0.1", "2130706433",
                "0x7f.1", "127.1", "100.100.100.200",
            )
        ],
    ],
)  # fmt: skip
def test_only_public_unicast_addresses_are_connected_to(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("found", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["169.254.169.254"], ["::1"], []])
def test_a_name_that_leads_inside_is_not_connected_to(found: list[str]) -> None:
    target = Target(Place("bank.example"), "/")

    outcome = webhook.post(target, b"{}", {}, context=webhook.trust(), resolve=lambda *_: found)

    assert outcome == Outcome(problem="address_refused", final=True)


def test_the_signature_is_hmac_sha256_of_time_and_body() -> None:
    expected = hmac.new(b"lkh_secret", b'1731705121.{"a":1}', hashlib.sha256).hexdigest()

    assert webhook.sign("lkh_secret", 1731705121, b'{"a":1}') == expected
    assert webhook.sign("lkh_secret", 1731705122, b'{"a":1}') != expected
    assert webhook.sign("lkh_other", 1731705121, b'{"a":1}') != expected


def test_a_message_arrives_by_tls_with_its_headers(receiver: Receiver) -> None:
    outcome = send(receiver, receiver.url("/hook?x=1"))

    path, headers, body = receiver.seen[0]
    assert outcome == Outcome(204)
    assert (path, body) == ("/hook?x=1", b'{"event":"ping"}')
    assert headers["Likeness-Signature"] == webhook.sign("lkh_s", 100, body)
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"


def test_a_pinned_name_is_not_looked_up(receiver: Receiver) -> None:
    places = read_places([f"receiver.example:{receiver.port}=127.0.0.1"])
    target = check_url(receiver.url(host="receiver.example"), places)

    outcome = webhook.post(
        target, b"{}", {}, context=webhook.trust(str(receiver.roots)), resolve=lambda *_: pytest.fail("asked")
    )

    assert outcome == Outcome(204)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome(200)),
        (302, Outcome(302, "redirect", final=True)),
        (400, Outcome(400, "status")),
        (410, Outcome(410, "status", final=True)),
        (500, Outcome(500, "status")),
    ],
)
def test_only_2xx_is_delivered_and_no_redirect_is_followed(
    status: int, outcome: Outcome, receiver: Receiver
) -> None:
    receiver.answers = [status]

    assert send(receiver, receiver.url()) == outcome
    assert [path for path, *_ in receiver.seen] == ["/hook"]


def test_a_certificate_of_an_unknown_authority_is_not_believed(receiver: Receiver) -> None:
    target = check_url(receiver.url(), read_places([f"127.0.0.1:{receiver.port}"]))

    outcome = webhook.post(target, b"{}", {}, context=webhook.trust())

    assert outcome == Outcome(problem="tls")
    assert receiver.seen == []


def test_a_certificate_of_another_name_is_not_believed(receiver: Receiver) -> None:
    places = read_places([f"other.example:{receiver.port}=127.0.0.1"])
    target = check_url(receiver.url(host="other.example"), places)

    outcome = webhook.post(target, b"{}", {}, context=webhook.trust(str(receiver.roots)))

    assert outcome == Outcome(problem="tls")


def test_a_receiver_that_drips_is_cut_off(receiver: Receiver) -> None:
    receiver.slow_s = 3.0

    assert send(receiver, receiver.url(), within_s=0.3) == Outcome(problem="timeout")


def test_nobody_listens(receiver: Receiver) -> None:
    places = read_places(["127.0.0.1:1"])

    outcome = webhook.post(
        check_url("https://127.0.0.1:1/", places), b"{}", {}, context=webhook.trust(str(receiver.roots))
    )

    assert outcome == Outcome(problem="connection")


def send(receiver: Receiver, url: str, *, within_s: float = webhook.ANSWER_WITHIN_S) -> Outcome:
    target = check_url(url, read_places([f"127.0.0.1:{receiver.port}"]))
    body = b'{"event":"ping"}'
    headers = webhook.headers_of("lkh_s", timestamp=100, body=body, delivery="d-1")
    return webhook.post(target, body, headers, context=webhook.trust(str(receiver.roots)), within_s=within_s)
