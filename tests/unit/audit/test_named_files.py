"""Which files an event's bytes say have to be kept."""

import pytest
import rfc8785

from shared.contracts.cases.campaign import CampaignAdopted
from shared.files import kept_for

A, B = "a" * 64, "b" * 64


def body(type_: str, **data: object) -> bytes:
    return rfc8785.dumps({"type": type_, "data": data})


def test_however_deep_they_stand() -> None:
    told = body("intake.patrol.recorded.v1", route={"sha256": A, "points": 2}, more=[{"of": {"sha256": B}}, 3])
    assert kept_for(told) == {A, B}


@pytest.mark.parametrize(
    "told",
    [
        body(CampaignAdopted.type, sha256=A),
        body("reporting.report.filed.v1", content_sha256=A),
        body("intake.tip.received.v1", words='"sha256":"of nothing"'),
        body("intake.patrol.recorded.v1", route={"sha256": 3}),
        b'{"sha256":',
        b'["sha256":1]',
        b'["\\"sha256\\":"]',
        b'{"data":{"sha256":"' + b"\xff" + b'"}}',
    ],
    ids=["a plan's", "a text's", "words", "a number", "cut off", "no object", "a list", "no text"],
)
def test_what_names_none(told: bytes) -> None:
    assert kept_for(told) == set()
