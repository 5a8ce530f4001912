"""E-commerce's tables from a few landed records, by the transforms alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.engine.step import bind
from jobs.lake.form import nullable
from jobs.session import suit_to
from jobs.settings import load_policy, system_settings
from schemas.contract import struct_type, table_name
from schemas.ecommerce_landing import STAGED
from transforms.ecommerce import core, customers, inventory, sales, shop, staging
from transforms.techniques.records import one_per_record

Records = Sequence[Mapping[str, str]]


class ShopTables:
    """Every table as a frame, each made when it is asked for; sources are given by name."""

    def __init__(self, spark: SparkSession, as_of: date, **landed: Records) -> None:
        suit_to(spark, 0)
        self.spark, self.as_of = spark, as_of
        self.staged: dict[str, DataFrame] = {}
        settings = system_settings(load_policy(), "ecommerce", as_of)
        for raw, staged in STAGED:
            name = table_name(raw.source)
            rows = [tuple(r.get(c) for c in raw.columns) for r in landed.get(name, ())]
            transform = staging.TRANSFORMS[staged]
            texts = spark.createDataFrame(rows, nullable(struct_type(raw)))
            judged = transform(texts, **bind(transform, settings))
            good = judged.where(F.size("broken") == 0).select(*staged.columns)
            # Held, as a run holds it: else each rule is planned again wherever a column is used.
            empty = spark.createDataFrame([], good.schema)
            self.staged[name] = one_per_record(good).localCheckpoint() if rows else empty

    @cached_property
    def product_category(self) -> DataFrame:
        return core.product_category(self.staged["product_categories"])

    @cached_property
    def unrooted(self) -> DataFrame:
        return core.unrooted_categories(self.staged["product_categories"], self.product_category)

    @cached_property
    def order_line(self) -> DataFrame:
        return core.order_line(
            self.staged["order_lines"],
            core.customer(self.staged["customers"]),
            core.product(self.staged["products"]),
            as_of=self.as_of,
        ).localCheckpoint()

    @cached_property
    def orders(self) -> DataFrame:
        return core.orders(self.order_line)

    @cached_property
    def days_by_category(self) -> DataFrame:
        return sales.category_sales_daily(self.order_line, self.product_category)

    @cached_property
    def history(self) -> DataFrame:
        return customers.customer_purchase_history(self.orders, self.order_line)

    @cached_property
    def lifetimes(self) -> DataFrame:
        return customers.customer_lifetimes(self.orders)

    @cached_property
    def aov(self) -> DataFrame:
        return shop.aov_daily(shop.daily_orders(self.orders), as_of=self.as_of)

    @cached_property
    def campaigns(self) -> DataFrame:
        campaign = core.campaign(self.staged["campaigns"])
        totals = shop.campaign_totals(self.order_line, campaign, self.orders, self.lifetimes)
        return shop.campaign_effectiveness(
            campaign, totals, self.aov, as_of=self.as_of, reporting_time_zone="UTC"
        )

    @cached_property
    def snapshot(self) -> DataFrame:
        events = inventory.inventory_event(self.staged["inventory_events"], as_of=self.as_of)
        stored = self.spark.createDataFrame(
            [], "snapshot_date DATE, store_id STRING, product_id STRING, quantity_on_hand BIGINT"
        )
        return inventory.inventory_snapshot(events, stored, events)
