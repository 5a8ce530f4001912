"""Social activity as it lands: the sources, and their rows typed and judged."""

from __future__ import annotations

from schemas.contract import (
    DATE,
    MONEY,
    STRING,
    TIMESTAMP,
    Column,
    Layer,
    Privacy,
    Source,
    Table,
    quarantine_table,
    raw_table,
)

SYSTEM = "social"
PSEUDONYM, CONTACT, NETWORK = Privacy.PSEUDONYM, Privacy.CONTACT, Privacy.NETWORK
_ISO = "ISO 8601, or epoch milliseconds."


class Users(Source):
    """One row per state of a user; the source is optional."""

    system = SYSTEM
    user_id = Column(STRING, "The user.", privacy=PSEUDONYM)
    status = Column(STRING, "As the site calls it.")
    name = Column(STRING, "Name.", privacy=Privacy.NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    created_at = Column(STRING, _ISO)
    updated_at = Column(STRING, _ISO)
    required = (("user_id",), ("updated_at",))


class Contents(Source):
    """One row per state of a piece of content; the source is optional."""

    system = SYSTEM
    content_id = Column(STRING, "The content.")
    content_type = Column(STRING, "Post, photo, video and the like.")
    content_name = Column(STRING, "Title.", privacy=Privacy.FREE_TEXT)
    content_desc = Column(STRING, "Description.", privacy=Privacy.FREE_TEXT)
    creator_id = Column(STRING, "Who made it.", privacy=PSEUDONYM)
    created_at = Column(STRING, _ISO)
    updated_at = Column(STRING, _ISO)
    required = (("content_id",), ("updated_at",))


class Campaigns(Source):
    """One row per campaign; the source is optional."""

    system = SYSTEM
    campaign_id = Column(STRING, "The campaign.")
    campaign_type = Column(STRING, "Its kind.")
    campaign_name = Column(STRING, "Name.")
    campaign_desc = Column(STRING, "Description.")
    created_at = Column(STRING, _ISO)
    starttime = Column(STRING, _ISO)
    endtime = Column(STRING, _ISO)
    required = (("campaign_id",),)


class Devices(Source):
    """One row per device; the source is optional."""

    system = SYSTEM
    device_id = Column(STRING, "The device.", privacy=PSEUDONYM)
    device_type = Column(STRING, "Phone, tablet, desktop and the like.")
    os = Column(STRING, "Operating system.")
    required = (("device_id",),)


class ContentEvents(Source):
    """One row per thing that a user did."""

    system = SYSTEM
    event_id = Column(STRING, "The event.")
    event_time = Column(STRING, _ISO)
    event_type = Column(STRING, "view, like, comment, share, login, post, or any other name.")
    content_id = Column(STRING, "On what, if on anything.")
    creator_id = Column(STRING, "Whose content it is.", privacy=PSEUDONYM)
    viewer_id = Column(STRING, "Who did it.", privacy=PSEUDONYM)
    device_id = Column(STRING, "With which device.", privacy=PSEUDONYM)
    ip_address = Column(STRING, "From which address.", privacy=NETWORK)
    required = (("event_id",), ("event_time",), ("event_type",), ("viewer_id",))


class AdEvents(Source):
    """One row per impression, click or conversion of an ad; the source is optional."""

    system = SYSTEM
    event_id = Column(STRING, "The event.")
    event_time = Column(STRING, _ISO)
    event_type = Column(STRING, "impression, click, conversion, or any other name.")
    campaign_id = Column(STRING, "Of which campaign.")
    user_id = Column(STRING, "Who saw it.", privacy=PSEUDONYM)
    device_id = Column(STRING, "On which device.", privacy=PSEUDONYM)
    ip_address = Column(STRING, "From which address.", privacy=NETWORK)
    revenue = Column(STRING, "Decimal number.")
    cost = Column(STRING, "Decimal number.")
    required = (("event_id",), ("event_time",), ("event_type",))


RawUsers = raw_table(Users)
RawContents = raw_table(Contents)
RawCampaigns = raw_table(Campaigns)
RawDevices = raw_table(Devices)
RawContentEvents = raw_table(ContentEvents)
RawAdEvents = raw_table(AdEvents)


class _Staging(Table):
    layer = Layer.STAGING
    system = SYSTEM
    record_id = Column(STRING, "Hash of all landed values.", required=True)


class _States(_Staging):
    updated_at = Column(TIMESTAMP, "When this state came to be.", required=True)
    updated_date = Column(DATE, "Day of updated_at in the reporting zone.", required=True)
    created_at = Column(TIMESTAMP, "When it was created.")
    grain = ("record_id",)
    partitioned_by = ("updated_date",)


class StgUsers(_States):
    """One row per state of a user, however often it landed."""

    user_id = Column(STRING, "The user.", required=True, privacy=PSEUDONYM)
    status = Column(STRING, "As the site calls it.")
    name = Column(STRING, "Name.", privacy=Privacy.NAME)
    email = Column(STRING, "E-mail address.", privacy=CONTACT)
    phone = Column(STRING, "Telephone.", privacy=CONTACT)
    skipping = ("user_id",)


class StgContents(_States):
    """One row per state of a piece of content, however often it landed."""

    content_id = Column(STRING, "The content.", required=True)
    content_type = Column(STRING, "Post, photo, video and the like.")
    content_name = Column(STRING, "Title.", privacy=Privacy.FREE_TEXT)
    content_desc = Column(STRING, "Description.", privacy=Privacy.FREE_TEXT)
    creator_id = Column(STRING, "Who made it.", privacy=PSEUDONYM)
    skipping = ("content_id",)


class StgCampaigns(_Staging):
    """One row per campaign and what was told of it, however often it landed."""

    campaign_id = Column(STRING, "The campaign.", required=True)
    campaign_type = Column(STRING, "Its kind.")
    campaign_name = Column(STRING, "Name.")
    campaign_desc = Column(STRING, "Description.")
    created_at = Column(TIMESTAMP, "When it was created.")
    start_at = Column(TIMESTAMP, "When it starts: starttime.")
    end_at = Column(TIMESTAMP, "When it ends: endtime.")
    grain = ("record_id",)


class StgDevices(_Staging):
    """One row per device and what was told of it, however often it landed."""

    device_id = Column(STRING, "The device.", required=True, privacy=PSEUDONYM)
    device_type = Column(STRING, "Phone, tablet, desktop and the like.")
    os = Column(STRING, "Operating system.")
    grain = ("record_id",)


class _Events(_Staging):
    event_id = Column(STRING, "The event.", required=True)
    event_time = Column(TIMESTAMP, "When.", required=True)
    event_date = Column(DATE, "Day of event_time in the reporting zone.", required=True)
    event_type = Column(STRING, "What happened, in lower case.", required=True)
    device_id = Column(STRING, "The device; NULL if absent.", privacy=PSEUDONYM)
    ip_address = Column(STRING, "The address.", privacy=NETWORK)
    grain = ("event_id", "event_date")
    partitioned_by = ("event_date",)
    skipping = ("event_time",)


class StgContentEvents(_Events):
    """One row per event and day: of records that share both, the first by content."""

    content_id = Column(STRING, "On what, if on anything.")
    creator_id = Column(STRING, "Whose content it is.", privacy=PSEUDONYM)
    viewer_id = Column(STRING, "Who did it.", required=True, privacy=PSEUDONYM)


class StgAdEvents(_Events):
    """One row per event and day: of records that share both, the first by content."""

    campaign_id = Column(STRING, "Of which campaign.")
    user_id = Column(STRING, "Who saw it; NULL if absent.", privacy=PSEUDONYM)
    revenue = Column(MONEY, "What it brought; NULL if nothing was told.")
    cost = Column(MONEY, "What it cost; NULL if nothing was told.")


STAGED = (
    (RawUsers, StgUsers),
    (RawContents, StgContents),
    (RawCampaigns, StgCampaigns),
    (RawDevices, StgDevices),
    (RawContentEvents, StgContentEvents),
    (RawAdEvents, StgAdEvents),
)
QUARANTINES: dict[type[Table], type[Table]] = {
    staged: quarantine_table(staged) for _, staged in STAGED
}
