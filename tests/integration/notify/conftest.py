"""notify on real servers: its database alone, or the whole service in a town, with a mail server and a receiver of webhooks."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.notify.outside import MailServer, Receiver, a_mail_server, a_receiver
from tests.integration.notify.sending import Office, an_office
from tests.support.kernel import Templates


@pytest.fixture
async def office(templates: Templates) -> AsyncIterator[Office]:
    async with an_office(templates) as made:
        yield made


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with a_mail_server() as server:
        yield server


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as made:
        yield made
