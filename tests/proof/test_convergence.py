"""The tables depend on what landed: not on order, split or repetition."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.lake.lake import Lake
from tests.landing_files import SAMPLES, contents, lake_of, policy_of, run_system

pytestmark = pytest.mark.proof

START = date(2025, 3, 1)
AS_OF = date(2025, 3, 12)
# How often a landing is cut. Spark's commits take their time: fewer runs of them show what
# there is to see.
CUTS = {"spark": 1, "embedded": 3}
# The random landings of test_fuzz.py go through every system, and both stores.
SPLIT = (("web", "spark"), ("web", "embedded"), ("healthcare", "embedded"), ("social", "embedded"))
SEEDS = [int(seed) for seed in os.environ.get("VARVE_SEEDS", "11").split(",")]


Landed = tuple[Path, dict[str, list[Any]]]


@pytest.fixture(scope="module")
def landed(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Landed]:
    """Twelve dirty days of a system, and every table as one run over all of them gives it."""

    def land(system: str) -> Landed:
        write_landing, users = SAMPLES[system]
        folder = tmp_path_factory.mktemp("convergence")
        for _ in write_landing(folder / "all", users=users, days=12, start=START, seed=5):
            pass
        whole = Lake(spark, str(folder / "whole"))
        run_system(whole, folder / "all", AS_OF, system=system)
        return folder / "all", contents(whole, system)

    return cache(land)


@pytest.mark.parametrize(("system", "engine"), SPLIT)
@pytest.mark.parametrize("seed", SEEDS)
def test_any_split_in_any_order_with_repeats_gives_the_same_tables(
    spark: SparkSession,
    landed: Callable[[str], Landed],
    tmp_path: Path,
    seed: int,
    system: str,
    engine: str,
) -> None:
    """Case 45. Another split: VARVE_SEEDS=1,2,3 make proof.

    That a rebuilt lake is the same, too, test_fuzz.py shows of every system.
    """
    print(f"seed {seed}")
    random = Random(seed)
    everything, expected = landed(system)
    files = sorted(file for file in everything.rglob("*") if file.is_file())
    random.shuffle(files)
    cuts = sorted(random.sample(range(1, len(files)), CUTS[engine]))
    batches = [files[a:b] for a, b in zip([0, *cuts], [*cuts, len(files)], strict=True)]
    policy = policy_of(engine)
    lake = lake_of(spark, tmp_path / "lake", policy)
    # as_of grows as a scheduler's would; the last run is as of the whole's.
    for number, batch in enumerate(batches):
        repeated = random.sample(files, 1)
        for file in [*batch, *repeated]:
            name = f"{number}-{file.name}" if file in repeated else file.name
            place = tmp_path / "landing" / file.parent.relative_to(everything) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
        run_system(
            lake,
            tmp_path / "landing",
            AS_OF - timedelta(days=len(cuts) - number),
            system=system,
            policy=policy,
        )
    found = contents(lake, system)
    for table, rows in expected.items():
        assert found[table] == rows, f"{table} differs; seed {seed}"
    again = run_system(lake, tmp_path / "landing", AS_OF, system=system, policy=policy)
    assert not again.changed
