"""Whose request it is behind proxies: only what trusted ones say is believed, and it is read from the right."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.address import client_address, read_network, subscriber

OURS = (read_network("10.0.0.0/8"), read_network("fd00::/8"), read_network("192.0.2.7"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # forged: nobody of ours says so
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # the left is the client's own invention
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.9.9.9, 192.0.2.7", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),  # a client within
        ("10.0.0.1", "garbage, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, garbage", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, garbage, 10.0.0.2", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1,", "10.0.0.1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.001", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", ""),
        ("testclient", "198.51.100.1", "testclient"),
    ],
)
def test_the_client_is_the_right_most_that_is_not_ours(peer, forwarded, client):
    assert client_address(peer, forwarded, OURS) == client


@given(st.text(max_size=100))
def test_who_trusts_nobody_believes_nothing(forwarded):
    assert client_address("10.0.0.1", forwarded, ()) == "10.0.0.1"


@given(st.text(max_size=100))
def test_what_a_client_writes_to_the_left_does_not_matter(forged):
    assert client_address("10.0.0.1", f"{forged},203.0.113.9", OURS) == "203.0.113.9"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("odd", "odd"),
    ],
)
def test_a_subscriber_is_counted_once_however_many_addresses_it_has(address, counted):
    assert subscriber(address) == counted


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0.1/8", "proxy.example", "*"])
def test_what_is_no_network_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  # the library says what is wrong with it
        read_network(text)
