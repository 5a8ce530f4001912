"""The catalog: names, suffixes and types agree, steps and contracts fit together."""

from __future__ import annotations

import ast
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from jobs.engine.step import AddToDays, Step, bind
from jobs.lake.form import nullable, shape
from jobs.settings import load_policy, system_settings
from jobs.systems import STEPS
from schemas.catalog import ALL_TABLES, SYSTEMS
from schemas.contract import Privacy, Table, description, grain_sentence, struct_type

ROOT = Path(__file__).resolve().parent.parent.parent
SUFFIX_TYPES = {
    "_ts": T.TimestampType,
    "_at": T.TimestampType,
    "_date": T.DateType,
    "_count": T.LongType,
    "_share": T.DoubleType,
    "_id": (T.StringType, T.LongType),
}
# How many devices: 1, 2 or 3+.
NAMED_BY_THE_FIELD = {"device_count"}
ALL_STEPS = [step for steps in STEPS.values() for step in steps]


def name_of(item: object) -> str:
    return item.output.__name__ if isinstance(item, Step) else getattr(item, "__name__", str(item))


@pytest.mark.parametrize("table", ALL_TABLES, ids=name_of)
def test_a_table_says_its_grain_and_its_columns_mean_something(table: type[Table]) -> None:
    assert grain_sentence(table).startswith("One row per")
    assert all(column.meaning.strip() for column in table.columns.values())
    assert all(table.columns[name].required for name in table.grain)


@pytest.mark.parametrize("table", ALL_TABLES, ids=name_of)
def test_suffixes_mean_one_type(table: type[Table]) -> None:
    if table.layer.value == "raw":
        return
    for name, column in table.columns.items():
        for suffix, kind in SUFFIX_TYPES.items():
            if name.endswith(suffix) and name not in NAMED_BY_THE_FIELD:
                assert isinstance(column.type, kind), name
        if name.startswith(("is_", "has_")):
            assert isinstance(column.type, T.BooleanType), name


@pytest.mark.parametrize("table", ALL_TABLES, ids=name_of)
def test_the_log_keeps_no_personal_value(table: type[Table]) -> None:
    """Statistics and check messages quote values: none of a marked column but a pseudonym's."""
    marked = {n for n, c in table.columns.items() if c.privacy and c.privacy != Privacy.PSEUDONYM}
    assert not marked & set(table.skipping)
    for check in table.checks:
        assert not any(name in check.predicate for name in marked)


def test_each_table_is_written_by_one_step_after_what_it_reads() -> None:
    for name, steps in STEPS.items():
        made = set(SYSTEMS[name].RAW_TABLES)
        for step in steps:
            assert set(step.inputs) <= made, step.output.__name__
            assert step.output not in made
            made.add(step.output)
            if isinstance(step.write, AddToDays):
                made.add(step.write.quarantine)
        assert made == set(SYSTEMS[name].TABLES)


@pytest.mark.parametrize("step", ALL_STEPS, ids=name_of)
def test_a_step_gives_its_contract_on_empty_inputs(spark: SparkSession, step: Step) -> None:
    settings = system_settings(load_policy(), step.output.system, date(2025, 3, 1))
    inputs = [spark.createDataFrame([], nullable(struct_type(r.table))) for r in step.reads]
    result = step.transform(*inputs, **bind(step.transform, settings))
    if isinstance(step.write, AddToDays):
        result = step.write.keep(result.select(*step.output.columns))
    assert shape(result.schema) == shape(struct_type(step.output))


def imports_of(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_imports_go_from_jobs_to_transforms_to_schemas() -> None:
    forbidden = {
        "schemas": ("transforms", "jobs", "tests"),
        "transforms": ("jobs", "tests"),
        "transforms/techniques": ("schemas", *(f"transforms.{name}" for name in SYSTEMS)),
        "jobs": ("tests",),
        **{
            f"transforms/{one}": tuple(
                f"{room}.{other}"
                for room in ("schemas", "transforms")
                for other in SYSTEMS
                if other != one
            )
            for one in SYSTEMS
        },
    }
    for room, names in forbidden.items():
        for file in (ROOT / room).rglob("*.py"):
            wrong = {i for i in imports_of(file) if i.startswith(names)}
            assert not wrong, f"{file.relative_to(ROOT)} imports {wrong}"


def test_no_module_of_jobs_hides_another() -> None:
    """spark-submit jobs/run.py puts that folder first on the path."""
    import importlib.metadata
    import sys

    taken = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions())
    taken -= {"jobs", "schemas", "transforms", "conf"}
    assert not {file.stem for file in (ROOT / "jobs").glob("*.py")} & taken


def test_descriptions_are_one_line() -> None:
    assert all("\n" not in description(table) for table in ALL_TABLES)
