"""Kinds of device by their user agent."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def device_type(user_agent: Column) -> Column:
    """Mobile, Desktop, or Unknown for a NULL user agent; compared without case."""
    mobile = F.lower(user_agent).rlike("mobile|iphone|android")
    return F.when(user_agent.isNull(), "Unknown").when(mobile, "Mobile").otherwise("Desktop")
