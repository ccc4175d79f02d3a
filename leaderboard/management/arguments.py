"""Kinds of arguments that several commands take."""

from argparse import ArgumentTypeError
from datetime import timedelta

LONGEST_S = 100 * 366 * 24 * 3600  # a hundred years: past it dates run out


def seconds(text: str) -> int:
    return _whole(text, low=0, high=LONGEST_S)


def days(text: str) -> timedelta:
    return timedelta(days=_whole(text, low=1, high=LONGEST_S // (24 * 3600)))


def _whole(text: str, *, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ArgumentTypeError(f"must be a whole number from {low} to {high}, not {text!r}")
    return int(text)
