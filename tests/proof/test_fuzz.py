"""Whatever changes later, a lake that followed it is the lake that is built from all of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.lake.tables import Lake
from schemas.catalog import SYSTEMS
from tests.landing_files import contents, run_system
from tests.proof.random_landings import random_landing

pytestmark = pytest.mark.proof

SEEDS = [int(seed) for seed in os.environ.get("VARVE_FUZZ_SEEDS", "1").split(",")]
_ROWS_TOLD = 3


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_lake_that_followed_random_changes_is_the_one_built_from_all(
    spark: SparkSession, tmp_path: Path, system: str, seed: int
) -> None:
    """Cases 45, 51, 54 and 58. Other landings: VARVE_FUZZ_SEEDS=1,2,3 make proof."""
    landing = random_landing(system, seed)
    policy = landing.load_policy(tmp_path)
    print(f"system {system}, seed {seed}\n{landing.policy}")

    landing.write_all(tmp_path / "all")
    whole = Lake(spark, str(tmp_path / "whole"))
    run_system(whole, tmp_path / "all", landing.as_of, system=system, policy=policy)
    expected = contents(whole, system)

    lake = Lake(spark, str(tmp_path / "lake"))
    for number, arrival in enumerate(landing.arrivals):
        (tmp_path / "landing").mkdir(exist_ok=True)
        for lot in arrival.lots:
            lot.write(tmp_path / "landing")
        for lot in arrival.again:
            lot.write(tmp_path / "landing", prefix=f"again_{number:02d}_")
        run_system(lake, tmp_path / "landing", arrival.as_of, system=system, policy=policy)
    _assert_same(contents(lake, system), expected, f"followed, seed {seed}")

    run_system(
        lake, tmp_path / "landing", landing.as_of, system=system, policy=policy, full_refresh=True
    )
    _assert_same(contents(lake, system), expected, f"rebuilt, seed {seed}")


def _assert_same(found: dict[str, list[Any]], expected: dict[str, list[Any]], lake: str) -> None:
    """Every table has the rows expected; of those that have not, some rows of each are told."""
    told = []
    for table, rows in expected.items():
        if found[table] != rows:
            here, there = found[table], rows
            told.append(f"{table}:")
            told += [f"  only {lake}: {row}" for row in _but(here, there)]
            told += [f"  only built at once: {row}" for row in _but(there, here)]
    assert not told, f"{lake}, differs in\n" + "\n".join(told)


def _but(rows: list[str], others: list[str]) -> list[str]:
    """The first rows that the others have not, as often as they are there."""
    left = list(others)
    missing = []
    for row in rows:
        if row in left:
            left.remove(row)
        else:
            missing.append(row)
    more = [f"and {len(missing) - _ROWS_TOLD} more"] if len(missing) > _ROWS_TOLD else []
    return missing[:_ROWS_TOLD] + more
