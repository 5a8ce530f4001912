"""What e-commerce costs: a build against DuckDB, days early and late, nothing new.

    python -m tests.bench.ecommerce [--lines N] [--customers N] [--products N] [--repeat N]
                                    [--folder DIR]

Stock events come with the lines: as many sales, besides deliveries and counts. Prints
Markdown as it stands in BENCHMARKS.md. Figures are medians; every ratio is of two
figures of the same run on the same machine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from jobs.demo import sample_ecommerce
from tests.bench.measured import (
    BUILD_HEAD,
    DAYS_HEAD,
    DAYS_MEASURED,
    Clean,
    days,
    full_builds,
    machine,
)

START = date(2025, 1, 1)
EARLY, LATE = 10, 90
LATE_BY = 30
# Measured over 90 days of 4,000 customers with baskets as usual.
LINES_PER_CUSTOMER = 8.2


def clean(folder: Path, lines: int, customers: int, products: int) -> Clean:
    """Files of LATE days with about so many lines, and of the days that are measured after."""
    files = sample_ecommerce.write_landing(
        folder,
        users=customers,
        days=LATE + 2 * DAYS_MEASURED,
        start=START,
        seed=1,
        dirty=False,
        products=products,
        basket=max(1, round(lines / (customers * LINES_PER_CUSTOMER))),
    )
    return Clean("ecommerce", folder, list(files))


def late_line(target: Path, day: date) -> str:
    """A line of the first customer at the day's noon."""
    line = {
        "line_item_id": f"late-{day}",
        "order_id": f"late-{day}",
        "order_time": f"{day}T12:00:00Z",
        "customer_id": "c-0",
        "product_id": "p-001",
        "count": "1",
        "amt": "9.99",
        "unit_price_at_purchase": "9.99",
    }
    target.write_text(json.dumps(line) + "\n", encoding="utf-8")
    return f"ecommerce/order_lines/{target.name}.jsonl"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        print(f"{machine()}\n", flush=True)
        source = clean(folder / "clean", chosen.lines, chosen.customers, chosen.products)
        last = START + timedelta(days=LATE - 1)
        built = replace(source, files=[file for file in source.files if file.day <= last])
        print(BUILD_HEAD, flush=True)
        print(full_builds(folder, built, chosen.repeat), flush=True)
        print(f"\n{DAYS_HEAD}", flush=True)
        print(days(folder, source, EARLY, LATE, late_line, LATE_BY), flush=True)


if __name__ == "__main__":
    main()
