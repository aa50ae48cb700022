"""Webhooks over the API: external services that are notified of events."""

from pydantic import Field

from netboot.operations.accounts import webhooks as operations
from web.api.subject import Items, NumberPath, Order, Subject, Value, items_of
from web.guard.access import Role, site

webhooks = Subject("webhooks", "External services notified of events.")


class Webhook(Value):
    """A URL that is notified of events; patterns such as `boot.*` are allowed."""

    id: int
    url: str
    events: list[str]
    enabled: bool
    created_at: float


class WebhookMade(Webhook):
    """A new webhook with its signing secret, which is not shown again."""

    secret: str


class NewWebhook(Order):
    """A new webhook."""

    url: str = Field(min_length=8, max_length=1000)
    events: list[str] = Field(min_length=1, max_length=20)


class WebhookChange(Order):
    """The changes; fields that are left out stay as they are."""

    url: str | None = Field(None, min_length=8, max_length=1000)
    events: list[str] | None = Field(None, min_length=1, max_length=20)
    enabled: bool | None = None


class Delivery(Value):
    """The delivery of one event; `answer` is the result of the last attempt."""

    id: int
    event: str
    state: str
    attempts: int
    answer: str
    created_at: float
    due_at: float


@webhooks.verb("GET", "", needs=Role.ADMIN)
def list_webhooks() -> Items[Webhook]:
    """List all webhooks."""
    return items_of(Webhook, operations.list_webhooks(site()))


@webhooks.verb("POST", "", needs=Role.ADMIN, status=201, action="create", gives_secret=True)
def add_webhook(body: NewWebhook) -> WebhookMade:
    """Add a webhook."""
    made, secret = operations.add_webhook(site(), body.url, body.events)
    return WebhookMade(**Webhook.of(made).model_dump(), secret=secret)


@webhooks.verb("GET", "/<int:number>", needs=Role.ADMIN)
def get_webhook(path: NumberPath) -> Webhook:
    """Get a webhook."""
    return Webhook.of(operations.get_webhook(site(), path.number))


@webhooks.verb("PATCH", "/<int:number>", needs=Role.ADMIN, action="change")
def change_webhook(path: NumberPath, body: WebhookChange) -> Webhook:
    """Change the URL or events of a webhook, or turn it on or off."""
    return Webhook.of(operations.change_webhook(site(), path.number, **body.model_dump()))


@webhooks.verb("DELETE", "/<int:number>", needs=Role.ADMIN, action="delete")
def remove_webhook(path: NumberPath) -> None:
    """Remove a webhook."""
    operations.remove_webhook(site(), path.number)


@webhooks.verb("POST", "/<int:number>/test", needs=Role.ADMIN, status=202, action="test")
def test_webhook(path: NumberPath) -> Delivery:
    """Send a test message."""
    return Delivery.of(operations.send_test(site(), path.number))


@webhooks.verb("GET", "/<int:number>/deliveries", needs=Role.ADMIN)
def list_deliveries(path: NumberPath) -> Items[Delivery]:
    """List the deliveries of a webhook, newest first."""
    return items_of(Delivery, operations.deliveries(site(), path.number))
