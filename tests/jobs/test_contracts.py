"""The catalog: names, suffixes and types agree, steps and contracts fit together."""

from __future__ import annotations

import ast
import json
import re
import zipfile
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from jobs.engine.audits import OPEN_LAYERS, marked_columns
from jobs.engine.step import (
    Changes,
    Own,
    Part,
    Read,
    Replace,
    Stage,
    Step,
    Whole,
    bind,
    days,
    keys,
)
from jobs.lake.form import nullable, shape
from jobs.package import package
from jobs.session import suit_to
from jobs.settings import load_policy, system_settings
from jobs.systems import STEPS
from schemas import healthcare
from schemas.catalog import ALL_TABLES, SYSTEMS
from schemas.contract import (
    Privacy,
    Table,
    description,
    grain_sentence,
    struct_type,
    table_name,
)

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


def test_no_table_that_is_granted_apart_has_a_marked_column() -> None:
    marked = {t: marked_columns(t) for t in ALL_TABLES if t.layer in OPEN_LAYERS}
    assert not {table: columns for table, columns in marked.items() if columns}


def test_each_table_is_written_by_one_step_after_what_it_reads() -> None:
    for name, steps in STEPS.items():
        made = set(SYSTEMS[name].RAW_TABLES)
        for step in steps:
            assert set(step.inputs) <= made, step.output.__name__
            assert step.output not in made
            made.add(step.output)
            if isinstance(step.write, Stage):
                made.add(step.write.quarantine)
        assert made == set(SYSTEMS[name].TABLES)


def frame_of(spark: SparkSession, step: Step, read: Read) -> DataFrame:
    """An empty frame as a step's function gets it for a read."""
    table = step.output if isinstance(read, Own) and read.table is None else read.table
    frame = spark.createDataFrame([], nullable(struct_type(table)))
    return frame.withColumn("change", F.lit(1)) if isinstance(read, Changes) else frame


@pytest.mark.parametrize("step", ALL_STEPS, ids=name_of)
def test_a_step_gives_its_contract_on_empty_inputs(
    spark: SparkSession, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made anew and, where its function tells the two apart, following a change."""
    suit_to(spark, 0)
    # What a function holds has its columns before it is computed.
    monkeypatch.setattr(
        *(type(spark.range(0)), "localCheckpoint"),
        lambda frame: spark.createDataFrame([], frame.schema),
    )
    given = system_settings(load_policy(), step.output.system, date(2025, 3, 1), key="k" * 32)
    anew = {**given, "touched": None, "first_touched_day": None, "touched_days": None}
    frames = [frame_of(spark, step, read) for read in step.reads]
    on = step.write.on if isinstance(step.write, Replace) else ()
    keys = spark.createDataFrame([], nullable(struct_type(step.output))).select(*on)
    day = date(2025, 3, 1)
    follow = {**given, "touched": keys, "first_touched_day": day, "touched_days": [day]}
    told = [bind(step.transform, settings) for settings in (anew, follow)]
    for settings in told if told[0] != told[1] else told[:1]:
        result = step.transform(*frames, **settings)
        if isinstance(step.write, Stage):
            result = step.write.keep(result.select(*step.output.columns))
        assert shape(result.schema) == shape(struct_type(step.output))


@pytest.mark.parametrize("step", [s for s in ALL_STEPS if s.also], ids=name_of)
def test_what_also_is_touched_is_told_in_the_columns_replaced_on(
    spark: SparkSession, step: Step
) -> None:
    given = system_settings(load_policy(), step.output.system, date(2025, 3, 1), key="k" * 32)
    settings = {**given, "as_of_before": date(2025, 2, 27)}
    frames = [frame_of(spark, step, read) for read in step.also.reads]
    told = step.also.touched(*frames, **bind(step.also.touched, settings))
    wanted = struct_type(step.output)
    for name in step.write.on:
        assert told.schema[name].dataType == wanted[name].dataType


@pytest.mark.parametrize("step", ALL_STEPS, ids=name_of)
def test_a_part_touches_days_that_need_it(step: Step) -> None:
    """A day that an input's day touches is made of that day, whatever the settings."""
    given = system_settings(load_policy(), step.output.system, date(2025, 4, 30))
    for part in step.reads:
        if not isinstance(part, Part) or part.touches is None or part.needs is None:
            continue
        for day in (date(2024, 2, 29), date(2025, 3, 1), date(2025, 3, 31)):
            if part.on in ("month", "period_start"):
                # Months' rows stand at their first days.
                day = day.replace(day=1)
            touched = set(part.touches(day, given))
            assert touched
            assert all(day in set(part.needs(on, given)) for on in touched)


def test_a_whole_read_that_nothing_covers_is_refused() -> None:
    reads = (keys(healthcare.FactSession, "session_id"), Whole(healthcare.FactAppointment))
    with pytest.raises(TypeError, match="fact_appointment touches"):
        Step(healthcare.DimSession, print, reads=reads, write=Replace("session_id"))
    silent = (reads[0], Whole(healthcare.FactAppointment, touches=False))
    step = Step(healthcare.DimSession, print, reads=silent, write=Replace("session_id"))
    assert step.touching == (healthcare.FactSession,)
    assert step.inputs == (healthcare.FactSession, healthcare.FactAppointment)
    with pytest.raises(TypeError, match="does not have"):
        Step(healthcare.DimSession, print, reads=silent, write=Replace("visit_id"))
    with pytest.raises(TypeError, match="tells no"):
        Step(healthcare.DimSession, print, (days(healthcare.FactSession),), Replace("session_id"))


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


# The rooms of jobs/, each of which imports only from those after it; single files beside
# them that everything may use come last.
ROOMS = (
    *("demo", "run", "dictionary", "telling", "systems"),
    *("engine", "privacy", "landing", "lake", "lease"),
)
BELOW_ALL = ("settings", "key", "session", "class_archive", "storage", "errors")


def test_imports_inside_jobs_go_one_way() -> None:
    for file in (ROOT / "jobs").rglob("*.py"):
        room = file.relative_to(ROOT / "jobs").parts[0].removesuffix(".py")
        if room in ("__init__", "package"):
            continue
        allowed = {room, *BELOW_ALL}
        if room in ROOMS:
            allowed |= set(ROOMS[ROOMS.index(room) :])
        names = {i.split(".")[1] for i in imports_of(file) if i.startswith("jobs.")}
        # The demo is a command of its own, loaded when it is asked for.
        names -= {"demo"} if room == "run" else set()
        assert names <= allowed, f"{file.relative_to(ROOT)} imports {names - allowed}"
    for file in (ROOT / "jobs/systems").glob("*.py"):
        engine = {i for i in imports_of(file) if i.startswith("jobs.engine")}
        assert engine <= {"jobs.engine.step"}, file


def test_no_two_files_import_each_other() -> None:
    files = [f for room in ("jobs", "transforms", "schemas") for f in (ROOT / room).rglob("*.py")]
    named = {".".join(f.relative_to(ROOT).with_suffix("").parts): f for f in files}
    imports = {name: imports_of(file) & set(named) for name, file in named.items()}
    reached = {name: set(found) for name, found in imports.items()}
    for _ in named:
        reached = {n: r.union(*(imports[m] for m in r)) for n, r in reached.items()}
    assert not [name for name, found in reached.items() if name in found]


def test_no_module_of_jobs_hides_another() -> None:
    """spark-submit jobs/run.py puts that folder first on the path."""
    import importlib.metadata
    import sys

    taken = set(sys.stdlib_module_names) | set(importlib.metadata.packages_distributions())
    taken -= {"jobs", "schemas", "transforms", "conf"}
    assert not {path.stem for path in (ROOT / "jobs").iterdir()} & taken


def test_what_is_shipped_to_a_cluster_has_no_samples(tmp_path: Path) -> None:
    names = zipfile.ZipFile(package(tmp_path / "varve.zip")).namelist()
    assert "jobs/engine/step.py" in names
    assert not [name for name in names if "demo" in name]


def test_the_page_of_patterns_says_where_they_are() -> None:
    """Each table and function that it names is there; the notebook has the same lines."""
    page = (ROOT / "docs/saas_patterns.md").read_text(encoding="utf-8")
    lines = page[page.index("| pattern |") :].strip()
    tables = {table_name(table) for table in SYSTEMS["saas"].TABLES}
    for line in lines.splitlines()[2:]:
        _, _, named, places, _ = line.split("|")
        assert set(re.findall(r"`([a-z_]+)`", named)) <= tables
        file = ""
        for place in re.findall(r"`([^`]+)`", places):
            path, _, name = place.rpartition(": ")
            file = path or file
            text = (ROOT / file).read_text(encoding="utf-8")
            assert re.search(rf"^(def|class) {name}\b", text, re.MULTILINE), place
    notebook = json.loads((ROOT / "notebooks/saas.ipynb").read_text(encoding="utf-8"))
    assert "".join(notebook["cells"][-1]["source"]).endswith(lines)


def test_descriptions_are_one_line() -> None:
    assert all("\n" not in description(table) for table in ALL_TABLES)
