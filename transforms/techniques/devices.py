"""Kinds of device by their user agent."""

from __future__ import annotations


def device_type(user_agent: str) -> str:
    """SQL: Mobile, Desktop, or Unknown for a NULL user agent; compared without case."""
    mobile = f"lower({user_agent}) RLIKE 'mobile|iphone|android'"
    return (
        f"CASE WHEN {user_agent} IS NULL THEN 'Unknown' WHEN {mobile} THEN 'Mobile' "
        "ELSE 'Desktop' END"
    )
