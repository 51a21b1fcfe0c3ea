"""What the command line prints of an error: words for people first, in both languages, then what it was about."""

import pytest

from shared.cli import main
from shared.errors import MinewatchError, NotFound, NotReady, Refusal


class ShaftNeedsTwo(Refusal):
    """封堵须有两人到场。
    Two people must be there when a shaft is sealed."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ShaftNeedsTwo(), "封堵须有两人到场。 Two people must be there when a shaft is sealed."),
        (ShaftNeedsTwo(there=1), "封堵须有两人到场。 Two people must be there when a shaft is sealed. (there=1)"),
        (NotFound("hazard-7"), "没有找到，或您无权查看。 Not found, or not yours to see. (hazard-7)"),
        (NotReady("cases has no checkpoint"), "cases has no checkpoint"),
    ],
)
def test_an_error_is_said_in_words_and_not_as_the_name_of_its_class(
    error: MinewatchError, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raises() -> None:
        raise error

    monkeypatch.setattr(main, "commands", raises)
    monkeypatch.setattr(main, "forbid_core_dumps", lambda: None)
    with pytest.raises(SystemExit) as left:
        main.main()
    assert (left.value.code, capsys.readouterr().err) == (2, f"minewatch: {said}\n")
