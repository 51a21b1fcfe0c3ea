"""Fixtures that every test may ask for, and how long property tests look: HYPOTHESIS_PROFILE=long looks longer."""

import os

import pytest
from hypothesis import settings

from tests.support.servers import add_options, nats_server, postgres_server

settings.register_profile("short", max_examples=30, deadline=None)
settings.register_profile("long", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

__all__ = ["nats_server", "postgres_server"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)
