"""What is let in and what is not: the table of things that people have tried, and the properties behind it."""

import json
import math
from unicodedata import is_normalized, normalize

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leaderboard.domain.errors import InvalidBody, InvalidIdempotencyKey, InvalidMetadata, InvalidPlayer
from leaderboard.domain.score import SCORE_LIMIT
from leaderboard.domain.text import (
    BODY_DEPTH,
    METADATA_BYTES,
    METADATA_DEPTH,
    NAME_LENGTH,
    check_game_mode,
    check_idempotency_key,
    clean_name,
    encode_metadata,
    find_duplicate_key,
    name_fault,
)


def name(text: str) -> str:
    return clean_name(text, what="player")


# Names


@pytest.mark.parametrize(
    "text",
    [
        "Ada",
        "bo_99",
        "a",
        "x" * NAME_LENGTH,
        "Cy the 3rd",
        "board:1:{2}",
        "'; DROP TABLE auth_user; --",
        "<script>alert(1)</script>",
        "../../etc",
        "...",
        "Åsa",
        "Łukasz",
        "Ωμέγα",
        "Дарья",
        "أحمد",
        "שרה",
        "さくら",
        "山田\u3000太郎",
        "김철수",
        "ศิริพร",
        "नेहा",
        "Ada 🎮",
        "🏆",
        "❤️",
        "❤️\u200d🔥",
        "👩\u200d👩\u200d👧",
        "👩🏽\u200d🚀",
        "🏳️\u200d🌈",
        "🇩🇪",
        "\U0001fae8",  # newer than this Python's Unicode tables
    ],
)
def test_a_name_that_people_have_stays_as_it_is(text):
    assert name(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("x" * (NAME_LENGTH + 1), "longer than"),
        ("ä" * (NAME_LENGTH + 1), "longer than"),
        ("x" * 10_000_000, "longer than"),
        (" Ada", "white space"),
        ("Ada ", "white space"),
        ("\u3000Ada", "white space"),
        ("Ada\n", "white space"),
        (" ", "white space"),
        (".", "URL"),
        ("..", "URL"),
        ("\u0301Ada", "mark"),
        ("A\0da", "U+0000"),
        ("A\nda", "U+000A"),
        ("A\tda", "U+0009"),
        ("A\x1bda", "U+001B"),
        ("A\x7fda", "U+007F"),
        ("A\x85da", "U+0085"),
        ("A\xa0da", "U+00A0"),
        ("A\xadda", "U+00AD"),
        ("A\u2003da", "U+2003"),
        ("A\u2028da", "U+2028"),
        ("A\u2029da", "U+2029"),
        ("A\ue000da", "U+E000"),
        ("A\ufffeda", "U+FFFE"),
        ("A\ufdd0da", "U+FDD0"),
        ("A\U0001ffffda", "U+1FFFF"),
        ("A\u0378da", "U+0378"),
        ("A\u034fda", "U+034F"),
        ("A\u3164da", "U+3164"),
        ("A\u115fda", "U+115F"),
        ("A\uffa0da", "U+FFA0"),
        ("A\u2800da", "U+2800"),
        ("A\u180bda", "U+180B"),
        ("A\U000e0041da", "U+E0041"),
        ("A\U000e0101da", "U+E0101"),
        ("Ada\ufe0f", "U+FE0F"),
        ("1\ufe0f\u20e3", "U+FE0F"),
        ("❤\ufe0e", "U+FE0E"),
        ("❤\ufe0f\ufe0f", "U+FE0F"),
        ("\u2800\ufe0f", "U+2800"),
        ("A\u200dda", "U+200D"),
        ("🎮\u200d", "U+200D"),
        ("🎮\u200d\u200d🎮", "U+200D"),
        ("\u200d🎮", "U+200D"),
        ("a\u200d🎮", "U+200D"),
    ],
)
def test_a_name_that_hides_or_disturbs_is_refused_with_the_reason(text, why):
    with pytest.raises(InvalidPlayer) as refused:
        name(text)
    assert why in refused.value.detail
    assert refused.value.detail.isascii(), "the refusal does not repeat what it refuses"
    assert refused.value.errors == [{"field": "player", "detail": refused.value.detail}]


INVISIBLE = [
    *map(chr, range(0xD800, 0xE000)),
    *map(chr, [*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF, 0x061C]),
]


@given(st.sampled_from(INVISIBLE), st.text("abc🎮 é", max_size=3), st.text("abc é", min_size=1, max_size=3))
def test_zero_width_bidi_and_half_characters_are_refused_wherever_they_stand(char, before, behind):
    with pytest.raises(InvalidPlayer):
        name(before + char + behind)


@given(st.text())
def test_a_name_that_is_let_in_is_normal_and_stays_let_in(text):
    try:
        clean = name(text)
    except InvalidPlayer:
        return
    assert clean == normalize("NFC", text)
    assert is_normalized("NFC", clean)
    assert name(clean) == clean
    assert 0 < len(clean) <= NAME_LENGTH
    assert clean.strip() == clean
    clean.encode()


@given(st.text(st.characters(max_codepoint=0x7F), max_size=NAME_LENGTH + 1))
@example("..")
@example("x" * (NAME_LENGTH + 1))
def test_the_short_way_for_ascii_decides_as_the_long_way_does(text):
    fault = name_fault(text, limit=NAME_LENGTH)
    if fault:
        with pytest.raises(InvalidPlayer):
            name(text)
    else:
        assert name(text) == text


def test_two_spellings_of_one_name_are_one_name():
    assert name("e\u0301va") == name("\u00e9va") == "\u00e9va"
    assert name("\u212bsa") == "\u00c5sa"


def test_length_is_counted_in_the_normal_form():
    assert len(name("e\u0301" * NAME_LENGTH)) == NAME_LENGTH
    with pytest.raises(InvalidPlayer, match="longer"):
        name("\u0958" * NAME_LENGTH)  # one character that NFC takes apart into two


def test_a_flood_of_marks_is_refused_before_it_is_sorted():
    """NFC sorts a run of marks in quadratic time: without a cap this takes hours, and a submit's body would hold enough of them."""
    with pytest.raises(InvalidPlayer, match="longer"):
        name("a" + "\u0301\u0323" * 1_000_000)


def test_a_limit_can_be_given():
    assert clean_name("Ada", what="title", limit=3) == "Ada"
    with pytest.raises(InvalidPlayer, match="title is longer than 2"):
        clean_name("Ada", what="title", limit=2)


# Game modes and keys


@pytest.mark.parametrize("text", ["", "arcade", "2v2:ranked", "Mode-1.2_b", "x" * 64])
def test_a_game_mode_is_let_in(text):
    assert check_game_mode(text) == text


@pytest.mark.parametrize("text", [" ", "a b", "x" * 65, "modus\n", "müde", "a/b", "\0", "\ud800", "{1}", "٣"])
def test_a_game_mode_of_other_characters_is_refused(text):
    with pytest.raises(InvalidBody) as refused:
        check_game_mode(text)
    assert [error["field"] for error in refused.value.errors] == ["game_mode"]


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255))
def test_an_idempotency_key_is_printable_ascii(text):
    assert check_idempotency_key(text) == text


@pytest.mark.parametrize("text", ["", "x" * 256, "a\nb", "a\0", "ключ", "\x7f", "\ud800", "a\u200b"])
def test_an_idempotency_key_of_other_characters_is_refused(text):
    with pytest.raises(InvalidIdempotencyKey):
        check_idempotency_key(text)


# Metadata


def nested(levels: int) -> dict:
    value: dict = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


plain = st.none() | st.booleans() | st.integers(-SCORE_LIMIT, SCORE_LIMIT) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
values = st.recursive(plain | texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8)


@given(st.dictionaries(texts, values, max_size=4))
def test_metadata_reads_back_as_it_was(value):
    try:
        text = encode_metadata(value)
    except InvalidMetadata:
        assert depth_of(value) > METADATA_DEPTH or len(json.dumps(value, ensure_ascii=False).encode()) > METADATA_BYTES
        return
    assert json.loads(text) == value
    assert msgspec.json.decode(text) == value
    assert len(text.encode()) <= METADATA_BYTES
    assert "\0" not in text


@pytest.mark.parametrize("value", [None, {}])
def test_no_metadata_is_an_empty_object(value):
    assert encode_metadata(value) == "{}"


def test_metadata_is_compact_and_keeps_its_letters():
    assert encode_metadata({"weapon": "épée", "combo": [1, 2.5, True, None]}) == '{"weapon":"épée","combo":[1,2.5,true,null]}'


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "object"),
        ("text", "object"),
        (0, "object"),
        (False, "object"),
        ({"a": math.nan}, "finite"),
        ({"a": [math.inf]}, "finite"),
        ({"a": -math.inf}, "finite"),
        ({"a": json.loads("1e400")}, "finite"),
        ({"a": SCORE_LIMIT + 1}, "integer"),
        ({"a": -SCORE_LIMIT - 1}, "integer"),
        ({"a": 10**5000}, "integer"),
        ({"a": "x\0y"}, "NUL"),
        ({"a\0": 1}, "NUL"),
        ({"a": {"b": ["\0"]}}, "NUL"),
        ({"a": "\ud800"}, "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({"a": b"bytes"}, "bytes"),
        ({1: "a"}, "key"),
        ({None: "a"}, "key"),
        (nested(METADATA_DEPTH + 1), "levels"),
        ({"a": [[[[[[[[]]]]]]]]}, "levels"),
        ({"a": "x" * METADATA_BYTES}, "bytes"),
        ({"a": "é" * (METADATA_BYTES // 2)}, "bytes"),
    ],
)
def test_metadata_that_not_every_database_and_client_reads_alike_is_refused(value, why):
    with pytest.raises(InvalidMetadata) as refused:
        encode_metadata(value)
    assert why in refused.value.detail
    assert refused.value.errors == [{"field": "metadata", "detail": refused.value.detail}]


def test_metadata_at_the_limits_is_let_in():
    assert encode_metadata(nested(METADATA_DEPTH))
    assert len(encode_metadata({"a": "x" * (METADATA_BYTES - len('{"a":""}'))})) == METADATA_BYTES
    assert encode_metadata({"a": [SCORE_LIMIT, -SCORE_LIMIT]}) == f'{{"a":[{SCORE_LIMIT},{-SCORE_LIMIT}]}}'


def test_metadata_nested_beyond_any_stack_is_refused_like_the_rest():
    with pytest.raises(InvalidMetadata, match="levels"):
        encode_metadata(nested(100_000))


# Duplicate keys


def pairs_of(text: str) -> list[list[tuple[str, object]]]:
    """The pairs of each object, read by the standard library's parser."""
    found: list[list[tuple[str, object]]] = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(pairs) or dict(pairs))
    return found


keys = st.sampled_from(["a", "b", "c", "player", "score", "é", '"', "\\", "a\\u0062"])
raw_keys = keys.flatmap(lambda key: st.sampled_from([json.dumps(key), json.dumps(key, ensure_ascii=False), '"\\u0061"', '"\\u0070layer"']))
spaces = st.sampled_from(["", " ", "\n\t"])


def objects(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    member = st.tuples(spaces, raw_keys, spaces, inner, spaces).map(lambda part: f"{part[0]}{part[1]}{part[2]}:{part[3]}{part[4]}")
    return st.lists(member, max_size=4).map(lambda members: "{" + ",".join(members) + "}")


def arrays(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]")


bodies = st.recursive(raw_keys | st.sampled_from(["1", "null", "-0.5"]), lambda inner: objects(inner) | arrays(inner), max_leaves=12)


@given(bodies)
def test_a_key_is_found_exactly_if_an_object_holds_it_twice(body):
    found = find_duplicate_key(body.encode())
    twice = {key for pairs in pairs_of(body) for key, _ in pairs if [other for other, _ in pairs].count(key) > 1}
    assert found in twice if twice else found is None


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ('{"score":1,"score":2}', "score"),
        ('{"score":1,"\\u0073core":2}', "score"),
        ('{"a":{"b":1,"b":2}}', "b"),
        ('[{"a":1},{"a":1,"b":2,"a":3}]', "a"),
        ('{"":1,"":2}', ""),
        ('{"a\\"":1,"a\\"":2}', 'a"'),
        ('{"\\ud800":1,"\\ud800":2}', "?"),
        ('{"' + "k" * 200 + '":1,"' + "k" * 200 + '":2}', "k" * 64),
    ],
)
def test_a_key_that_comes_twice_is_named(body, key):
    assert find_duplicate_key(body.encode()) == key


@pytest.mark.parametrize(
    "body",
    [
        '{"player":"ada","score":1}',
        '{"player":"score","score":1}',
        '{"player":"ada","metadata":{"player":"bo"}}',
        '[{"a":1},{"a":1}]',
        '{"a":"{\\"b\\":1,\\"b\\":2}"}',
        '{"a":"b","b":"a"}',
        "{}",
        "",
        "null",
    ],
)
def test_equal_words_elsewhere_are_no_duplicate(body):
    assert find_duplicate_key(body.encode()) is None


def deep(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + closing * levels


@pytest.mark.parametrize(
    "body",
    [
        deep(BODY_DEPTH + 1),
        deep(2_000),
        deep(500_000),
        b"[" * 2_000,
        b'{"a":' * 2_000,
        b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
        b'{"a":"\\"]]]","b":' + deep(2_000) + b"}",
        b'["\\\\",' + deep(2_000) + b"]",
        b"[ " * 2_000 + b"] " * 2_000,
        b"[]," * 2_000 + deep(2_000),
    ],
)
def test_a_body_that_nests_too_deep_is_refused_and_no_parser_runs_out_of_stack(body):
    with pytest.raises(InvalidBody, match="deep"):
        find_duplicate_key(body)


@pytest.mark.parametrize(
    "body",
    [
        deep(BODY_DEPTH),
        b"[" + b",".join([b'{"a":[{}]}'] * 1_000) + b"]",
        b'{"a":"' + b"[" * 2_000 + b'"}',
        b'{"a":"\\"' + b"{" * 2_000 + b'"}',
    ],
)
def test_a_body_that_is_wide_or_holds_brackets_in_texts_is_not_deep(body):
    assert find_duplicate_key(body) is None
    msgspec.json.decode(body)


@given(st.integers(1, 3 * BODY_DEPTH), st.data())
def test_depth_is_measured_exactly(levels, data):
    kinds = data.draw(st.lists(st.sampled_from([('{"k":', "}"), ("[", "]"), ('["]",[],', "]")]), min_size=levels, max_size=levels))
    body = "".join(opening for opening, _ in kinds) + "0" + "".join(closing for _, closing in reversed(kinds))
    depth = levels + (kinds[-1][0] == '["]",[],' and levels == BODY_DEPTH)  # its inner [] is one level more
    if depth > BODY_DEPTH:
        with pytest.raises(InvalidBody):
            find_duplicate_key(body.encode())
    else:
        assert find_duplicate_key(body.encode()) is None


@pytest.mark.parametrize(
    "body",
    [b'{"a":1,"a"', b'["a","a"', b'{"a":"\xff","b":"a","c":"a"}', b'["a","a",' + b"9" * 5_000 + b"]", b'\xef\xbb\xbf["a","a"]', b'"\\'],
)
def test_a_body_that_could_not_be_read_to_its_end_does_not_pass(body):
    with pytest.raises(InvalidBody):
        find_duplicate_key(body)


@given(st.binary() | st.text('[]{}":,\\a', max_size=200).map(str.encode))
def test_any_bytes_are_answered_or_refused(body):
    try:
        found = find_duplicate_key(body)
    except InvalidBody:
        return
    assert found is None or found.encode()
