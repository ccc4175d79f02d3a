"""What a subscription asks for, read from a command and from an address: the two say the same."""

import json

import pytest

from leaderboard.domain.errors import InvalidParameter
from leaderboard.feed import Position
from realtime.protocol import read_command
from realtime.wanted import Wanted, wanted_in, wanted_of


def by_command(**fields):
    return wanted_of(read_command(json.dumps({"type": "subscribe", "leaderboard": "arcade", **fields}).encode()))


@pytest.mark.parametrize(
    ("fields", "query", "wanted"),
    [
        ({}, "", Wanted()),
        ({"top": 5}, "top=5", Wanted(top=10)),
        ({"top": 1, "pulse": True}, "top=1&pulse=1", Wanted(top=3, pulse=True)),
        ({"pulse": False, "own": False}, "pulse=0&own=0", Wanted()),
        ({"around": 3, "player": "ada"}, "around=3&player=ada", Wanted(around=3, player="ada")),
        ({"around": 10, "player": "Ünï & cö"}, "around=10&player=%C3%9Cn%C3%AF%20%26%20c%C3%B6", Wanted(around=10, player="Ünï & cö")),
        ({"around": 1, "player": "Jose\u0301"}, "around=1&player=Jose%CC%81", Wanted(around=1, player="José")),
        ({"around": 1, "own": True}, "around=1&own=1", Wanted(around=1, own=True)),
        ({"around": 1, "own": True, "player": None}, "colour=blue&around=7&around=1&own=1", Wanted(around=1, own=True)),
    ],
)
def test_a_command_and_an_address_say_the_same(fields, query, wanted):
    assert by_command(**fields) == wanted
    assert wanted_in(query) == wanted


def test_only_a_command_says_where_it_was():
    assert by_command(since={"epoch": "e", "offset": 7}) == Wanted(since=Position("e", 7))
    assert wanted_in("since=e:7") == Wanted()


WRONG = [
    ({"top": 0}, "top=0"),
    ({"around": 3}, "around=3"),
    ({"player": "ada"}, "player=ada"),
    ({"own": True}, "own=1"),
    ({"around": 3, "player": "ada", "own": True}, "around=3&player=ada&own=1"),
    ({"around": 0, "own": True}, "around=0&own=1"),
    ({"around": 11, "own": True}, "around=11&own=1"),
    ({"around": "3", "own": True}, "around=three&own=1"),
    ({"around": 10**30, "own": True}, "around=" + "9" * 5000 + "&own=1"),
    ({"around": True, "own": True}, "around=&own=1"),
    ({"around": 3.0, "own": True}, "around=3.0&own=1"),
    ({"around": 3, "own": 1}, "around=3&own=true"),
    ({"around": 3, "own": None}, "around=3&own="),
    ({"around": 3, "player": 7}, "around=3&player="),
    ({"around": 3, "player": "x" * 151}, "around=3&player=" + "x" * 151),
    ({"around": 3, "player": "e\0"}, "around=3&player=e%00"),
    ({"pulse": 1}, "pulse=2"),
    ({"pulse": "yes"}, "pulse=yes"),
]


@pytest.mark.parametrize(("fields", "query"), WRONG)
def test_what_makes_no_sense_is_refused_in_both(fields, query):
    with pytest.raises(InvalidParameter):
        by_command(**fields)
    with pytest.raises(InvalidParameter):
        wanted_in(query)
