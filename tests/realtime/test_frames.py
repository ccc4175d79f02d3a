"""What a client sends, cut as the network likes, and what is no WebSocket at all. The client is the library's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as Theirs
from websockets.protocol import CLIENT, OPEN, Protocol

from realtime.frames import PROTOCOL_ERROR, TOO_BIG, Broken, Opcode, Reader, close_frame, frame

LIMIT = 70_000


def sent(opcode, payload, *, fin=True, mask=True):
    return Frame(Theirs(opcode), payload, fin).serialize(mask=mask)


def fed(*pieces, limit=LIMIT):
    reader, got = Reader(limit), []
    for piece in pieces:
        reader.feed(piece)
        while (found := reader.next()) is not None:
            got.append(found)
    return got


PAYLOADS = st.one_of(st.binary(max_size=300), st.sampled_from([b"x" * size for size in (125, 126, 127, 65_535, 65_536, LIMIT)]))
MESSAGES = st.lists(st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY]), PAYLOADS), max_size=5)
CONTROLS = st.tuples(st.sampled_from([Opcode.PING, Opcode.PONG, Opcode.CLOSE]), st.binary(max_size=125))


@given(messages=MESSAGES, cuts=st.lists(st.integers(1, 400), max_size=20))
def test_whatever_the_pieces_the_messages_are_the_same(messages, cuts):
    stream, pieces = b"".join(sent(*message) for message in messages), []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    assert fed(*pieces, stream) == messages


@given(parts=st.lists(st.binary(max_size=200), min_size=1, max_size=6), between=st.lists(CONTROLS, max_size=6))
def test_fragments_are_joined_and_control_frames_come_through_between_them(parts, between):
    stream = b""
    for number, part in enumerate(parts):
        stream += sent(Opcode.CONTINUATION if number else Opcode.TEXT, part, fin=number == len(parts) - 1)
        if number < len(parts) - 1 and number < len(between):
            stream += sent(*between[number])
    controls = between[: len(parts) - 1]
    assert fed(stream) == [*controls, (Opcode.TEXT, b"".join(parts))]


def head(first, second):
    return bytes((first, second)) + b"\0" * 12


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (sent(Opcode.TEXT, b"x", mask=False), PROTOCOL_ERROR),
        (head(0x80 | 0x40 | 1, 0x80), PROTOCOL_ERROR),  # a reserved bit: an extension that nobody agreed on
        (head(0x80 | 3, 0x80), PROTOCOL_ERROR),  # no such opcode
        (head(0x80 | 0xB, 0x80), PROTOCOL_ERROR),
        (sent(Opcode.CONTINUATION, b"x"), PROTOCOL_ERROR),  # the rest of nothing
        (sent(Opcode.TEXT, b"x", fin=False) + sent(Opcode.TEXT, b"y"), PROTOCOL_ERROR),  # a message within another
        (head(0x09, 0x80), PROTOCOL_ERROR),  # a control frame in fragments
        (head(0x89, 0x80 | 126), PROTOCOL_ERROR),  # a long one
        (sent(Opcode.TEXT, b"x" * (LIMIT + 1)), TOO_BIG),
        (bytes((0x81, 0xFF)) + b"\xff" * 8, TOO_BIG),  # 2^64 - 1 bytes to come
        (sent(Opcode.TEXT, b"x" * 40_000, fin=False) + sent(Opcode.CONTINUATION, b"x" * 40_000, fin=False), TOO_BIG),
    ],
    ids=str,
)
def test_what_breaks_the_protocol_is_told_before_its_payload_is_there(stream, code):
    with pytest.raises(Broken) as broken:
        fed(*(stream[place : place + 7] for place in range(0, len(stream), 7)) if len(stream) < 100 else (stream,))
    assert broken.value.code == code


def test_a_frame_too_big_is_refused_by_its_head():
    with pytest.raises(Broken):
        fed(sent(Opcode.TEXT, b"x" * 200)[:4], limit=100)


@given(payload=PAYLOADS)
def test_the_library_reads_what_is_framed_here(payload):
    client = Protocol(CLIENT, state=OPEN, max_size=LIMIT)
    client.receive_data(frame(Opcode.BINARY, payload) + close_frame(4408, "too_slow"))
    message, _ = client.events_received()
    assert (message.opcode, bytes(message.data), message.fin) == (Theirs.BINARY, payload, True)
    assert (client.close_rcvd.code, client.close_rcvd.reason) == (4408, "too_slow")


def test_an_idle_reader_keeps_nothing():
    reader = Reader(LIMIT)
    reader.feed(sent(Opcode.TEXT, b"x" * 1000))
    assert reader.next() is not None
    assert reader._data == b""
