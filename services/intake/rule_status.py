"""Which HTTP status a refusal answers with, where it is not 409: the record as it stands forbids it."""

from services.intake import disclosing, patrol, receipt, route, rules, tip, tries, wording
from shared.identity.key_store import SubjectErased

DOES_NOT_FIT = (
    rules.UnknownChannel,
    rules.UnknownVillage,
    rules.UnknownUnit,
    rules.UnknownCategory,
    rules.UnknownViolation,
    rules.UnknownCode,
    rules.UnknownAuthority,
    rules.CorrectionNeedsReason,
    rules.FieldNotCorrectable,
    rules.CorrectionDoesNotFit,
    rules.GroundsNeeded,
    receipt.ReceiptMistyped,
    wording.RecordHasNoWords,
    tip.AnonymousTipHasName,
    tip.NamedTipNeedsName,
    tip.TipNeedsWords,
    tip.ScreeningNeedsSummary,
    tip.SubstantiatedTipNeedsFacts,
    patrol.PatrolNeedsTime,
    patrol.PatrolNeedsMembers,
    patrol.PatrolNeedsRoute,
    patrol.PatrolNeedsFindingsOrNone,
    patrol.PatrolNeedsHandling,
    patrol.PatrolNeedsPlaceAndUnit,
    patrol.FindingNeedsSummary,
    patrol.PatrolEndsBeforeStart,
    route.RouteUnreadable,
    route.RouteNeedsPoints,
    route.RouteNotKept,
    route.RouteOutsideEarth,
)
"""422: what was sent would not fit any record."""

RULE_STATUS = {
    **{rule.__name__: 422 for rule in DOES_NOT_FIT},
    route.RouteTooLarge.__name__: 413,
    tries.TooManyTries.__name__: 429,
    rules.SamePerson.__name__: 403,
    rules.ActsForAnother.__name__: 403,
    rules.InformantErased.__name__: 410,
    disclosing.OpeningBarred.__name__: 403,
    disclosing.IdentityAway.__name__: 503,
    disclosing.IdentityGone.__name__: 410,
    SubjectErased.__name__: 410,
}
