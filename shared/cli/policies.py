"""The policy file of whoever verifies: every command reads it by the one rule (shared/verifier/trust.py)."""

from pathlib import Path

import click

from shared.errors import MinewatchError
from shared.transparency.policy import Policy
from shared.verifier.export import NO_WITNESS
from shared.verifier.trust import Unusable, policy_of, without_witness


class PolicyUnusable(MinewatchError):
    """The file cannot be read, trusts no log, or counts the operator; says which, Chinese first."""


def policy_in(file: Path) -> Policy:
    """Raises PolicyUnusable."""
    try:
        return policy_of(file.read_bytes())
    except OSError as error:
        raise PolicyUnusable(f"{file} 无法读取。 It cannot be read: {error.strerror}") from None
    except Unusable as error:
        raise PolicyUnusable(f"{file}: {error.chinese}\n{error.english}") from None


def say_what_it_cannot_prove(policy: Policy | None) -> None:
    """One that asks for no witness can be used, and is not passed off as more."""
    if policy is not None and without_witness(policy):
        click.echo("· 注意 {}\n  note {}".format(*NO_WITNESS))
