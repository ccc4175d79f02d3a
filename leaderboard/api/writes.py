"""The operations that submit scores. See `request` for what an operation is."""

from functools import partial

import msgspec

from leaderboard import runtime
from leaderboard.api import bodies, limits, problems
from leaderboard.api.auth import SIGNATURE, held_credential, submitter
from leaderboard.api.request import JSON, Answer, ApiRequest, Told, in_a_task
from leaderboard.domain.errors import InvalidBody, InvalidIdempotencyKey, Refusal
from leaderboard.domain.text import check_idempotency_key
from leaderboard.services import submit
from leaderboard.services.checking import Asked
from leaderboard.services.credentials import Credential

BATCH_ITEMS = 1000
BATCH_KEY_LENGTH = 250  # each item's own key is this one, a colon and its place: 255 in all

_REPLAYED = (*JSON, (b"idempotency-replayed", b"true"))

_encode = msgspec.json.Encoder().encode


def post_score(request: ApiRequest, told: Told) -> None:
    """Submit one score: 201 with its rank on every board that it feeds."""
    credential = held_credential(request)
    if credential is None or SIGNATURE in request.headers:
        in_a_task(_post_score_slowly(request, told), told)
    else:
        _submit(request, credential, told)


def post_batch(request: ApiRequest, told: Told) -> None:
    """Submit up to 1000 scores: 200 with, per item, its 201 body or its problem."""
    in_a_task(_post_batch(request, told), told)


async def _post_score_slowly(request: ApiRequest, told: Told) -> None:
    """With I/O: for a credential that is not held, and for a nonce."""
    _submit(request, await submitter(request), told)


def _submit(request: ApiRequest, credential: Credential, told: Told) -> None:
    asked, key = bodies.read_score(request), request.header(b"idempotency-key")
    runtime.services().submits.begin(asked, key, credential=credential, now=runtime.utc_now(), told=partial(_submitted, told))


def _submitted(told: Told, outcome: submit.Answer | BaseException) -> None:
    told(Answer(201, outcome.body, _REPLAYED if outcome.replayed else JSON) if isinstance(outcome, submit.Answer) else outcome)


async def _post_batch(request: ApiRequest, told: Told) -> None:
    credential = await submitter(request)
    items = bodies.read_batch(request)
    if not 1 <= len(items) <= BATCH_ITEMS:
        raise InvalidBody(f'"scores" must hold 1 to {BATCH_ITEMS} items.', errors=[{"field": "scores", "detail": f"1..{BATCH_ITEMS}"}])
    await limits.take_batch(request, len(items))
    keys = _item_keys(request.header(b"idempotency-key"), len(items))
    asked: list[tuple[Asked, str | None]] = []
    refused: dict[int, Refusal] = {}
    for position, raw in enumerate(items):
        try:
            asked.append((bodies.decode_score(raw), keys[position]))
        except Refusal as refusal:
            refused[position] = refusal
    answers = iter(await runtime.services().submits.submit_many(asked, credential=credential, now=runtime.utc_now()))
    results = [refused[position] if position in refused else next(answers) for position in range(len(items))]
    told(Answer(200, _batch_body(results, request.request_id)))


def _item_keys(key: str | None, count: int) -> list[str | None]:
    """Each item of a batch has a key of its own, so that a retried batch counts nothing twice."""
    if key is None:
        return [None] * count
    if len(key) > BATCH_KEY_LENGTH:
        raise InvalidIdempotencyKey(f"The Idempotency-Key of a batch has at most {BATCH_KEY_LENGTH} characters.")
    check_idempotency_key(key)
    return [f"{key}:{position}" for position in range(count)]


def _batch_body(results: list[submit.Answer | Refusal], request_id: str) -> bytes:
    """Answers are encoded already; they are put in as they are."""
    parts = []
    for result in results:
        if isinstance(result, submit.Answer):
            parts.append(result.body)
        else:
            parts.append(_encode({"error": problems.document(result, request_id)}))
    return b'{"results":[' + b",".join(parts) + b"]}"
