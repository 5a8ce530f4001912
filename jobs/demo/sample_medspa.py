"""Sample data for the system ``medspa``: the landing files of an invented clinic.

The behaviour is in ``sample_medspa_behaviour``. CSV files are named as the clinic's code
is, in camelCase, JSON lines in snake_case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from random import Random

from jobs.demo import sample_medspa_canaries as canaries
from jobs.demo.sample_delivery import Naming, Row, SourceFiles, write_days
from jobs.demo.sample_medspa_behaviour import COLUMNS, Clinic
from jobs.demo.sample_web import SampleFile

# So that few leads have something of everything.
SPOILED_SHARE = 0.1
Spoiling = Callable[[Random], Row]


def _one_of(*changes: Row) -> Spoiling:
    return lambda random: random.choice(changes)


def _files(
    source: str,
    time: str | None,
    late_share: float = 0.0,
    in_json: bool = False,
    **spoilings: Spoiling,
) -> SourceFiles:
    columns = COLUMNS[source]
    return SourceFiles(
        columns,
        "lead_id" if source == "legal_holds" else "id",
        time=time,
        in_json=in_json,
        late_share=late_share,
        no_key="undefined",
        spoilings=spoilings,
        namings=(Naming(), Naming({name: canaries.camel(name) for name in columns})),
        spoiled_share=SPOILED_SHARE,
    )


SOURCES = {
    "leads": _files(
        "leads",
        "created_at",
        late_share=0.06,
        in_json=True,
        personal=_one_of(*canaries.ODD_LEADS),
        invalid=_one_of({"email": "nobody@nowhere"}, {"phone": "555-0123"}),
    ),
    "tags": _files("tags", "created_at"),
    "lead_tags": _files(
        "lead_tags", None, late_share=0.02, unknown=_one_of({"id": "lt-x", "tag_id": "tag-99"})
    ),
    "pipeline_stages": _files("pipeline_stages", "created_at"),
    "lead_stages": _files(
        "lead_stages",
        "changed_at",
        late_share=0.03,
        unknown=_one_of({"id": "move-x", "stage_id": "stage-99"}),
    ),
    "opportunities": _files(
        "opportunities",
        "created_at",
        late_share=0.02,
        worthless=_one_of({"expected_value_cents": "0"}, {"expected_value_cents": "12.50"}),
        unknown=_one_of({"procedure_code": "WAX"}, {"expected_date": "2020-01-01"}),
    ),
    "activities": _files(
        "activities",
        "created_at",
        late_share=0.02,
        in_json=True,
        unknown=_one_of({"type": "fax"}, {"id": "act-x", "lead_id": "lead-of-nobody"}),
        invalid=_one_of(*canaries.NO_OBJECTS),
    ),
    "campaigns": _files("campaigns", "updated_at"),
    "kpi_events": _files(
        "kpi_events",
        "occurred_at",
        late_share=0.03,
        in_json=True,
        unknown=_one_of({"kind": "refund"}, {"lead_id": "", "kind": "consult_show"}),
        worthless=_one_of({"kind": "invoice_paid", "value_cents": "-5"}),
    ),
    "providers": _files("providers", "updated_at"),
    "commission_rules": _files("commission_rules", "updated_at"),
    "deletions": _files(
        "deletions", "deleted_at", late_share=0.05, unknown=_one_of({"entity": "patient"})
    ),
    "legal_holds": _files("legal_holds", "updated_at"),
}


def write_landing(
    landing: Path, *, users: int, days: int, start: date, seed: int, dirty: bool = True
) -> Iterator[SampleFile]:
    """Write ``<landing>/medspa/<source>`` day by day and yield each file once it is complete.

    ``users`` is the number of leads who come within a month. A day's files depend on
    ``users``, ``start``, ``seed`` and ``dirty``, not on ``days``. Without ``dirty`` every
    row lands on its day and breaks no rule of staging by chance.
    """
    clinic = Clinic(users, start, seed)
    yield from write_days(
        landing, "medspa", SOURCES, clinic.day, days=days, start=start, seed=seed, dirty=dirty
    )
