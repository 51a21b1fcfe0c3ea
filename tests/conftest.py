"""Fixtures that every test may ask for, and how long property tests look: HYPOTHESIS_PROFILE=long looks longer."""

import gc
import os
from typing import Any

import pytest
from hypothesis import settings

from tests.support.servers import add_options, ground, nats_server, postgres_server, templates
from tests.support.sharing_out import Shares, put_in_order

gc.disable()  # nothing that is imported goes: pytest_collection_finish
settings.register_profile("short", max_examples=30, deadline=None)
settings.register_profile("long", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

__all__ = ["ground", "nats_server", "postgres_server", "templates"]


def pytest_addoption(parser: pytest.Parser) -> None:
    add_options(parser)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    put_in_order(items)


def pytest_collection_finish() -> None:
    """What was imported stays to the end: to look through it for garbage again and again took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares | None:
    return Shares(config, log) if config.getoption("dist") == "loadfile" else None
