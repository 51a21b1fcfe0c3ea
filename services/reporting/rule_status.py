"""Which HTTP status a refusal answers with, where it is not 409: the report as it stands forbids it."""

from services.reporting import weekly_report_commands as rules

DOES_NOT_FIT = (rules.ReportReasonMissing, rules.ReportFieldNotCorrectable, rules.ReportValueDoesNotFit)
"""422: what was sent would not fit any report."""

NOT_THEIRS = (rules.NotDesignatedReporter, rules.NeedsOffice, rules.FilingNeedsDirector)
"""403: it is for other posts or persons to do."""

RULE_STATUS = {
    **{rule.__name__: 422 for rule in DOES_NOT_FIT},
    **{rule.__name__: 403 for rule in NOT_THEIRS},
}
