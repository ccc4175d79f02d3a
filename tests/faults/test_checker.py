"""The checker notices every fault that is planted for it."""

from dataclasses import replace

import pytest

from tests.faults.checker import Attempt, Session, shown_wrong, violations

ATTEMPTS = [
    Attempt("k1", "ada", 5, "ok", 1),
    Attempt("k2", "bo", 7, "ok", 2),
    Attempt("k3", "ada", 1, "unknown"),
    Attempt("k4", "cy", 9, "refused"),
]
SESSIONS = [Session(1, "k1", "ada", 5), Session(2, "k2", "bo", 7), Session(3, "k3", "ada", 1)]
SUMS = {"ada": 6, "bo": 7}


def test_it_finds_nothing_where_nothing_is_wrong() -> None:
    assert violations(ATTEMPTS, SESSIONS, SUMS) == []
    assert violations(ATTEMPTS, SESSIONS[:2], {"ada": 5, "bo": 7}) == []  # the unknown one may be missing


@pytest.mark.parametrize(
    ("sessions", "sums", "fault"),
    [
        (SESSIONS[1:], {"ada": 1, "bo": 7}, "acknowledged and lost"),
        ([*SESSIONS, Session(4, "k1", "ada", 5)], {"ada": 11, "bo": 7}, "counted twice"),
        ([*SESSIONS, Session(4, "k4", "cy", 9)], {**SUMS, "cy": 9}, "refused and stored"),
        ([replace(SESSIONS[0], score=6), *SESSIONS[1:]], {"ada": 7, "bo": 7}, "stored as something else"),
        ([replace(SESSIONS[0], id=9), *SESSIONS[1:]], SUMS, "answered for another session"),
        ([*SESSIONS, Session(5, "k9", "dee", 1)], {**SUMS, "dee": 1}, "from nowhere"),
        (SESSIONS, {"ada": 11, "bo": 7}, "wrong sum"),
        (SESSIONS, {"ada": 6}, "wrong sum"),
    ],
)
def test_it_notices_a_planted_fault(sessions: list[Session], sums: dict[str, int], fault: str) -> None:
    assert any(fault in violation for violation in violations(ATTEMPTS, sessions, sums))


def test_it_notices_a_stale_screen() -> None:
    row = {"rank": 1, "player": "ada", "score": 5}
    assert shown_wrong([row], [row]) == []
    assert shown_wrong([row], [{**row, "score": 6}])
