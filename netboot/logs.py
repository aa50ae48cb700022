"""Log format of all processes: text, or one JSON object a line.

`log_format = "json"` in netboot.toml, or NETBOOT_LOG_FORMAT=json. It also applies to the logs of
libraries (gunicorn, SQLAlchemy, Flask).

A traceback never shows the values of local variables: they hold passwords and what requests sent.
What looks like a secret in a message of a library is replaced by ***.
"""

import logging
import re
import sys
from typing import Any, Literal

import structlog
from structlog.tracebacks import ExceptionDictTransformer

SHARED: tuple[structlog.types.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


_configured: list[str] = []
"""The process, once it has a log of its own."""


def keep_values_out() -> None:
    """For a command: structlog's own default prints the values of variables, too."""
    if _configured:
        return
    plain = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    chain: list[Any] = [*SHARED, structlog.dev.set_exc_info, plain, _masked]
    structlog.configure(processors=chain)


def configure_logs(log_format: Literal["text", "json"], *, process: str) -> None:
    """Write this process's log to standard error, with the name `process` in each line."""
    last: tuple[Any, ...]
    if log_format == "json":
        plain = ExceptionDictTransformer(show_locals=False)
        last = (
            structlog.processors.ExceptionRenderer(plain),
            structlog.processors.JSONRenderer(),
            _masked,
        )
    else:
        last = (
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
            _masked,
        )
    _configured.append(process)
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


SECRETS = (
    # name=value and "name": "value", as in addresses, forms, JSON and reprs
    re.compile(
        r"""(?i)([\w-]*(?:password|passwd|secret|token|api_?key)["'\\]*\s*[=:]\s*)"""
        r"""(?!["'\\]*\*\*\*)(["'\\]*)[^\s"'\\&,;)\]}]+"""
    ),
    re.compile(r"()(?i:(bearer|basic) +)[\w.~+/=-]{8,}"),
    re.compile(r"(://[^:/@\s]*:)()[^@/\s]+(?=@)"),
)


def mask_secrets(text: str) -> str:
    """The text with *** in place of what is named like a secret."""
    for pattern in SECRETS:
        text = pattern.sub(r"\1\2***", text)
    return text


def _masked(_logger: object, _method: str, text: str) -> str:
    return mask_secrets(text)


def _named(process: str) -> structlog.types.Processor:
    """Adds the process name in every thread; a context variable would not reach all of them."""

    def name(
        _logger: object, _method: str, event: structlog.types.EventDict
    ) -> structlog.types.EventDict:
        event.setdefault("process", process)
        return event

    return name
