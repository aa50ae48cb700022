"""Secrets as a type: it prints as *** wherever it is printed, logged or sent."""

from pydantic import SecretStr


class Secret(SecretStr):
    """A password, key or token. `get_secret_value` returns it; nothing else shows it."""

    def _display(self) -> str:
        return "***" if self._secret_value else ""


def revealed(value: "Secret | str") -> str:
    """The text of a secret, at the place that needs it."""
    return value.get_secret_value() if isinstance(value, Secret) else value
