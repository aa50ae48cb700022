"""Log format of all processes: text, or one JSON object a line.

`log_format = "json"` in netboot.toml, or NETBOOT_LOG_FORMAT=json. It also applies to the logs of
libraries (gunicorn, SQLAlchemy, Flask).
"""

import logging
import sys
from typing import Literal

import structlog

SHARED: tuple[structlog.types.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logs(log_format: Literal["text", "json"], *, process: str) -> None:
    """Write this process's log to standard error, with the name `process` in each line."""
    last: tuple[structlog.types.Processor, ...]
    if log_format == "json":
        last = (structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer())
    else:
        last = (structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),)
    structlog.configure(
        processors=[
            *SHARED,
            _named(process),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
            foreign_pre_chain=[*SHARED, _named(process)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("netboot").setLevel(logging.INFO)
    logging.getLogger("web").setLevel(logging.INFO)


def _named(process: str) -> structlog.types.Processor:
    """Adds the process name in every thread; a context variable would not reach all of them."""

    def name(
        _logger: object, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event.setdefault("process", process)
        return event

    return name
