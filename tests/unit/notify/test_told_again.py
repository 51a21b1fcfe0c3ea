"""A restored source publishes the same event again, at another position: expected wherever an id is made from it."""

import pytest

from services.cases.bus import REACTIONS as OF_CASES
from services.notify.bus import REACTIONS as OF_NOTIFY
from shared.errors import StreamExists
from shared.reaction import Reaction


@pytest.mark.parametrize("reaction", [*OF_NOTIFY.all, *OF_CASES.all], ids=lambda reaction: reaction.name)
def test_a_reaction_that_begins_a_stream_expects_to_have_begun_it_before(reaction: Reaction) -> None:
    assert StreamExists in reaction.expects
