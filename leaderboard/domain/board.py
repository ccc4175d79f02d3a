"""Whether a leaderboard's definition makes sense, and whether a score may go on the board."""

import re

from leaderboard.domain.definition import Definition
from leaderboard.domain.errors import InvalidBody, InvalidDefinition, InvalidMetadata, ScoreOutOfRange
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.domain.season import parse_schedule
from leaderboard.domain.text import check_game_mode, encode_metadata, name_fault

TITLE_LENGTH = 120  # characters, as the column holds

_SLUG = re.compile(r"[a-z0-9_-]{1,64}")

_Errors = list[dict[str, str]]


def check_definition(definition: Definition) -> None:
    """Raises InvalidDefinition with all that is wrong in `errors`, each a {"field", "detail"}."""
    errors = [
        *_slug_errors(definition),
        *_title_errors(definition),
        *_game_mode_errors(definition),
        *_schedule_errors(definition),
        *_bounds_errors(definition),
        *_metadata_errors(definition),
    ]
    if errors:
        raise InvalidDefinition(" ".join(error["detail"] for error in errors), errors=errors)


def check_score(definition: Definition, score: int, subscore: int) -> None:
    """Whether a submitted score may go on this board. Raises ScoreOutOfRange, which names the leaderboard.

    The bounds are those of one submit, whatever the operator: a count board with bounds counts only plays within them.
    The subscore has no bounds of its own.
    """
    low, high = definition.min_score, definition.max_score
    if (
        (low is None or score >= low)
        and (high is None or score <= high)
        and -SCORE_LIMIT <= score <= SCORE_LIMIT
        and -SCORE_LIMIT <= subscore <= SCORE_LIMIT
    ):
        return
    field = "score" if -SCORE_LIMIT <= subscore <= SCORE_LIMIT else "subscore"
    detail = f"The score is outside {_span(low, high)}." if field == "score" else f"The subscore is outside {_span(None, None)}."
    raise ScoreOutOfRange(
        f"Leaderboard {definition.slug}: {detail}", errors=[{"field": field, "leaderboard": definition.slug, "detail": detail}]
    )


def check_range(score: int, subscore: int) -> None:
    """Whether a score is one that everybody can read exactly, whatever boards it feeds. Raises ScoreOutOfRange."""
    for field, value in (("score", score), ("subscore", subscore)):
        if not -SCORE_LIMIT <= value <= SCORE_LIMIT:
            detail = f"The {field} is outside {_span(None, None)}."
            raise ScoreOutOfRange(detail, errors=[{"field": field, "detail": detail}])


def _span(low: int | None, high: int | None) -> str:
    return f"{-SCORE_LIMIT if low is None else low} to {SCORE_LIMIT if high is None else high}"


def _error(field: str, detail: str) -> _Errors:
    return [{"field": field, "detail": detail}]


def _slug_errors(definition: Definition) -> _Errors:
    if _SLUG.fullmatch(definition.slug):
        return []
    return _error("slug", "A slug has 1 to 64 characters, each a letter from a to z, a digit, - or _.")


def _title_errors(definition: Definition) -> _Errors:
    fault = name_fault(definition.title, limit=TITLE_LENGTH)
    return _error("title", f"The title {fault}.") if fault else []


def _game_mode_errors(definition: Definition) -> _Errors:
    try:
        check_game_mode(definition.game_mode)
    except InvalidBody as refusal:
        return refusal.errors
    return []


def _schedule_errors(definition: Definition) -> _Errors:
    try:
        parse_schedule(definition.reset_schedule, definition.time_zone)
    except InvalidDefinition as refusal:
        return refusal.errors
    return []


def _bounds_errors(definition: Definition) -> _Errors:
    bounds = {"min_score": definition.min_score, "max_score": definition.max_score}
    errors = [
        {"field": field, "detail": f"{field} is outside {_span(None, None)}."}
        for field, bound in bounds.items()
        if bound is not None and not -SCORE_LIMIT <= bound <= SCORE_LIMIT
    ]
    low, high = definition.min_score, definition.max_score
    if low is not None and high is not None and low > high:
        errors += _error("max_score", f"max_score {high} is less than min_score {low}: no score fits.")
    return errors


def _metadata_errors(definition: Definition) -> _Errors:
    try:
        encode_metadata(definition.metadata)
    except InvalidMetadata as refusal:
        return refusal.errors
    return []
