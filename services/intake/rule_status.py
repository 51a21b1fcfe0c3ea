"""Which HTTP status a refusal answers with, where it is not 409: the record as it stands forbids it."""

from services.intake import patrol, receipt, route, rules, tip, tries

DOES_NOT_FIT = (
    rules.UnknownChannel,
    rules.UnknownVillage,
    rules.UnknownUnit,
    rules.UnknownCategory,
    rules.UnknownViolation,
    rules.UnknownCode,
    rules.CorrectionNeedsReason,
    rules.FieldNotCorrectable,
    rules.CorrectionDoesNotFit,
    receipt.ReceiptMistyped,
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
}
