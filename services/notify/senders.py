"""The ways out: mail and webhook. What stands in the inbox needs no sender; the line itself is the delivery.

Every failure becomes a code that says nothing of the content: smtp_451, http_503, refused, timeout …
"""

import base64
import binascii
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import httpx

from services.notify.letters import Letter
from shared.contracts.envelope import moment
from shared.errors import MinewatchError
from shared.outside import Delivery, SendFailed

TIMEOUT = 15.0
"""Seconds for a whole call."""


class OutsideMisconfigured(MinewatchError):
    """The address of the mail server or of a webhook cannot be used."""


@dataclass(frozen=True)
class MailServer:
    """`sender`: the From address, whose domain also makes the Message-ID. tls: none | starttls | implicit."""

    host: str
    port: int
    sender: str
    tls: str = "none"
    user: str | None = None
    password: str | None = None

    @staticmethod
    def at(address: str) -> "MailServer":
        """From `smtp://user:password@host:port?from=address&tls=starttls`, or `smtps://…`. Raises OutsideMisconfigured."""
        wanted = "mail: smtp[s]://[user:password@]host[:port]?from=address[&tls=starttls]"
        parts = urlsplit(address)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            port = parts.port
        except ValueError as error:
            raise OutsideMisconfigured(wanted) from error
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or "@" not in query.get("from", ""):
            raise OutsideMisconfigured(wanted)
        tls = "implicit" if parts.scheme == "smtps" else query.get("tls", "none")
        if tls not in ("none", "starttls", "implicit"):
            raise OutsideMisconfigured("mail: tls is none, starttls or implicit")
        return MailServer(
            parts.hostname,
            port or (465 if tls == "implicit" else 25),
            query["from"],
            tls,
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
        )


@dataclass(frozen=True)
class Mail:
    """Sends a letter by SMTP. `trust`: certificates for TLS, the system's when None."""

    server: MailServer
    timeout: float = TIMEOUT
    trust: ssl.SSLContext | None = None

    async def send(self, delivery: Delivery, letter: Letter) -> None:
        """Raises SendFailed; a reply of 5xx is permanent, and so is a recipient without an address."""
        if not letter.email:
            raise SendFailed("no_address", permanent=True)
        server = self.server
        try:
            await aiosmtplib.send(
                self.mail(delivery, letter),
                sender=server.sender,
                recipients=[letter.email],
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.tls == "implicit",
                start_tls=server.tls == "starttls",
                tls_context=self.trust,
                timeout=self.timeout,
            )
        except aiosmtplib.SMTPException as error:
            raise _smtp_failure(error) from error
        except (OSError, ValueError) as error:
            raise SendFailed("refused") from error

    def mail(self, delivery: Delivery, letter: Letter) -> EmailMessage:
        """The mail's Message-ID and Date are the same at every attempt, so that the other side may drop a second one."""
        mail = EmailMessage(policy=SMTP.clone(max_line_length=76))
        mail["From"], mail["To"], mail["Subject"] = self.server.sender, letter.email, letter.title
        mail["Date"] = format_datetime(letter.issued_at)
        mail["Message-ID"] = f"<{delivery.delivery_id}@minewatch.{self.server.sender.rsplit('@', 1)[-1]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.body, charset="utf-8", cte="base64")
        return mail


def _smtp_failure(error: aiosmtplib.SMTPException) -> SendFailed:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        codes = [refused.code for refused in error.recipients]
        return SendFailed(f"smtp_{codes[0]}", permanent=all(500 <= code < 600 for code in codes))
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return SendFailed(f"smtp_{error.code}", permanent=500 <= error.code < 600)
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return SendFailed("timeout")
    return SendFailed("refused")


@dataclass(frozen=True)
class Hook:
    """One receiver. `secret` as `whsec_<base64>`; `posts`: whose messages it wants, all when empty."""

    name: str
    url: str
    secret: str
    posts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise OutsideMisconfigured(f"webhook {self.name}: the address must begin with http:// or https://")
        key_of(self.secret)


@dataclass(frozen=True)
class Webhook:
    """Posts a letter as JSON, signed the way of Standard Webhooks (https://www.standardwebhooks.com), to the first hook that
    wants it. `now`: seconds since 1970, of the call and not of the campaign."""

    hooks: Sequence[Hook]
    client: httpx.AsyncClient
    timeout: float = TIMEOUT
    now: Callable[[], float] = time.time

    async def send(self, delivery: Delivery, letter: Letter) -> None:
        """Raises SendFailed; any answer but 2xx is a failure, and 410 Gone a permanent one."""
        post = letter.subject.post
        hook = next((hook for hook in self.hooks if not hook.posts or post in hook.posts), None)
        if hook is None:
            raise SendFailed("no_webhook", permanent=True)
        body = json.dumps(payload(letter), ensure_ascii=False, separators=(",", ":")).encode()
        at = int(self.now())
        headers = {
            "content-type": "application/json",
            "webhook-id": str(delivery.delivery_id),
            "webhook-timestamp": str(at),
            "webhook-signature": signature(hook.secret, str(delivery.delivery_id), at, body),
        }
        try:
            answer = await self.client.post(
                hook.url, content=body, headers=headers, timeout=self.timeout, follow_redirects=False
            )
        except httpx.TimeoutException as error:
            raise SendFailed("timeout") from error
        except httpx.HTTPError as error:
            raise SendFailed("refused") from error
        if not answer.is_success:
            raise SendFailed(f"http_{answer.status_code}", permanent=answer.status_code == 410)


def payload(letter: Letter) -> dict[str, Any]:
    """What a webhook's receiver gets: ids, codes, times, and the words made from them."""
    of = letter.subject
    times = {"due_at": of.due_at, "answer_by": of.answer_by}
    return {
        "type": f"message.{of.kind}",
        "timestamp": moment(letter.issued_at),
        "data": {
            "message": letter.message,
            "about": letter.about,
            "number": of.number,
            "recipient": letter.recipient,
            "post": of.post,
            "unit": of.unit,
            "village": of.village,
            "step": of.step,
            **{name: moment(at) if at else None for name, at in times.items()},
            "title": letter.title,
            "text": letter.body,
        },
    }


def key_of(secret: str) -> bytes:
    """The key in `whsec_<base64>`, 24 to 64 bytes. Raises OutsideMisconfigured."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise OutsideMisconfigured("a webhook's secret is whsec_ and base64") from error
    if not 24 <= len(key) <= 64:
        raise OutsideMisconfigured("a webhook's secret has 24 to 64 bytes")
    return key


def signature(secret: str, webhook_id: str, at: int, body: bytes) -> str:
    """`v1,<base64 of HMAC-SHA256 over id.timestamp.body>`."""
    signed = f"{webhook_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()
