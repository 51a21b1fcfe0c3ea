"""What leaves the house: the mail as bytes, the webhook's signature, and settings that cannot be used."""

import base64
import json
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from services.notify.letters import Letter, Subject
from services.notify.main import hooks_in
from services.notify.senders import (
    Hook,
    Mail,
    MailServer,
    OutsideMisconfigured,
    Webhook,
    key_of,
    payload,
    signature,
)
from shared.outside import Delivery, SendFailed

DELIVERY = Delivery(UUID(int=7), "message-1", "email", 1, None, "c-1")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""Of the reference tests of Standard Webhooks."""


def a_letter(email: str | None = "head@example.org", post: str = "police_officer") -> Letter:
    subject = Subject(
        kind="assignment",
        number=14,
        village="140181101207",
        unit="dulan",
        post=post,
        due_at=datetime(2018, 2, 18, 10, tzinfo=UTC),
        answer_by=None,
        step=0,
    )
    issued_at = datetime(2018, 2, 11, 4, tzinfo=UTC)
    return Letter(
        message="1",
        about="hazard-1",
        subject=subject,
        recipient="p-1",
        email=email,
        issued_at=issued_at,
        title="【三落实】隐患 014 由您负责，限 02-18 18:00 前整改 / Hazard 014 is yours",
        body="独兰村 隐患 014\n\nHazard 014\n",
    )


def test_a_signature_is_that_of_the_reference_implementation() -> None:
    made = signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_prefix_of_a_secret_may_be_left_out() -> None:
    assert key_of(SECRET) == key_of(SECRET.removeprefix("whsec_"))


@pytest.mark.parametrize(
    "secret", [SECRET + "!", "whsec_", "whsec_c2hvcnQ=", "whsec_" + base64.b64encode(bytes(65)).decode()]
)
def test_a_secret_that_is_no_key_of_24_to_64_bytes_is_refused(secret: str) -> None:
    with pytest.raises(OutsideMisconfigured):
        Hook("police", "https://example.org/hook", secret)


def test_a_webhook_has_an_address_of_http() -> None:
    with pytest.raises(OutsideMisconfigured, match="http"):
        Hook("police", "ftp://example.org", SECRET)


def test_a_mail_says_the_same_at_every_attempt() -> None:
    mail = Mail(MailServer("mail.example.org", 25, "minewatch@example.org"))
    first, second = bytes(mail.mail(DELIVERY, a_letter())), bytes(mail.mail(DELIVERY, a_letter()))
    assert first == second
    read = message_from_bytes(first, policy=policy.default)
    assert read["Message-ID"] == f"<{UUID(int=7)}@minewatch.example.org>"
    assert read["Subject"] == a_letter().title
    assert read["Date"].datetime == datetime(2018, 2, 11, 4, tzinfo=UTC)
    assert read.get_content().replace("\r\n", "\n") == a_letter().body
    assert max(len(line) for line in first.splitlines()) <= 78 and first.isascii()


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("smtp://mail.example.org?from=m@example.org", MailServer("mail.example.org", 25, "m@example.org")),
        (
            "smtps://mail.example.org?from=m@example.org",
            MailServer("mail.example.org", 465, "m@example.org", "implicit"),
        ),
        (
            "smtp://u:p%40ss@mail.example.org:587?from=m@example.org&tls=starttls",
            MailServer("mail.example.org", 587, "m@example.org", "starttls", "u", "p@ss"),
        ),
    ],
)
def test_a_mail_server_is_given_by_an_address(address: str, server: MailServer) -> None:
    assert MailServer.at(address) == server


@pytest.mark.parametrize(
    "address",
    ["http://mail.example.org?from=a@b", "smtp://?from=a@b", "smtp://mail.example.org", "smtp://h:x?from=a@b", "smtp://h?from=a@b&tls=ssl"],
)  # fmt: skip
def test_a_mail_address_that_cannot_be_used_says_what_is_wanted(address: str) -> None:
    with pytest.raises(OutsideMisconfigured, match="mail"):
        MailServer.at(address)


async def test_a_recipient_without_an_address_gets_no_mail_ever() -> None:
    mail = Mail(MailServer("mail.example.org", 25, "minewatch@example.org"))
    with pytest.raises(SendFailed) as failed:
        await mail.send(DELIVERY, a_letter(email=None))
    assert (failed.value.code, failed.value.permanent) == ("no_address", True)


async def test_a_post_that_no_hook_wants_gets_no_webhook() -> None:
    async with httpx.AsyncClient() as client:
        hook = Hook("land", "https://example.org", SECRET, frozenset({"land_officer"}))
        with pytest.raises(SendFailed) as failed:
            await Webhook((hook,), client).send(DELIVERY, a_letter())
    assert (failed.value.code, failed.value.permanent) == ("no_webhook", True)


def test_a_webhook_carries_codes_times_and_the_very_words() -> None:
    data = payload(a_letter())
    assert (data["type"], data["timestamp"]) == ("message.assignment", "2018-02-11T04:00:00.000000Z")
    assert data["data"]["due_at"] == "2018-02-18T10:00:00.000000Z"
    assert data["data"]["answer_by"] is None
    assert data["data"]["text"] == a_letter().body


def test_hooks_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.json"
    hook = {"name": "police", "url": "https://example.org/hook", "secret": SECRET, "posts": ["police_officer"]}
    path.write_text(json.dumps({"hooks": [hook]}), "utf-8")
    assert hooks_in(path) == (Hook("police", "https://example.org/hook", SECRET, frozenset({"police_officer"})),)
    assert hooks_in(None) == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hooks": [{"name": "police"}]}', '{"hooks": 3}'])
def test_a_file_of_hooks_that_cannot_be_read_says_what_is_wanted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "webhooks.json"
    path.write_text(text, "utf-8")
    with pytest.raises(OutsideMisconfigured, match=r"webhooks\.json"):
        hooks_in(path)
