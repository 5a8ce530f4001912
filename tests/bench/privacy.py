"""What a privacy policy costs: the same generated lines landed without one and with it.

    python -m tests.bench.privacy --leads 200000 --activities 1000000

Prints rows of Markdown: medians over pairs of landings in one process, a lake of its own
each. Seconds of the clock tell what a user waits on a machine that does nothing else;
seconds of the processors, of all processes together, tell the work on any.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import psutil
from pyspark.sql import SparkSession

from jobs.lake.lake import Lake
from jobs.landing.ledger import Landing
from jobs.privacy import load_privacy
from jobs.session import build_session, suit_to
from schemas.contract import Source, raw_table
from schemas.medspa_landing import Activities, Leads
from tests.bench.measured import machine
from transforms.techniques.line_policy import LinePolicy

HEAD = """\
| source | lines | without | with | ratio | ratio of processor time |
|---|---:|---:|---:|---:|---:|"""
KEY = "a key of this benchmark, of forty signs or so"


def leads(count: int, random: Random) -> Iterator[dict[str, Any]]:
    """Leads as a CRM exports them, with last names and a note that the policy drops."""
    for number in range(count):
        yield {
            "id": f"lead-{number:07d}",
            "externalId": f"crm-{random.getrandbits(36):x}",
            "firstName": random.choice(["Anna", "Ben", "Zoë", "Mary-Ann"]),
            "lastName": random.choice(["Schmidt", "Jones", "Lee"]),
            "email": f"someone{number}@mail.example",
            "phone": f"(212) 555-{random.randrange(10_000):04d}",
            "source": random.choice(["facebook", "google", "referral"]),
            "campaignId": f"campaign-{random.randrange(40)}",
            "adPlatform": "meta",
            "createdAt": _instant(random),
            "updatedAt": _instant(random),
        }


def activities(count: int, random: Random) -> Iterator[dict[str, Any]]:
    """Activities with payloads of four types; messages hold a text that is dropped."""
    for number in range(count):
        kind = random.choice(["sms_sent", "email_sent", "call", "form_submit"])
        said: dict[str, Any] = {"messageId": f"m-{random.getrandbits(40):x}"}
        said |= {"templateId": f"t-{random.randrange(40)}", "status": "delivered"}
        if kind == "sms_sent":
            said |= {"direction": "outbound", "segments": 1, "body": "See you on Monday, Anna!"}
        elif kind == "email_sent":
            said["subject"] = "Your consultation next week"
        elif kind == "call":
            said = {"callId": f"c-{number}", "direction": "outbound", "outcome": "no_answer"}
            said["durationSeconds"] = random.randrange(600)
        else:
            said = {"formId": f"f-{random.randrange(20)}", "procedureCode": "BTX"}
            said |= {"pageUrl": "https://clinic.example/botox?utm_source=google"}
            said |= {"utmSource": "google", "utmMedium": "cpc", "utmCampaign": "spring"}
        yield {
            "id": f"activity-{number:08d}",
            "leadId": f"lead-{random.randrange(max(1, count // 10)):07d}",
            "type": kind,
            "payloadJson": json.dumps(said),
            "createdAt": _instant(random),
        }


def _instant(random: Random) -> str:
    return f"2025-03-{random.randrange(1, 29):02d}T10:{random.randrange(60):02d}:00Z"


def without_policy(source: type[Source]) -> type[Source]:
    """The same source, whose lines are stored as they land, under the names they land with."""
    columns = {_camel(name): column for name, column in source.columns.items()}
    attributes = {"system": source.system, "__doc__": source.__doc__, **columns}
    plain: type[Source] = type(source.__name__, (Source,), attributes)
    return plain


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def measured(
    spark: SparkSession, folder: Path, source: type[Source], policy: LinePolicy | None
) -> tuple[float, float]:
    """Seconds of the clock and of the processors to land a source's files in a new lake."""
    lake = Lake(spark, str(folder / "lake"))
    landing = Landing(lake, str(folder / "landing"))
    clock, work = time.monotonic(), processor_seconds()
    landing.load(source, raw_table(source), "bench", datetime.now(UTC), policy)
    landing.note("bench")
    found = time.monotonic() - clock, processor_seconds() - work
    shutil.rmtree(folder / "lake")
    return found


def processor_seconds() -> float:
    """Of this process and all that it started and that is still there."""
    this = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in [this, *this.children(recursive=True)])


def write(folder: Path, lead_count: int, activity_count: int) -> None:
    random = Random(1)
    for source in ("leads", "activities"):
        (folder / "landing/medspa" / source).mkdir(parents=True)
    with (folder / "landing/medspa/leads/1.csv").open("w", newline="") as file:
        rows = list(leads(lead_count, random))
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with (folder / "landing/medspa/activities/1.jsonl").open("w") as file:
        for row in activities(activity_count, random):
            file.write(json.dumps(row) + "\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--leads", type=int, default=200_000)
    arguments.add_argument("--activities", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=5)
    chosen = arguments.parse_args()
    spark = build_session()
    suit_to(spark, 1 << 30)
    rules = load_privacy(["medspa"])["medspa"].rules
    print(f"{machine()}, of {chosen.repeat} pairs\n\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, chosen.leads, chosen.activities)
        for source, lines in ((Leads, chosen.leads), (Activities, chosen.activities)):
            policy, plain = LinePolicy(rules[source], KEY), without_policy(source)
            pairs = [
                (measured(spark, folder, plain, None), measured(spark, folder, source, policy))
                # The first of them warms the process up.
                for _ in range(chosen.repeat + 1)
            ][1:]
            told = [statistics.median(pair[n][0] for pair in pairs) for n in (0, 1)]
            ratios = [statistics.median(b[n] / a[n] for a, b in pairs) for n in (0, 1)]
            print(
                f"| {source.__name__.lower()} | {lines:,} | {told[0]:.1f} s | {told[1]:.1f} s "
                f"| {ratios[0]:.2f} | {ratios[1]:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
