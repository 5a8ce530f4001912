"""Every core table and mart of healthcare equals what plain SQL makes of the same files."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import Row, SparkSession

from jobs.demo import sample_healthcare
from jobs.lake.lake import Lake
from schemas import healthcare
from schemas.contract import Table, table_name
from tests.proof.followed import assert_same, followed_lake
from tests.proof.oracle_healthcare import Oracle

pytestmark = pytest.mark.proof

START = date(2025, 3, 1)
USERS, DAYS, AT_ONCE, SEED = 250, 12, 10, 5
AS_OF = START + timedelta(days=DAYS - 1)
RECOMPUTED = (
    healthcare.DimUser,
    healthcare.UserIdentityMap,
    healthcare.IdentityAudit,
    healthcare.FactSession,
    healthcare.FactPayment,
    healthcare.FactAppointment,
    healthcare.DimSession,
    healthcare.UserSpend,
    healthcare.ProviderPerformance,
    healthcare.BookingKpisDaily,
    healthcare.ChannelBookingsDaily,
)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    for _ in sample_healthcare.write_landing(
        folder, users=USERS, days=DAYS, start=START, seed=SEED
    ):
        pass
    return folder


@pytest.fixture(scope="module", params=["whole", "followed"])
def compared(
    request: pytest.FixtureRequest,
    spark: SparkSession,
    landing: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Lake, Oracle]:
    """Everything in one run; ten days in one run and then each day's files as they land."""
    lake = followed_lake(
        spark,
        tmp_path_factory.mktemp(request.param),
        landing,
        system="healthcare",
        start=START,
        days=DAYS,
        at_once=DAYS if request.param == "whole" else AT_ONCE,
    )
    oracle = Oracle(AS_OF)
    oracle.land(landing)
    oracle.build()
    return lake, oracle


@pytest.mark.parametrize("table", RECOMPUTED, ids=table_name)
def test_a_table_is_what_the_definitions_say(
    compared: tuple[Lake, Oracle], table: type[Table]
) -> None:
    lake, oracle = compared
    assert lake.row_count(table) > 0
    assert_same(lake, oracle.sql, table)


def test_user_sk_is_that_of_the_version_the_oracle_finds(compared: tuple[Lake, Oracle]) -> None:
    lake, oracle = compared
    for table in (healthcare.FactAppointment, healthcare.DimUser):
        rows = DeltaTable(lake.path(table)).to_pyarrow_table()
        oracle.sql.register(f"lake_{table_name(table)}", rows)
    wrong = oracle.sql.sql(
        """SELECT a.appointment_id FROM lake_fact_appointment AS a
           LEFT JOIN lake_dim_user AS u USING (user_sk)
           JOIN fact_appointment AS o USING (appointment_id)
           WHERE u.user_id IS DISTINCT FROM o.version_of"""
    )
    assert not len(wrong), wrong


def precision_and_recall(rows: list[Row], truth: dict[str, int]) -> tuple[float, float]:
    """Of the sessions given to a login, those of its person; of the sessions of people who ever
    logged in, those given to one of their logins."""
    known = {truth[row.session_id] for row in rows if row.login_user_id}
    given = [row for row in rows if row.canonical_user_id.startswith("U-")]
    right = [
        row for row in given if row.canonical_user_id.split("-")[1] == f"u{truth[row.session_id]}"
    ]
    theirs = [row for row in rows if truth[row.session_id] in known]
    return len(right) / len(given), len(right) / len(theirs)


def test_sessions_are_given_to_the_people_who_made_them(
    compared: tuple[Lake, Oracle], capsys: pytest.CaptureFixture[str]
) -> None:
    lake, _ = compared
    truth = sample_healthcare.people_of_sessions(USERS, DAYS, START, SEED)
    rows = lake.read(healthcare.FactSession).collect()
    people_on: dict[str | None, set[int]] = defaultdict(set)
    for row in rows:
        people_on[row.device_id].add(truth[row.session_id])
    alone = [row for row in rows if len(people_on[row.device_id]) == 1]
    precision, recall = precision_and_recall(rows, truth)
    precision_alone, recall_alone = precision_and_recall(alone, truth)
    with capsys.disabled():
        print(
            f"\n{len(rows):,} sessions: precision {precision:.3f}, recall {recall:.3f}; "
            f"{len(alone):,} on devices of one person: precision {precision_alone:.3f}, "
            f"recall {recall_alone:.3f}"
        )
    # One person's device and accounts join nobody else; a household's do.
    assert precision_alone == 1
    assert precision > 0.9
    assert recall_alone > recall > 0.6
