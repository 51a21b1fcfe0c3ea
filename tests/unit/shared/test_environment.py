"""`minewatch environment`: the file that docker-compose.yml reads, made once."""

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from shared.cli.environment import environment, read_environment
from shared.decider import Actor
from shared.identity.tokens import SERVICE_VALID, Tokens
from shared.settings import SERVICES, Settings
from tests.support.plans import FOLDER, REAL, loaded

COMPOSE = (Path(__file__).parents[3] / "docker-compose.yml").read_text("utf-8")


def made(file: Path) -> Result:
    return CliRunner().invoke(environment, ["--plan", str(FOLDER / REAL), "--file", str(file)])


def read(file: Path) -> dict[str, str]:
    assert made(file).exit_code == 0
    return read_environment(file)


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    assert made(tmp_path / ".env").exit_code == 0
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_it_is_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    before = read(file)
    again = made(file)
    assert again.exit_code == 1 and "is there already" in again.output
    assert before["MINEWATCH_MASTER_KEY"] in file.read_text("utf-8")


def test_every_value_stands_in_single_quotes_and_has_no_variable_in_it(tmp_path: Path) -> None:
    assert made(tmp_path / ".env").exit_code == 0
    lines = [line for line in (tmp_path / ".env").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"MINEWATCH_[A-Z_]+='[^'$]+'", line)] == []


def test_what_a_person_added_is_read_too(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    before = read(file)
    with file.open("a", encoding="utf-8") as more:
        more.write('\n# ours\nMINEWATCH_PUBLISH=0.0.0.0:80\nMINEWATCH_MAIL="smtp://h?from=a@b.example"\n')
    added = {"MINEWATCH_PUBLISH": "0.0.0.0:80", "MINEWATCH_MAIL": "smtp://h?from=a@b.example"}
    assert read_environment(file) == before | added


def test_a_plan_with_mistakes_makes_no_file(tmp_path: Path) -> None:
    plan, file = tmp_path / "plan.yaml", tmp_path / ".env"
    plan.write_text("plan: {}\n", "utf-8")
    result = CliRunner().invoke(environment, ["--plan", str(plan), "--file", str(file)])
    assert result.exit_code == 1 and not file.exists()


def test_every_secret_is_fresh_and_none_stands_for_two(tmp_path: Path) -> None:
    one, other = read(tmp_path / "one"), read(tmp_path / "other")
    secret = [name for name in one if name.endswith(("_PASSWORD", "_SECRET", "_KEY", "_PUBLIC", "_PRIVATE"))]
    assert len(one) - len(secret) == len(("JURISDICTION", "TOWN", "PLAN"))
    values = [values[name] for name in secret for values in (one, other)]
    assert len(set(values)) == len(values)


def test_it_gives_all_that_compose_demands_and_nothing_that_compose_does_not_read(tmp_path: Path) -> None:
    demanded = set(re.findall(r"\$\{(MINEWATCH_[A-Z_]+):\?", COMPOSE))
    assert demanded == read(tmp_path / ".env").keys() - {"MINEWATCH_TOKEN_PRIVATE"}, "the private key stays outside"


def test_no_secret_has_a_default_in_compose() -> None:
    empty = "${MINEWATCH_NEW_MASTER_KEY:-}"  # none is taken where none is given
    optional = set(re.findall(r"\$\{(MINEWATCH_[A-Z_]+):[-+]", COMPOSE.replace(empty, "")))
    assert not [name for name in optional if name.endswith(("_PASSWORD", "_SECRET", "_KEY"))]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_read_its_settings_from_what_compose_gives_it(tmp_path: Path, service: str) -> None:
    values = read(tmp_path / ".env")
    given = yaml.safe_load(re.sub(r"\$\{([A-Z_]+):\?[^}]*\}", lambda name: values[name[1]], COMPOSE))
    environment = {k: "" if "${" in str(v) else str(v) for k, v in given["services"][service]["environment"].items()}
    settings = Settings.from_environment(service, environment)
    assert settings.jurisdiction == loaded().plan.jurisdiction
    assert settings.nats_url == f"nats://{service}:{values[f'MINEWATCH_NATS_{service.upper()}_PASSWORD']}@nats:4222"
    assert settings.token_private is None
    signing = Tokens(settings.token_public, values["MINEWATCH_TOKEN_PRIVATE"].replace("\\n", "\n"))
    actor = Actor("p-clerk-1", "clerk", "campaign_office")
    assert Tokens(settings.token_public).read(signing.issue(actor, SERVICE_VALID)) == actor
