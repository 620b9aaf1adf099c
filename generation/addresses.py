"""Which addresses a message of ours may go to when nobody listed them: public unicast, nothing in disguise.

``ipaddress`` calls some networks global that lead elsewhere or nowhere (Python 3.11): they are named here.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NEVER = tuple(
    ipaddress.ip_network(net)
    for net in (
        *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "100::/64", "5f00::/16", "::/96"),
        *("64:ff9b::/96", "64:ff9b:1::/48"),  # NAT64 (RFC 6052, RFC 8215)
    )
)


def disguised(address: Address) -> bool:
    """Whether an address carries another one, or is only meant on one link."""
    return isinstance(address, ipaddress.IPv6Address) and bool(
        address.ipv4_mapped or address.sixtofour or address.teredo or address.scope_id
    )


def is_public(text: str) -> bool:
    """True for a public unicast address that embeds no other address."""
    try:
        address: Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if disguised(address) or any(address.version == net.version and address in net for net in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved
