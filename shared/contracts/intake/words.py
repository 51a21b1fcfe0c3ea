"""The office's own words in one record, erased because they name somebody. Stands in a stream of its own, `words-<record>`.

What is written about it is sealed by that stream, whose key goes too.
"""

from shared.contracts.event import Code, Event, Id, OfficeText


class WordsErasureRequested(Event):
    """`record`: a stream of any service. ground: names_informant | names_person | court_order."""

    type = "intake.words.erasure_requested.v1"
    record: Id
    requested_by: Id
    ground: Code
    grounds: OfficeText


class WordsErasureApproved(Event):
    """By a second person. From here on the erasure is work to be done."""

    type = "intake.words.erasure_approved.v1"
    approved_by: Id


class WordsErasureRefused(Event):
    type = "intake.words.erasure_refused.v1"
    refused_by: Id
    reason: OfficeText


class WordsErased(Event):
    """`keys` are destroyed, all that the stream `subject` was sealed with until then: nothing written before opens anywhere.
    The stream may go on with another key. Recorded after they are gone."""

    type = "intake.words.erased.v1"
    subject: Id
    keys: tuple[Id, ...]


EVENTS = (WordsErasureRequested, WordsErasureApproved, WordsErasureRefused, WordsErased)
