from __future__ import annotations

import ipaddress
import socket

import pytest

from generation.presenter import outbound
from generation.presenter.errors import SpeechUnavailableError
from generation.presenter.outbound import Target, checked, post, reachable

ADDRESSES = {
    **dict.fromkeys(("127.0.0.1", "0.0.0.0", "10.0.0.5", "172.16.3.4", "192.168.1.1"), False),  # noqa: S104
    **dict.fromkeys(("169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1"), False),
    **dict.fromkeys(("255.255.255.255", "240.0.0.1", "192.88.99.1", "::", "::1"), False),
    **dict.fromkeys(("::ffff:127.0.0.1", "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1"), False),
    **dict.fromkeys(("2002:7f00:1::", "2001:0:7f00:1::", "fe80::1", "fe80::1%eth0", "fd00::1"), False),
    **dict.fromkeys(("fd00:ec2::254", "ff02::1", "2001:db8::1", "0177.0.0.1", "2130706433"), False),
    **dict.fromkeys(("0x7f.1", "127.1", ""), False),
    **dict.fromkeys(("93.184.215.14", "1.1.1.1", "2606:4700:4700::1111"), True),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_public_addresses_are_reached(address: str) -> None:
    assert reachable(address, ()) is ADDRESSES[address]


def test_a_listed_network_is_reached_and_its_neighbour_is_not() -> None:
    listed = (ipaddress.ip_network("10.2.0.0/16"),)

    assert reachable("10.2.3.4", listed)
    assert not reachable("10.3.3.4", listed)
    assert not reachable("::ffff:10.2.3.4", listed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "tts.example",
        "ftp://tts.example/",
        "file:///etc/passwd",
        "http://tts.example/",
        "http://10.2.0.1/",
        "https://",
        "https://user@tts.example/",
        "https://:secret@tts.example/",
        "https://tts.example/#x",
        "https://tts.example:99999/",
        "https://[::1/",
        "https://other.example/",
        "https://tts.example.evil.example/",
        "https://tts.example@evil.example/",
    ],
)
def test_addresses_that_are_never_used(url: str) -> None:
    with pytest.raises(SpeechUnavailableError):
        checked(Target(url, frozenset({"tts.example", "10.2.0.1", "evil.example.x"})))


def test_a_host_with_one_private_address_among_public_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mixed(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(0, 0, 0, "", (each, 443)) for each in ("1.1.1.1", "10.0.0.1")]

    def connect(*_: object, **__: object) -> None:
        raise AssertionError("connected")

    monkeypatch.setattr(socket, "getaddrinfo", mixed)
    monkeypatch.setattr(outbound.socket, "create_connection", connect)

    with pytest.raises(SpeechUnavailableError, match=r"10\.0\.0\.1"):
        post(Target("https://tts.example/", frozenset({"tts.example"})), b"", headers={})
