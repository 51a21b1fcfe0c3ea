"""A town's folder remembers what the town was started with, for whoever looks at it from outside."""

from pathlib import Path

from shared.embedded.home import Home
from shared.ways_out import lacking

MAIL = "smtp://user:secret@mail.example.org?from=m@example.org"


def test_the_mail_server_a_town_runs_with_is_known_until_it_is_started_without(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()

    def missing_in(looking: Home) -> dict[str, str]:
        return lacking(looking.settings("notify", "t", "postgresql://127.0.0.1:1/postgres", "nats://127.0.0.1:1"))

    assert missing_in(home) == {"email": "no_mail", "webhook": "no_webhooks"}
    home.keep_mail(MAIL)
    assert Home(tmp_path).mail == MAIL and (home.run / "mail").stat().st_mode & 0o777 == 0o600
    (tmp_path / "keys" / "webhooks.json").write_text('{"hooks": []}', "utf-8")
    assert missing_in(Home(tmp_path)) == {}
    home.keep_mail(None)
    assert missing_in(Home(tmp_path)) == {"email": "no_mail"}
