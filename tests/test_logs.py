"""What a line of the log shows of a defect: where it was, and nothing that the frames held."""

import logging
import sys

import pytest

from gaming_leaderboard import logs


def failed() -> logging.LogRecord:
    held = "_".join(("gl", "1a2b3c4d", "secret"))  # not as a traceback would quote the source
    try:
        raise ZeroDivisionError(len(held))
    except ZeroDivisionError:
        return logging.LogRecord("leaderboard", logging.ERROR, __file__, 1, "unhandled", (), sys.exc_info())


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_does_not_show_what_the_frames_held(log_format: str) -> None:
    line = logs.formatter(log_format).format(failed())
    assert "ZeroDivisionError" in line
    assert "test_logs.py" in line
    assert "gl_1a2b3c4d_secret" not in line
