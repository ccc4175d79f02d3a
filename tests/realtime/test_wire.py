import json

from hypothesis import given
from hypothesis import strategies as st

from leaderboard.domain.snapshot import TOPS, Delta, patch
from leaderboard.feed import State, wire
from tests.realtime.arena import CAST, ranked

SCORES = st.dictionaries(st.sampled_from(CAST), st.integers(-(2**53) + 1, 2**53 - 1), max_size=len(CAST))


def state(scores, offset, *, epoch="e"):
    return State(epoch, offset, "all-time", len(scores), ranked(scores))


@given(old=SCORES, new=SCORES)
def test_for_every_size_the_old_snapshot_and_the_frame_make_the_new_one(old, new):
    before, after = state(old, 4), state({**old, **new}, 5)
    frame = wire.frame_between("arcade", old=before, new=after)
    assert not frame.resets
    for top in TOPS:
        told = json.loads(frame.texts[top])
        rows = patch(before.rows[:top], Delta(told["changed"], told["left"]))
        assert rows == after.rows[:top]
        assert (told["type"], told["top"], told["epoch"], told["offset"], told["total"]) == ("delta", top, "e", 5, after.total)


def test_another_epoch_or_a_first_state_is_a_snapshot_for_every_size():
    after = state(dict.fromkeys(CAST, 1), 0, epoch="f")
    for before in (None, state({}, 7)):
        frame = wire.frame_between("arcade", old=before, new=after)
        assert frame.resets
        for top in TOPS:
            assert json.loads(frame.texts[top]) == json.loads(wire.state_text("arcade", after, top=top))
            assert len(json.loads(frame.texts[top])["entries"]) == top


def test_a_text_is_read_back_as_what_was_written():
    after = state({"ada": 2**53 - 1, "bo": -5}, 3)
    message = wire.read(wire.state_text("arcade", after, top=10))
    assert isinstance(message, wire.Snapshot)
    assert (message.entries, message.total, message.leaderboard) == (after.rows, 2, "arcade")
