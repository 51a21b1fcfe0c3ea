"""The drill's mail server does what its mode says."""

import asyncio
import time
from collections.abc import AsyncIterator
from email.message import EmailMessage
from uuid import uuid4

import aiosmtplib
import pytest

from tests.faults.mail import Mailbox, a_mailbox


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with a_mailbox() as made:
        yield made


async def send(mailbox: Mailbox) -> str:
    """The letter's Message-ID."""
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "minewatch@example.org", "clerk-1@example.org", "催办"
    letter["Message-ID"] = f"<{uuid4()}@minewatch.example.org>"
    letter.set_content("请看。", charset="utf-8", cte="base64")
    await aiosmtplib.send(letter, hostname="127.0.0.1", port=mailbox.port)
    return str(letter["Message-ID"]).strip("<>")


async def test_a_letter_is_taken_and_its_message_id_kept(mailbox: Mailbox) -> None:
    ids = [await send(mailbox), await send(mailbox)]
    assert [(one.message_id, one.to) for one in mailbox.taken] == [(id_, "clerk-1@example.org") for id_ in ids]
    assert mailbox.address == f"smtp://127.0.0.1:{mailbox.port}?from=minewatch@example.org"


async def test_a_slow_server_takes_the_letter_late(mailbox: Mailbox) -> None:
    mailbox.mode, mailbox.slow = "slow", 0.3
    began = time.monotonic()
    await send(mailbox)
    assert time.monotonic() - began >= 0.3 and len(mailbox.taken) == 1


async def test_whoever_does_not_wait_for_the_slow_answer_has_been_heard_all_the_same(mailbox: Mailbox) -> None:
    mailbox.mode, mailbox.slow = "slow", 2.0  # the client says goodbye, and hears of that after so long
    sending = asyncio.create_task(send(mailbox))
    async with asyncio.timeout(10):
        while not mailbox.taken:
            await asyncio.sleep(0.01)
    assert not sending.done()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert len(mailbox.taken) == 1


@pytest.mark.parametrize(("mode", "code"), [("refuse_temporary", 451), ("refuse_for_good", 550)])
async def test_a_refusing_server_takes_nothing_until_it_takes_again(mailbox: Mailbox, mode: str, code: int) -> None:
    mailbox.mode = mode  # type: ignore[assignment]
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(mailbox)
    assert refused.value.code == code and mailbox.taken == []
    assert [met for met, _ in mailbox.met] == [mode]
    assert len(mailbox.refused_for_good()) == (mode == "refuse_for_good")
    mailbox.mode = "ok"
    await send(mailbox)
    assert len(mailbox.taken) == 1 == len(mailbox.met)
