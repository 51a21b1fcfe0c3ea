"""Which HTTP status a refusal answers with, where it is not 409: the record as it stands forbids it."""

from services.cases import campaign, hazard_commands, rules, site

DOES_NOT_FIT = (
    rules.NotInPlan,
    hazard_commands.ResponsibleUnknown,
    hazard_commands.LeaderMissing,
    hazard_commands.LeaderLeadsNothing,
    hazard_commands.FieldNotCorrectable,
    hazard_commands.ValueDoesNotFit,
    site.SiteNeedsName,
    site.SiteUnknown,
    site.SiteFieldNotCorrectable,
    site.SiteValueDoesNotFit,
    campaign.AppointmentEndsBeforeStart,
)
"""422: what was sent would not fit any record."""

NOT_THEIRS = (
    hazard_commands.LeaderNamedByLeaders,
    hazard_commands.ExtensionNeedsLeader,
    hazard_commands.ExtensionByOtherPerson,
    hazard_commands.CompletionByOtherPerson,
    hazard_commands.AcceptanceNeedsInspector,
    hazard_commands.ErrorMarkNeedsOffice,
    site.SiteErrorMarkNeedsOffice,
)
"""403: it is for other posts or persons to do."""

RULE_STATUS = {
    **{rule.__name__: 422 for rule in DOES_NOT_FIT},
    **{rule.__name__: 403 for rule in NOT_THEIRS},
    campaign.AppointmentUnknown.__name__: 404,
}
