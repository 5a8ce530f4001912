"""The ``varve`` command, and the target of spark-submit."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, NoReturn

# spark-submit puts only this file's folder on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import typer
from rich.console import Console

from jobs import telling
from jobs.class_archive import ClassArchive
from jobs.engine import ops
from jobs.engine.quarantine import held, quarantining_steps
from jobs.engine.runner import Run, chosen_systems, tables_to_rebuild
from jobs.errors import SPARK_ERRORS, STORE_ERRORS, StepFailed, UsageError, VarveError
from jobs.lake.lake import Lake
from jobs.lake.leased import leased
from jobs.landing.ledger import Landing
from jobs.session import build_session, silence_headers, under_spark_submit
from jobs.settings import Policy, load_policy
from jobs.systems import STEPS

app = typer.Typer(
    help="Varve lays down a company's analytics day by day, as Delta tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Systems = Annotated[list[str] | None, typer.Argument(help="Systems to run; all if none is named.")]
LakeFolder = Annotated[str, typer.Option("--lake", help="Folder or URL of the lake.")]
LandingFolder = Annotated[
    str, typer.Option("--landing", help="Folder or URL that holds <system>/<source>/.")
]
AsOf = Annotated[str, typer.Option("--as-of", help="The run's logical date, YYYY-MM-DD.")]
Conf = Annotated[
    Path | None, typer.Option("--conf", help="A TOML file that overrides conf/policy.toml.")
]
FullRefresh = Annotated[bool, typer.Option("--full-refresh", help="Rebuild every table from raw.")]
Rebuild = Annotated[
    list[str] | None,
    typer.Option("--rebuild", help="Make this table anew from its inputs; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]
JsonLogs = Annotated[
    bool, typer.Option("--json-logs", help="Print events as JSON lines, for schedulers.")
]
LogLevel = Annotated[str, typer.Option("--log-level", help="Level of Spark's own log.")]


@app.command()
def run(
    landing: LandingFolder,
    lake: LakeFolder,
    as_of: AsOf,
    systems: Systems = None,
    conf: Conf = None,
    full_refresh: FullRefresh = False,
    rebuild: Rebuild = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="Where to write run_results.json as well.")
    ] = None,
    quiet: Quiet = False,
    json_logs: JsonLogs = False,
    log_level: LogLevel = "OFF",
) -> None:
    """Load what has landed and bring every table up to date."""
    policy, names = load_policy(conf), chosen_systems(systems or [])
    day = _date(as_of, policy)
    anew = tables_to_rebuild(rebuild or [], STEPS, names)
    teller = telling.Teller(quiet=quiet, json_logs=json_logs)
    with (
        _lake(lake, log_level, teller, policy, landing, keeps_classes=True) as opened,
        leased(opened),
    ):
        folder = Landing(opened, landing)
        with teller.progress() as report:
            result = Run(
                opened,
                STEPS,
                policy,
                names,
                day,
                full_refresh,
                report,
                rebuild=anew,
                notify=teller.notice,
            ).execute(folder)
    if results is not None:
        results.write_text(ops.results_json(result), encoding="utf-8")
    teller.summary(result)
    raise typer.Exit(result.exit_code)


@app.command()
def plan(
    lake: LakeFolder,
    as_of: AsOf,
    systems: Systems = None,
    landing: Annotated[
        str | None, typer.Option("--landing", help="Also list the files that wait there.")
    ] = None,
    conf: Conf = None,
    full_refresh: FullRefresh = False,
    rebuild: Rebuild = None,
    log_level: LogLevel = "OFF",
) -> None:
    """Say what a run would do, and why, without doing it."""
    policy, names = load_policy(conf), chosen_systems(systems or [])
    day = _date(as_of, policy)
    anew = tables_to_rebuild(rebuild or [], STEPS, names)
    teller = telling.Teller()
    with _lake(lake, log_level, teller, policy, landing) as opened:
        planned = Run(
            opened, STEPS, policy, names, day, full_refresh, rebuild=anew, notify=teller.notice
        )
        waiting = Landing(opened, landing).would_load(names) if landing else {}
        teller.plans(planned.plans(), waiting)


@app.command()
def status(lake: LakeFolder, as_json: AsJson = False, log_level: LogLevel = "OFF") -> None:
    """Show the last run, and each table's freshness, version and rows."""
    teller = telling.Teller(quiet=as_json)
    with _lake(lake, log_level, teller) as opened:
        _check_there(opened)
        last_run, tables = ops.last_run(opened), ops.status(opened)
    if as_json:
        teller.json({"last_run": last_run, "tables": tables})
    else:
        teller.status(last_run, tables)


@app.command()
def quarantine(
    lake: LakeFolder,
    table: Annotated[
        str | None, typer.Argument(help="A quarantine, or its staging table; all if none is named.")
    ] = None,
    show: Annotated[
        int, typer.Option(min=0, help="Also show so many records of each, personal values masked.")
    ] = 0,
    as_json: AsJson = False,
    log_level: LogLevel = "OFF",
) -> None:
    """Tell what is in quarantine, by reason and by file."""
    steps = quarantining_steps(table, STEPS)
    teller = telling.Teller(quiet=as_json)
    with _lake(lake, log_level, teller) as opened:
        _check_there(opened)
        found = [held(opened, step, show) for step in steps]
    if table is None:
        found = [told for told in found if told["rows"]]
    if as_json:
        teller.json({"tables": found})
    else:
        teller.quarantine(found)


@app.command()
def describe(
    table: Annotated[str, typer.Argument(help="A table: name, system.name or layer.system.name.")],
) -> None:
    """Print a table's contract: grain, columns, sources, and where its code is."""
    telling.Teller().contract(table)


@app.command()
def docs(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("DATA_DICTIONARY.md"),
    check: Annotated[bool, typer.Option("--check", help="Only say whether it is stale.")] = False,
) -> None:
    """Write the data dictionary from the contracts."""
    from jobs.dictionary import dictionary

    text = dictionary()
    if check:
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            raise UsageError(f"{file} is not what the contracts say. Write it anew: make docs.")
        return
    file.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {file}")


@app.command()
def demo(
    folder: Annotated[
        Path, typer.Option("--folder", help="Where to lay the landing and the lake.")
    ] = Path("demo"),
    users: Annotated[int, typer.Option(min=50, help="People who know the shop.")] = 3000,
    days: Annotated[int, typer.Option(min=1, help="Days of events.")] = 10,
    seed: Annotated[int, typer.Option(help="Another seed, other events.")] = 1,
    log_level: LogLevel = "OFF",
) -> None:
    """Make sample files, load the first week in one run and the rest day by day."""
    try:
        from jobs.demo.days import prepare_folder, provide_key, run_demo
    except ModuleNotFoundError as error:
        raise UsageError(
            "the demo is not part of what is shipped to a cluster. Run it from a clone: make demo."
        ) from error

    prepare_folder(folder)
    teller = telling.Teller()
    provide_key(folder, os.environ, teller)
    with _lake(str(folder / "lake"), log_level, teller) as opened:
        run_demo(opened, folder / "landing", teller, users=users, days=days, seed=seed)


def _check_there(lake: Lake) -> None:
    if not lake.storage.is_folder(lake.root):
        raise UsageError(
            f"there is no lake at {lake.root}. Name one with --lake; varve run makes one."
        )


@contextmanager
def _lake(
    root: str,
    log_level: str,
    teller: telling.Teller,
    policy: Policy | None = None,
    landing: str | None = None,
    *,
    keeps_classes: bool = False,
) -> Iterator[Lake]:
    """The lake, in a session that ends with the block.

    ``keeps_classes``: where there is no archive of Java's classes yet, this session leaves one.
    """
    if not under_spark_submit() and not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        raise UsageError(
            "no Java is on the path. Install Java 17 and set JAVA_HOME, or put java on the path."
        )
    teller.event("starting Spark")
    with _silent_start(log_level):
        archive = ClassArchive()
        is_local = keeps_classes and not under_spark_submit()
        making = archive.making_options() if is_local else ""
        spark = build_session(
            places=[root, *([landing] if landing else [])], java_options=making or None
        )
    spark.sparkContext.setLogLevel(log_level)
    silence_headers(spark)
    try:
        engine = (policy or load_policy()).engine
        yield Lake(spark, root, store=engine.store, embedded_max_mib=engine.embedded_max_mib)
    finally:
        gateway = spark.sparkContext._gateway
        spark.stop()
    if making:
        teller.event("keeping Java's classes, so that the next start is quicker")
        archive.keep(gateway)


@contextmanager
def _silent_start(log_level: str) -> Iterator[None]:
    """Keep the JVM's start-up chatter off the terminal; an error is still told."""
    if log_level != "OFF" or under_spark_submit():
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _date(text: str, policy: Policy) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--as-of {text!r} is no date. Write it as YYYY-MM-DD.") from error
    if not policy.earliest_date <= day <= policy.latest_date:
        raise UsageError(
            f"--as-of {text} is not from earliest_date {policy.earliest_date} to latest_date "
            f"{policy.latest_date} of the settings. Days are kept up to as_of: name the day that "
            "is to be reported."
        )
    return day


def main() -> NoReturn:
    """Run a command; a known error is told in a sentence and has its own exit code."""
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    try:
        app()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except VarveError as error:
        code = _tell(str(error), error.exit_code)
    except STORE_ERRORS as error:
        who = "Spark" if isinstance(error, SPARK_ERRORS) else "a store"
        code = _tell(
            f"{who} failed with {type(error).__name__} outside any step. Nothing half done is "
            "left; run again, with --log-level ERROR to see Spark's own log, which may quote rows.",
            StepFailed.exit_code,
        )
    sys.stdout.flush()
    sys.stderr.flush()
    # delta-rs at times aborts an interpreter that takes itself down after correct work.
    os._exit(code)


def _tell(message: str, exit_code: int) -> int:
    if "--json-logs" in sys.argv:
        telling.Teller(json_logs=True).event("error", message=message)
    else:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"varve: {message}", style="bold red", markup=False)
    return exit_code


if __name__ == "__main__":
    # spark-submit jobs/run.py web … is short for varve run web ….
    commands = {"run", "plan", "status", "quarantine"}
    if under_spark_submit() and sys.argv[1:2] and sys.argv[1] not in commands:
        sys.argv.insert(1, "run")
    main()
