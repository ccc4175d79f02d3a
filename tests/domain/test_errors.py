"""Codes are a contract: unique, stable in form, and each with a title for people."""

import re

import pytest

from leaderboard.domain import errors
from leaderboard.domain.errors import NotRanked, Refusal

REFUSALS = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Refusal) and thing is not Refusal]


def test_every_refusal_is_found():
    assert {"ScoreOutOfRange", "Overloaded", "TooSlow"} <= {refusal.__name__ for refusal in REFUSALS}
    assert set(Refusal.__subclasses__()) == set(REFUSALS), "refusals are defined in one module, each a direct kind"


def test_no_two_refusals_share_a_code():
    codes = [refusal.code for refusal in [Refusal, *REFUSALS]]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_has_its_own_code_and_title(refusal):
    assert {"code", "title"} <= vars(refusal).keys()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", refusal.code)
    assert refusal.title
    assert refusal.title[0].isupper()
    assert not refusal.title.endswith(".")


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_code_says_what_the_class_is_called(refusal):
    assert refusal.code == re.sub(r"(?<=[a-z])(?=[A-Z])", "_", refusal.__name__).lower()


def test_a_refusal_without_a_detail_explains_itself_by_its_title():
    assert NotRanked().detail == str(NotRanked()) == NotRanked.title
    assert NotRanked("Cy has not played").detail == "Cy has not played"


def test_refusals_do_not_share_their_errors():
    first = NotRanked()
    first.errors.append({"field": "player", "detail": "unknown"})
    assert NotRanked().errors == []
