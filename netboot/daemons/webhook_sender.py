"""Sends the webhooks' messages that are due; the projector queues them.

A message may arrive twice if an answer is lost; its delivery id shows that. A failed message is
sent again, each time later, up to a limit.

Signature: `Netboot-Signature: t=<seconds>,v1=<HMAC-SHA-256 of "<seconds>.<body>", hex>`.
"""

import hashlib
import hmac
import json
import time

from sqlalchemy import select

from netboot.operations.accounts.webhooks import DELIVERED, FAILED, PENDING
from netboot.outbound import Outbound
from netboot.site import Site
from netboot.store.database.account_records import DeliveryRow, WebhookRow

LOOK_SECONDS = 1.0
SECONDS = 10.0
"""Limit for one message, from the first byte to the end of the answer's head."""
RETRY_SECONDS = (10.0, 60.0, 300.0, 1800.0, 7200.0)


class WebhookSender:
    """Sends what is due; the worker calls `send_due` every LOOK_SECONDS."""

    def __init__(self, site: Site, *, seconds: float = SECONDS) -> None:
        self._site = site
        self._outbound = Outbound(site.settings.webhook_networks, seconds=seconds)

    def send_due(self, now: float) -> int:
        """Send what is due; returns how many messages arrived."""
        query = (
            select(DeliveryRow, WebhookRow)
            .join(WebhookRow, WebhookRow.id == DeliveryRow.webhook_id)
            .where(DeliveryRow.state == PENDING, DeliveryRow.due_at <= now)
            .order_by(DeliveryRow.id)
            .limit(20)
        )
        with self._site.database.transaction() as session:
            due = [(delivery, hook) for delivery, hook in session.execute(query)]
        return sum(self._send(delivery, hook) for delivery, hook in due)

    def _send(self, delivery: DeliveryRow, hook: WebhookRow) -> bool:
        body = json.dumps({"id": delivery.id, **delivery.payload}, sort_keys=True).encode()
        seconds = int(time.time())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "netboot",
            "Netboot-Event": delivery.event,
            "Netboot-Delivery": str(delivery.id),
            "Netboot-Signature": f"t={seconds},v1={signature(hook.secret, seconds, body)}",
        }
        try:
            status = self._outbound.post(hook.url, body, headers)
            arrived, answer = 200 <= status < 300, f"HTTP {status}"
        except OSError as fault:
            arrived, answer = False, str(fault)
        self._record(delivery.id, answer, arrived=arrived)
        return arrived

    def _record(self, number: int, answer: str, *, arrived: bool) -> None:
        with self._site.database.writing() as session:
            row = session.get(DeliveryRow, number)
            if row is None:
                return  # its webhook was removed
            row.attempts += 1
            row.answer = answer[:255]
            if arrived:
                row.state = DELIVERED
            elif row.attempts > len(RETRY_SECONDS):
                row.state = FAILED
            else:
                row.due_at = time.time() + RETRY_SECONDS[row.attempts - 1]


def signature(secret: str, seconds: int, body: bytes) -> str:
    """Proves that a message is ours and not old."""
    text = f"{seconds}.".encode() + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
