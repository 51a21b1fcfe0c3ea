"""What Postgres writes down of an error names nobody, in the embedded town and in the one of containers."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.embedded.postgres import SETTINGS

COMPOSE = Path(__file__).parents[3] / "docker-compose.yml"


def of_compose() -> dict[str, str]:
    told: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    command = told["services"]["postgres"]["command"]
    return dict(word.split("=", 1) for word in command if "=" in word)


@pytest.mark.parametrize("settings", [SETTINGS, of_compose()], ids=["embedded", "containers"])
def test_an_error_is_logged_without_rows_and_without_its_statement(settings: dict[str, str]) -> None:
    assert settings["log_error_verbosity"] == "terse"
    assert settings["log_min_error_statement"] == "panic"
    assert not any(
        name in settings for name in ("log_statement", "log_min_duration_statement", "log_parameter_max_length")
    )
