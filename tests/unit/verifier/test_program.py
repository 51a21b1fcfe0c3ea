"""The program: exit codes, words, the answer for machines, and one file that needs nothing of ours."""

import json
import os
import re
import subprocess
import sys
import zipfile
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cffi
import cryptography
import pytest
from click.testing import CliRunner

from shared.cli.audit_verify import verifier, verify
from shared.transparency.checkpoint import proof_file
from shared.transparency.note import LOG
from shared.verifier import archive
from shared.verifier.doubts import doubt, shown
from shared.verifier.program import main
from shared.verifier.progress import Progress
from shared.verifier.report import Part, Report
from shared.verifier.words import WORDS
from shared.verifier.working import hands
from tests.unit.verifier.logs import (
    LOG_PRIVATE,
    TOWN,
    Tree,
    checkpoint,
    key,
    many_bodies,
    policy_text,
    put,
    some_events,
    write,
)
from tests.unit.verifier.packs import events_of_a_case, files_of, zipped

EVENTS = some_events(12)
MADE = Tree(EVENTS.bodies)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """An export, a pack, a proof and its entry, and a policy."""
    write(tmp_path / "export/cases", EVENTS.bodies)
    zipped(tmp_path / "pack.zip", files_of(events_of_a_case()))
    put(tmp_path / "5.tlog-proof", proof_file(4, MADE.inclusion(4), checkpoint(12, MADE.root)).encode())
    put(tmp_path / "5.json", MADE.bodies[4])
    put(tmp_path / "policy", policy_text().encode())
    return tmp_path


EXPORTS_ONLY = [
    ("--receipt", "5.json"), ("--receipt-key", "x"), ("--known", "5.json"), ("--service", "cases"), ("--processes", "2"),
    ("--scratch", "export/"),
]  # fmt: skip


def run(town: Path, *arguments: str) -> int:
    return main([str(town / each) if "." in each or "/" in each or each == "policy" else each for each in arguments])


def test_what_is_proven_ends_with_0(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(town, "export/", "--policy", "policy") == 0
    assert run(town, "export/cases", "--policy", "policy") == 0
    assert run(town, "pack.zip", "--policy", "policy") == 0
    assert run(town, "5.tlog-proof", "--entry", "5.json", "--policy", "policy") == 0
    said = capsys.readouterr().out.splitlines()
    assert said.count("结论：全部证实") == said.count("Result: all proven") == 4
    assert "  见证 witnessed by: police 2026-09-21 14:13:20Z、land 2026-09-21 14:13:20Z" in said


def test_a_doubt_ends_with_1_and_is_named_in_both_languages(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((town / "export/cases/tile/entries").rglob("12"))
    path.write_bytes(path.read_bytes().replace(b'"n":7,', b'"n":8,'))
    assert run(town, "export/", "--policy", "policy") == 1
    said = capsys.readouterr().out.splitlines()
    zh = next(n for n, line in enumerate(said) if line.startswith("✗ 疑点 cases 第 7 号事件：事件的字节与哈希瓦片"))
    assert said[zh + 1].startswith("  doubt cases event 7: the event's bytes are not those whose hash")
    assert said[-2:] == ["结论：有疑点，不能采信", "Result: in doubt, not to be relied on"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere/", "--policy", "policy"],
        ["export/", "--policy", "no/policy"],
        ["export/", "--policy", "5.json"],
        ["5.json", "--policy", "policy"],
        ["5.tlog-proof", "--policy", "policy"],
        ["5.tlog-proof", "--entry", "nowhere.json", "--policy", "policy"],
        ["pack.zip", "--policy", "policy", "--receipt", "5.json"],
        ["export/", "--policy", "policy", "--known", "5.json"],
        ["export/", "--policy", "policy", "--receipt-key", "x"],
        ["export/", "--policy", "policy", "--scratch", "no/where"],
    ],
)
def test_what_cannot_be_read_ends_with_2_and_says_why(
    town: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(town, *arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 2
    assert run(town, *arguments, "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"] == "unreadable" and answer["zh"] and answer["en"]


@pytest.mark.parametrize(
    "arguments", [[], ["export/"], ["export/", "--policy", "policy", "--what"], ["export/", "--policy"]]
)
def test_a_wrong_call_ends_with_2(town: Path, arguments: list[str]) -> None:
    """Without a policy nothing is verified: the one in an export is not taken instead."""
    put(town / "export/policy", policy_text().encode())
    with pytest.raises(SystemExit) as ended:
        run(town, *arguments)
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("path", "option", "value"),
    [
        ("export/", "--entry", "5.json"),
        ("export/cases", "--entry", "5.json"),
        ("pack.zip", "--entry", "5.json"),
        *[("pack.zip", option, value) for option, value in EXPORTS_ONLY if option != "--receipt-key"],
        *[("5.tlog-proof", option, value) for option, value in EXPORTS_ONLY],
    ],
)
def test_an_option_that_would_not_be_looked_at_is_refused(
    town: Path, path: str, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked and not answered must not end with 0."""
    entry = ["--entry", "5.json"] if path == "5.tlog-proof" else []
    assert run(town, path, "--policy", "policy", *entry, option, value) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and all(line.startswith(f"{option} ") for line in said)


def test_a_key_for_receipts_without_a_receipt_is_refused(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vkey = policy_text().split()[1]
    assert run(town, "export/", "--policy", "policy", "--receipt-key", vkey) == 2
    assert "--receipt-key is given with --receipt" in capsys.readouterr().err


def test_which_services_an_export_is_to_have_can_be_said(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = f"log {key(f'{TOWN}/intake/l', LOG, LOG_PRIVATE)}\n"
    put(town / "policy", (policy_text() + more).encode())
    assert run(town, "export/", "--policy", "policy") == 1
    assert "the log of intake should be here and is not" in capsys.readouterr().out
    assert run(town, "export/", "--policy", "policy", "--service", "cases") == 0
    arguments = [str(town / "export"), "--policy", str(town / "policy")]
    assert CliRunner().invoke(verify, arguments).exit_code == 1
    assert CliRunner().invoke(verify, [*arguments, "--service", "cases"]).exit_code == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--receipt", "5.json"), ("--receipt-key", "x"), ("--entry", "5.json"), ("--json", None), ("--processes", "2"),
        ("--scratch", "export"),
    ],
)  # fmt: skip
def test_a_living_town_is_not_asked_what_it_does_not_answer(
    town: Path, option: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def agrees(*_: object) -> int:
        return 0

    monkeypatch.setattr("shared.cli.audit_live.verify_town", agrees)
    arguments = ["--live", "--policy", str(town / "policy")]
    assert CliRunner().invoke(verify, arguments).exit_code == 0
    given = [option] if value is None else [option, str(town / value) if value[0] in "5e" else value]
    answer = CliRunner().invoke(verify, [*arguments, *given])
    assert answer.exit_code == 2 and f"{option} cannot be used with --live" in answer.output


def test_the_folder_of_a_town_is_not_taken_for_files(town: Path) -> None:
    arguments = [str(town / "export"), "--policy", str(town / "policy"), "--data", str(town)]
    answer = CliRunner().invoke(verify, arguments)
    assert answer.exit_code == 2 and "--data goes with --live" in answer.output


@pytest.mark.parametrize(("path", "line"), [("export/", "cases [████████████████████] 12 / 12"),
                                            ("pack.zip", "cases [████████████████████] 9 / 9")])  # fmt: skip
def test_whoever_waits_at_a_terminal_sees_how_far_it_is(
    town: Path, path: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(town, path, "--policy", "policy") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert run(town, path, "--policy", "policy") == 0
    shown = capsys.readouterr().err
    assert line in shown and shown.endswith("\r\x1b[K"), "and it is gone when the answer is there"


def test_the_line_is_not_written_for_every_event(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Progress() as progress:
        for events in range(100_001):
            progress.told("a\x1b[2J", events, 100_000)
    shown = capsys.readouterr().err
    assert 2 <= shown.count(" / 100,000") < 100 and "100,000 / 100,000" in shown and "\x1b[2J" not in shown


def test_a_receipt_that_nobody_trusted_signed_is_a_doubt(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(town, "export/", "--policy", "policy", "--receipt", "5.json", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"] == "doubt" and [one["code"] for one in answer["doubts"]] == ["receipt_form"]


def test_machines_are_told_everything(town: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(town, "export/", "--policy", "policy", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    (part,) = answer["parts"]
    assert answer["result"] == "proven" and answer["kind"] == "export"
    assert (part["size"], part["root"], part["events"], part["doubts"], part["first"]) == (
        12,
        MADE.root.hex(),
        12,
        0,
        [],
    )
    put(town / "export/cases/tile/more", b"")
    assert run(town, "export/", "--policy", "policy", "--json") == 1
    (one,) = json.loads(capsys.readouterr().out)["parts"][0]["first"]
    assert (
        (one["position"], one["code"]) == (None, "file_stray") and "tile/more" in one["zh"] and "tile/more" in one["en"]
    )


def test_nothing_verified_is_nothing_proven() -> None:
    assert [Report("export").code, Report("export", [Part("cases")]).code] == [1, 1]


def test_the_same_command_of_ours_answers_the_same(town: Path) -> None:
    answer = CliRunner().invoke(verify, [str(town / "export"), "--policy", str(town / "policy")])
    assert answer.exit_code == 0 and "Result: all proven" in answer.output
    put(town / "export/cases/checkpoint", str(checkpoint(12, MADE.root, witnesses=())).encode())
    answer = CliRunner().invoke(verify, [str(town / "export"), "--policy", str(town / "policy")])
    assert answer.exit_code == 1 and "does not meet your policy" in answer.output
    answer = CliRunner().invoke(verify, [str(town / "nothing"), "--policy", str(town / "policy")])
    assert answer.exit_code == 2


# ------------------------------------------------------------------------------------------------------ alone


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the verifier, and beside it a folder with cryptography and no other package."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "packages").mkdir()
    backend = next(Path(cffi.__file__).parents[1].glob("_cffi_backend*"))
    for path in (Path(cryptography.__file__).parent, Path(cffi.__file__).parent, backend):
        (folder / "packages" / path.name).symlink_to(path)
    (folder / "here").mkdir()
    answer = CliRunner().invoke(verifier, ["--to", str(folder / "here")])
    assert answer.exit_code == 0 and "minewatch-verify.pyz sha256 " in answer.output
    return folder


def start(alone: Path, *arguments: str, packages: str = "packages") -> subprocess.CompletedProcess[str]:
    """No site-packages, no user's packages, nothing of this checkout."""
    python = getattr(sys, "_base_executable", sys.executable)
    return subprocess.run(
        [python, "-S", "-s", archive.NAME, *arguments],
        cwd=alone / "here", capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": str(alone / packages), "PATH": os.environ["PATH"]},
    )  # fmt: skip


def test_the_file_alone_verifies_with_nothing_but_python_and_cryptography(alone: Path, town: Path) -> None:
    assert os.listdir(alone / "here") == [archive.NAME]
    for path in ("export", "pack.zip"):
        answer = start(alone, str(town / path), "--policy", str(town / "policy"))
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
        assert "Result: all proven" in answer.stdout
    cut = next((town / "export/cases/tile/entries").rglob("12"))
    cut.write_bytes(cut.read_bytes()[:-1])
    answer = start(alone, str(town / "export"), "--policy", str(town / "policy"))
    assert answer.returncode == 1 and "event 12" in answer.stdout


def test_the_file_alone_shares_the_work_among_processes(alone: Path, tmp_path: Path) -> None:
    write(tmp_path / "cases", many_bodies(20_000))
    put(tmp_path / "policy", policy_text().encode())
    answer = start(alone, str(tmp_path / "cases"), "--policy", str(tmp_path / "policy"), "--processes", "2", "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["parts"][0]["events"] == 20_000


def test_without_cryptography_it_says_what_is_needed(alone: Path, town: Path) -> None:
    answer = start(alone, str(town / "export"), "--policy", str(town / "policy"), packages="nothing")
    assert answer.returncode == 2 and "pip install cryptography" in answer.stderr


def test_the_file_is_the_readable_sources_and_the_same_bytes_each_time(alone: Path) -> None:
    assert archive.build() == archive.build() == (alone / "here" / archive.NAME).read_bytes()
    root = Path(archive.__file__).parents[2]
    with zipfile.ZipFile(alone / "here" / archive.NAME) as opened:
        names = opened.namelist()
        for name in names:
            if name != "__main__.py" and not name.endswith("__init__.py"):
                assert opened.read(name) == (root / name).read_bytes()
    ours = {f"shared/verifier/{path.name}" for path in (root / "shared/verifier").glob("*.py")}
    formats = {f"shared/transparency/{name}.py" for name in ("note", "checkpoint", "checking", "policy", "__init__")}
    assert set(names) == ours | formats | {"shared/__init__.py", "__main__.py"}


def test_it_imports_the_standard_library_cryptography_and_the_formats() -> None:
    root = Path(archive.__file__).parents[2]
    allowed = {*sys.stdlib_module_names, "cryptography"}
    for path in [
        *(root / "shared/verifier").glob("*.py"),
        *(root / f"shared/transparency/{n}.py" for n in archive.FORMATS),
    ]:
        for line in re.findall(r"^(?:from|import) (\S+)", path.read_text("utf-8"), re.MULTILINE):
            mine = line.startswith("shared.verifier") or line.removeprefix("shared.transparency.") in archive.FORMATS
            assert mine or line.partition(".")[0] in allowed, (path.name, line)


# ------------------------------------------------------------------------------------------------------ words


def test_every_doubt_there_can_be_is_raised_somewhere_and_shown_by_a_test_here() -> None:
    sources = "".join(path.read_text("utf-8") for path in Path(archive.__file__).parent.glob("*.py"))
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    raised = set(re.findall(r'(?:doubt|refused)\(\s*"(\w+)"', sources)) | set(re.findall(r', "(\w+)"\)', sources))
    assert set(WORDS) <= raised
    assert [code for code in WORDS if f'"{code}"' not in tests] == []


@pytest.mark.parametrize("code", WORDS)
def test_both_languages_say_the_same_places(code: str) -> None:
    zh, en = WORDS[code]
    assert set(re.findall(r"{(\w+)}", en)) == set(re.findall(r"{(\w+)}", zh))
    assert re.search(r"[一-鿿]", zh) and not re.search(r"[一-鿿]", en)


def test_what_strangers_wrote_moves_no_cursor_and_fills_no_screen() -> None:
    assert shown("a\x1b[2Jb\n\u202e") == "a\\x1b[2Jb\\n\\u202e"
    assert len(shown("x" * 10**6)) == 200
    one = doubt("source", 3, source="{wanted}\x07", wanted="/t/s")
    assert one.english == "its source is {wanted}\\x07, the log is that of /t/s"


def test_a_process_that_dies_is_no_success() -> None:
    """What goes wrong while answers are awaited is raised, and ends with 2 as the cases above do."""
    with pytest.raises(BrokenProcessPool), hands(2) as shared:
        list(shared.answers(os._exit, [0]))
