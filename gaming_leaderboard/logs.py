"""Logs to standard error: one JSON object a line for machines, or coloured text for people."""

import logging.config
from typing import Any

import structlog


def formatter(log_format: str) -> structlog.stdlib.ProcessorFormatter:
    """How a line is written: LOG_FORMAT."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if log_format == "console":
        # Plain: where `rich` is installed the default shows every frame's variables, and one of them may be a key.
        renderer = [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer]
    )


def configure(options: dict[str, Any]) -> None:
    """Django calls this with settings.LOGGING; Celery's logger is left to it too."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"default": {"()": formatter, "log_format": options["format"]}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "default"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
            "loggers": {
                # A line per request or task would cost more than the request; metrics count them.
                "uvicorn": {"handlers": [], "propagate": True},  # the server has set up its own; lines are to be of one kind
                "uvicorn.error": {"level": "WARNING"},  # at INFO it writes two lines a socket
                "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
                "daphne": {"level": "WARNING"},
                # It prints a traceback a second while Redis is away; the hub says so once.
                "channels_redis.pubsub": {"level": "CRITICAL"},
                "axes": {"level": "WARNING"},  # a lock is a warning; that a login went well is none
                "celery.worker.strategy": {"level": "WARNING"},
                "celery.app.trace": {"level": "WARNING"},
                "celery.beat": {"level": "WARNING"},
            },
        }
    )
