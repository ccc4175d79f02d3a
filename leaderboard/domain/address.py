"""Whose request it is by its address, where proxies stand in between.

What a client writes into X-Forwarded-For stands to the left of what the proxies add, so it is read from the right: each trusted proxy
vouches for the address before it, and the first that is not trusted is the client's.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

SUBSCRIBER_BITS = 64  # of an IPv6 address: what one subscriber has, who may use any address in it


def read_network(text: str) -> Network:
    """An address or a CIDR block. Raises ValueError."""
    return ip_network(text)


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether the peer of a connection is one of our proxies."""
    address = _address(peer) if trusted else None
    return address is not None and any(address in network for network in trusted)


def client_address(peer: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The client's address: the peer unless that is a trusted proxy, and unless what the proxies say is malformed.

    If all are trusted it is the first of them: a client within our own network.
    """
    found = peer
    if not forwarded or not is_trusted(peer, trusted):
        return found
    for entry in reversed(forwarded.split(",")):
        address = _address(entry.strip())
        if address is None:
            return peer
        found = str(address)
        if not any(address in network for network in trusted):
            break
    return found


@lru_cache(maxsize=4096)
def subscriber(address: str) -> str:
    """The address by which a client is counted: of IPv6 the network that it has to itself."""
    found = _address(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, SUBSCRIBER_BITS), strict=False))
    return address if found is None else str(found)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
