"""`python minewatch-verify.pyz PATH --policy FILE`: what is asked, what is answered, and the exit code, which is never lost."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from shared.transparency.checkpoint import PROOF
from shared.transparency.policy import Policy
from shared.verifier.doubts import Doubt, Refused
from shared.verifier.export import Wanted, verify_export
from shared.verifier.files import MOST_BODY, MOST_NOTE, read_file
from shared.verifier.pack import verify_pack
from shared.verifier.progress import Progress
from shared.verifier.proofs import verify_proof
from shared.verifier.receipts import Receipt
from shared.verifier.report import UNREADABLE, Report, unreadable
from shared.verifier.trust import Unusable, kept, key_of, policy_of

MOST_POLICY = 1_000_000

KINDS = {
    "export": ("导出文件夹", "an export folder", "--receipt --receipt-key --known --service --processes --scratch"),
    "pack": ("证据包", "an evidence pack", "--receipt-key"),
    "proof": ("单个证明", "a single proof", "--entry"),
}
"""What is verified, and which options it takes."""

ABOUT = """\
核验日志导出文件夹、证据包（zip）或单个证明。退出码：0 全部证实；1 有疑点；2 无法读取。
Verify an export folder, an evidence pack (zip) or a single proof. Exit code: 0 all proven; 1 a doubt; 2 cannot be read."""
EPILOGUE = """\
policy 请用您自己的：导出和证据包里的只是建议。 Bring your own policy: the one in an export or a pack is only a suggestion.
quorum 算上本单位自己的见证人（名称以 TOWN/ 开头）的 policy 不予采用；quorum none 可用，但什么也不能向运营方证明。
A policy whose quorum counts a witness of the town's own (named TOWN/…) is refused; `quorum none` is taken, and said to prove
nothing against the operator."""


@dataclass(frozen=True)
class Question:
    """What the command line asks."""

    path: Path
    policy: Path
    entry: Path | None = None
    receipts: tuple[Path, ...] = ()
    receipt_keys: tuple[str, ...] = ()
    known: tuple[Path, ...] = ()
    services: tuple[str, ...] = ()
    as_json: bool = False
    processes: int = 0
    scratch: Path | None = None


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(UNREADABLE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str]) -> int:
    parser = Parser("minewatch-verify", description=ABOUT, epilog=EPILOGUE)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "path", type=Path, metavar="PATH", help="导出文件夹、证据包或 .tlog-proof · an export, a pack, a proof"
    )
    parser.add_argument(
        "--policy", type=Path, required=True, metavar="FILE", help="您的见证规则 · whose signatures count for you"
    )
    parser.add_argument("--entry", type=Path, metavar="FILE", help="证明所说的事件 · the event that a proof is about")
    parser.add_argument(
        "--receipt",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="签名回执，其事件须在日志中 · a signed receipt whose event has to be in the log",
    )
    parser.add_argument(
        "--receipt-key",
        action="append",
        default=[],
        metavar="VKEY",
        help="回执公钥，证据包的页面也由它签名；也可写作 policy 的 log 行 · a receipts' key, which signs the pages of a pack "
        "too, unless a log line of the policy has it",
    )
    parser.add_argument(
        "--known",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="您以前保存的检查点 · a checkpoint that you kept and that the export has to continue",
    )
    parser.add_argument(
        "--service",
        action="append",
        default=[],
        metavar="NAME",
        help="只核验导出中的这个服务，可重复；默认规则里有的都须在 · only this one of an export; by default all of the policy",
    )
    parser.add_argument("--json", action="store_true", help="结果供程序读取 · the result for machines")
    parser.add_argument(
        "--processes", type=int, default=0, metavar="N", help="进程数，默认为处理器数 · default: the number of cores"
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="临时文件处，每事件约 140 字节 · where temporary files go, 140 bytes an event",
    )
    a = parser.parse_args(arguments)
    return run(
        Question(
            a.path, a.policy, a.entry, tuple(a.receipt), tuple(a.receipt_key), tuple(a.known), tuple(a.service), a.json,
            a.processes, a.scratch,
        )
    )  # fmt: skip


def run(question: Question) -> int:
    """Prints the answer; the exit code. Whatever goes wrong on the way is no success."""
    try:
        report = answer(question)
        print(report.as_json() if question.as_json else "\n".join(report.lines()), flush=True)
        return report.code
    except Unusable as error:
        chinese, english = error.chinese, error.english
    except Exception as error:  # a verifier that stumbles has verified nothing
        chinese = f"核验没有完成：{type(error).__name__} {error}"
        english = f"the verification did not get to its end: {type(error).__name__} {error}"
    if question.as_json:
        print(unreadable(chinese, english), flush=True)
    else:
        print(f"{chinese}\n{english}", file=sys.stderr)
    return UNREADABLE


def answer(question: Question) -> Report:
    """Raises Unusable."""
    policy = policy_of(_read(question.policy, MOST_POLICY))
    path = question.path
    if not path.exists():
        raise Unusable(f"没有 {path}", f"there is no {path}")
    kind = _kind(path)
    _must_fit(question, kind)
    if kind == "proof":
        if question.entry is None:
            raise Unusable("单个证明还需要 --entry 给出事件", "a single proof needs its event: --entry FILE")
        return verify_proof(_read(path, MOST_NOTE), _read(question.entry, MOST_BODY), policy)
    with Progress() as progress:
        if kind == "pack":
            return verify_pack(path, policy, progress.told, tuple(map(key_of, question.receipt_keys)))
        wanted, doubts = _wanted(question, policy, progress)
        report = verify_export(path, wanted)
        report.doubts.take(doubts)
        return report


def _kind(path: Path) -> str:
    if path.is_dir():
        return "export"
    with path.open("rb") as file:
        return "proof" if file.read(len(PROOF)) == PROOF.encode() else "pack"


def _must_fit(question: Question, kind: str) -> None:
    """Raises Unusable for what was given and would not be looked at: it must not seem to have been."""
    given = {
        "--entry": question.entry,
        "--receipt": question.receipts,
        "--receipt-key": question.receipt_keys,
        "--known": question.known,
        "--service": question.services,
        "--processes": question.processes,
        "--scratch": question.scratch,
    }
    chinese, english, taken = KINDS[kind]
    unused = ", ".join(name for name, value in given.items() if value and name not in taken.split())
    if unused:
        raise Unusable(
            f"{unused} 不能用于{chinese}，没有核验", f"{unused} cannot be used with {english}: nothing was verified"
        )
    if kind == "export" and question.receipt_keys and not question.receipts:
        raise Unusable(
            "--receipt-key 核验导出时要与 --receipt 一起给出", "--receipt-key is given with --receipt, of an export"
        )


def _wanted(question: Question, policy: Policy, progress: Progress) -> tuple[Wanted, list[Doubt]]:
    """And what is wrong with the receipts as such."""
    keys = (*policy.logs, *map(key_of, question.receipt_keys))
    receipts: list[Receipt] = []
    doubts: list[Doubt] = []
    for path in question.receipts:
        try:
            receipts.append(Receipt.read(_read(path, MOST_NOTE), keys))
        except Refused as error:
            doubts.append(error.doubt)
    known = tuple(kept(_read(path, MOST_NOTE), policy) for path in question.known)
    wanted = Wanted(
        policy, tuple(receipts), known, question.services, question.processes, question.scratch, progress.told
    )
    return wanted, doubts


def _read(path: Path, most: int) -> bytes:
    try:
        return read_file(path, most, str(path))
    except Refused as error:
        raise Unusable(error.doubt.chinese, error.doubt.english) from None
    except OSError as error:
        raise Unusable(f"{path} 无法读取：{error.strerror}", f"{path} cannot be read: {error.strerror}") from None
