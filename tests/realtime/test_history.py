from hypothesis import given
from hypothesis import strategies as st

from leaderboard.feed import Frame, Position
from realtime.history import History


def frame(offset, epoch="e"):
    return Frame(epoch, offset, False, {})


def filled(start, count, *, limit):
    history = History(limit)
    history.restart(Position("e", start))
    for offset in range(start + 1, start + count + 1):
        assert history.follows(frame(offset))
        history.append(frame(offset))
    return history


@given(start=st.integers(0, 50), count=st.integers(0, 30), limit=st.integers(1, 10), asked=st.integers(-5, 100))
def test_it_holds_the_newest_frames_and_nothing_else(start, count, limit, asked):
    history = filled(start, count, limit=limit)
    newest = start + count
    held = history.after(Position("e", asked))
    if max(start, newest - limit) <= asked < newest:
        assert held is not None
        assert held.offset == asked + 1
    else:
        assert held is None
    assert history.after(Position("f", asked)) is None
    assert history.position == ("e", newest)


@given(count=st.integers(0, 12), limit=st.integers(1, 10), since=st.integers(-3, 60), break_at=st.none() | st.integers(0, 60))
def test_older_frames_are_taken_in_as_far_as_they_are_contiguous_and_fit(count, limit, since, break_at):
    history = filled(40, count, limit=limit)
    older = [frame(offset) for offset in range(max(since, 0) + 1, 41) if offset != break_at]
    missing = history.missing(Position("e", since))
    history.prepend(older)
    assert all(held is None or held.offset == at + 1 for at in range(60) for held in [history.after(Position("e", at))])
    whole = break_at is None or not since < break_at <= 40
    if missing and whole:
        at = Position("e", since)
        while at != history.position:
            following = history.after(at)
            assert following is not None
            assert following.offset == at.offset + 1
            at = Position(following.epoch, following.offset)
    assert missing == (0 <= since < max(40, 40 + count - limit) and 40 + count - since <= limit)


def test_a_frame_follows_only_its_predecessor_in_its_epoch():
    history = filled(5, 1, limit=4)
    assert history.follows(frame(7))
    assert not history.follows(frame(6))
    assert not history.follows(frame(8))
    assert not history.follows(frame(7, "f"))


def test_a_restart_forgets_everything():
    history = filled(0, 3, limit=4)
    history.restart(Position("f", 2))
    assert history.after(Position("e", 2)) is None
    assert history.after(Position("f", 1)) is None
    assert history.position == ("f", 2)
