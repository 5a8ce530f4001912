"""What the pipeline tells about itself: runs, audits and releases."""

from __future__ import annotations

from schemas.contract import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    STRING,
    TIMESTAMP,
    Column,
    Layer,
    Table,
)


class LandedFiles(Table):
    """One row per file that was loaded: each is loaded once."""

    layer = Layer.OPS
    system_name = Column(STRING, "The system.", required=True)
    source = Column(STRING, "The landing source.", required=True)
    landed_file = Column(STRING, "The file, relative to the landing folder.", required=True)
    size_bytes = Column(BIGINT, "Its size.", required=True)
    modified_at = Column(TIMESTAMP, "Its modification time.", required=True)
    load_id = Column(BIGINT, "The load of the raw table that read it.", required=True)
    grain = ("landed_file", "size_bytes", "modified_at")


class Runs(Table):
    """One row per run and step that did something."""

    layer = Layer.OPS
    run_id = Column(STRING, "The run.", required=True)
    as_of = Column(DATE, "The run's logical date.", required=True)
    started_at = Column(TIMESTAMP, "When the run started.", required=True)
    table_name = Column(STRING, "layer.system.table written.", required=True)
    outcome = Column(STRING, "written, failed or blocked.", required=True)
    reason = Column(STRING, "Why the step ran.")
    version = Column(BIGINT, "The table's version after it.")
    rows_in = Column(BIGINT, "Rows that were new in its inputs; of a full build all of their rows.")
    rows_out = Column(BIGINT, "Rows written.")
    rows_quarantined = Column(BIGINT, "Rows put into quarantine.")
    seconds = Column(DOUBLE, "Seconds it took.", required=True)
    grain = ("run_id", "table_name")


class Audits(Table):
    """One row per run, table and audit: what was checked before the commit."""

    layer = Layer.OPS
    run_id = Column(STRING, "The run.", required=True)
    table_name = Column(STRING, "layer.system.table audited.", required=True)
    audit = Column(STRING, "The audit.", required=True)
    failures = Column(BIGINT, "Rows or groups that fail it; 0 passes.", required=True)
    passed = Column(BOOLEAN, "failures = 0.", required=True)
    grain = ("run_id", "table_name", "audit")


class Releases(Table):
    """One row per release and table: the versions that belong together."""

    layer = Layer.OPS
    release_id = Column(BIGINT, "Counts releases from 1.", required=True)
    run_id = Column(STRING, "The run that made it.", required=True)
    released_at = Column(TIMESTAMP, "When.", required=True)
    as_of = Column(DATE, "The run's logical date.", required=True)
    table_name = Column(STRING, "layer.system.table.", required=True)
    version = Column(BIGINT, "The table's Delta version.", required=True)
    grain = ("release_id", "table_name")


class PrivacyAudit(Table):
    """One row per load, name and rule: what a privacy policy did to the lines that landed."""

    layer = Layer.OPS
    run_id = Column(STRING, "The run.", required=True)
    system_name = Column(STRING, "The system.", required=True)
    source = Column(STRING, "The landing source.", required=True)
    load_id = Column(BIGINT, "The load of the raw table.", required=True)
    name = Column(
        STRING,
        "The column, or column.key of JSON, in snake_case; (line) for a whole line, (row) for a "
        "row, (other) for a name that is none.",
        required=True,
    )
    action = Column(STRING, "dropped, withheld, masked or refused.", required=True)
    rule = Column(STRING, "Why: the rule, or the pattern that was found.", required=True)
    count = Column(BIGINT, "Lines to which it was done.", required=True)
    grain = ("system_name", "source", "load_id", "name", "action", "rule")


TABLES = (LandedFiles, Runs, Audits, Releases, PrivacyAudit)
