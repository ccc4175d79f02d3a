"""The tests of the documents can tell a wrong answer from the one that is shown."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.docs.reading import blocks, difference, pairs, table

SHOWN = {
    "session_id": 1,
    "timestamp": "2026-11-23T20:15:00.000Z",
    "season": "all-time",
    "previous_rank": None,
    "results": [{"rank": 1, "season": "2026-11-01T00:00:00Z"}],
}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    answer = copy.deepcopy(SHOWN)
    change(answer)
    return answer


@pytest.mark.parametrize(
    "fault",
    [
        lambda answer: answer.pop("session_id"),
        lambda answer: answer.update(extra=1),
        lambda answer: answer.update(session_id="1"),
        lambda answer: answer.update(timestamp="2026-11-23T20:15:00Z"),
        lambda answer: answer.update(season="2026-11-01T00:00:00Z"),
        lambda answer: answer.update(previous_rank=1),
        lambda answer: answer["results"].clear(),
        lambda answer: answer["results"][0].update(rank=2),
        lambda answer: answer["results"][0].update(rank=True),
        lambda answer: answer["results"][0].update(season=None),
    ],
)
def test_it_notices_a_planted_fault(fault: Callable[[dict[str, Any]], object]) -> None:
    assert difference(SHOWN, changed(fault)) is not None


def test_what_varies_from_run_to_run_may_vary() -> None:
    later = changed(lambda answer: answer.update(session_id=71, timestamp="2027-01-02T03:04:05.678Z"))
    later["results"][0]["season"] = "2027-01-01T00:00:00Z"
    assert difference(SHOWN, json.loads(json.dumps(later))) is None


def test_blocks_and_tables_are_read_with_their_places(tmp_path: Path) -> None:
    document = tmp_path / "some.md"
    document.write_text(
        "# Some\n\n```http\nGET /\n```\n\n```json\n{}\n```\n\n| code | when |\n|---|---|\n| `a` | x |\n| `b` | y \\| z |\n\nEnd\n"
    )
    assert [(request.line, answer.text) for request, answer in pairs(blocks(document, "http", "json"))] == [(3, "{}\n")]
    assert table(document, "code") == {"a": ["x"], "b": ["y \\| z"]}
