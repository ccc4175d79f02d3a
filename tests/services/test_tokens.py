"""A token says what it was made to say, to whoever holds it, until its time; everything else is nobody."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from leaderboard.domain.errors import NotAuthenticated
from leaderboard.services.tokens import ACCESS_S, TICKET_S, TOKEN_LENGTH, Token, Tokens
from leaderboard.store import Player

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
ADA = Player(5, "ada", "ada")


@pytest.fixture
def tokens() -> Tokens:
    return Tokens("secret of the house")


def test_an_access_token_says_who_and_in_which_game(tokens: Tokens) -> None:
    said = tokens.read_access(tokens.access(ADA, game_id=3, now=NOW), now=NOW)
    assert said == Token(3, NOW + timedelta(seconds=ACCESS_S), ADA, None)


def test_a_ticket_says_which_boards_it_opens(tokens: Tokens) -> None:
    some = tokens.ticket(game_id=3, boards=[9, 7], now=NOW)
    assert tokens.read_ticket(some, now=NOW) == Token(3, NOW + timedelta(seconds=TICKET_S), None, frozenset({7, 9}))
    of_ada = tokens.ticket(game_id=3, boards=None, player=ADA, now=NOW)
    assert tokens.read_ticket(of_ada, now=NOW) == Token(3, NOW + timedelta(seconds=TICKET_S), ADA, None)


@pytest.mark.parametrize("name", ["Zoë", "雪", "👩‍🚀", "a" * 150, 'O\'Neill "x"', "-1"])
def test_a_name_of_any_alphabet_comes_back_as_it_was(tokens: Tokens, name: str) -> None:
    said = tokens.read_access(tokens.access(Player(5, name, name), game_id=3, now=NOW), now=NOW)
    assert said.player == Player(5, name, name)


def test_a_token_ends_with_its_time_to_the_second(tokens: Tokens) -> None:
    token = tokens.access(ADA, game_id=3, now=NOW, life_s=60)
    assert tokens.read_access(token, now=NOW + timedelta(seconds=59)).player == ADA
    with pytest.raises(NotAuthenticated, match="expired"):
        tokens.read_access(token, now=NOW + timedelta(seconds=60))


def test_one_kind_is_not_taken_for_the_other(tokens: Tokens) -> None:
    with pytest.raises(NotAuthenticated):
        tokens.read_ticket(tokens.access(ADA, game_id=3, now=NOW), now=NOW)
    with pytest.raises(NotAuthenticated):
        tokens.read_access(tokens.ticket(game_id=3, boards=None, player=ADA, now=NOW), now=NOW)


def test_a_token_of_another_house_is_none_here(tokens: Tokens) -> None:
    with pytest.raises(NotAuthenticated):
        tokens.read_access(Tokens("secret of another house").access(ADA, game_id=3, now=NOW), now=NOW)


def test_what_browsers_sessions_are_signed_with_is_not_the_key(tokens: Tokens) -> None:
    claims = {"game": 3, "sub": "5", "username": "ada", "exp": NOW + timedelta(hours=1)}
    forged = jwt.encode(claims, "secret of the house".ljust(32), algorithm="HS256", headers={"typ": "access"})
    with pytest.raises(NotAuthenticated):
        tokens.read_access(forged, now=NOW)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_none_is_no_algorithm(tokens: Tokens) -> None:
    """OWASP API2: a token that says it needs no signature is not believed, however it spells that, and with the true signature neither."""
    head, body, signature = tokens.access(ADA, game_id=3, now=NOW).split(".")
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, "HS512", "RS256"):
        for end in ("", signature):
            with pytest.raises(NotAuthenticated):
                tokens.read_access(f"{part({'alg': algorithm, 'typ': 'access'})}.{body}.{end}", now=NOW)
    assert tokens.read_access(f"{head}.{body}.{signature}", now=NOW).player == ADA


def test_no_part_of_a_token_can_be_changed(tokens: Tokens) -> None:
    token = tokens.access(ADA, game_id=3, now=NOW)
    head, _, signature = token.split(".")
    claims = {"game": 3, "sub": "6", "username": "bo", "exp": 2_000_000_000}
    forged = [f"{head}.{part(claims)}.{signature}", f"{head}.{part(claims)}.", token[:-5], token + "A", token.replace(".", "..", 1)]
    for other in forged:
        with pytest.raises(NotAuthenticated):
            tokens.read_access(other, now=NOW)


@pytest.mark.parametrize(
    "garbage",
    ["", ".", "..", "...", "a.b.c", "Bearer x", "\x00", "é" * 20, "{}", "[]", "null", f"{part([])}.{part([])}.", f"{part({})}.{part(1)}.x"],
)
def test_garbage_is_refused_and_breaks_nothing(tokens: Tokens, garbage: str) -> None:
    with pytest.raises(NotAuthenticated):
        tokens.read_access(garbage, now=NOW)


def test_a_huge_token_is_not_looked_at(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    monkeypatch.setattr(jwt, "decode_complete", lambda token, *_, **__: looked_at.append(token))
    with pytest.raises(NotAuthenticated):
        tokens.read_access("x" * (TOKEN_LENGTH + 1), now=NOW)
    assert looked_at == []


@pytest.mark.parametrize("missing", ["exp", "game", "username"])
def test_a_token_of_ours_that_lacks_something_is_refused(tokens: Tokens, missing: str) -> None:
    claims = {"game": 3, "sub": "5", "username": "ada", "exp": NOW + timedelta(hours=1)}
    del claims[missing]
    signed = jwt.encode(claims, tokens._key, algorithm="HS256", headers={"typ": "access"})
    with pytest.raises(NotAuthenticated):
        tokens.read_access(signed, now=NOW)


def test_a_refusal_does_not_repeat_the_token(tokens: Tokens) -> None:
    token = Tokens("other").access(ADA, game_id=3, now=NOW)
    with pytest.raises(NotAuthenticated) as caught:
        tokens.read_access(token, now=NOW)
    assert token not in str(caught.value)
    assert caught.value.__suppress_context__, "the log of what broke would hold it"
