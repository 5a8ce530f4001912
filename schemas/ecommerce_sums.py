"""What the sums of e-commerce mean, wherever they stand, and whose they are."""

from __future__ import annotations

from schemas.contract import MONEY, STRING, Check, Column, Privacy

CUSTOMER = Column(STRING, "The customer.", required=True, privacy=Privacy.PSEUDONYM)
# gross, discount, returns, net
SUMS = (
    Column(MONEY, "Sum of amt of sales.", required=True),
    Column(MONEY, "Sum of discount of sales.", required=True),
    Column(MONEY, "Net of returns, as a positive amount.", required=True),
    Column(MONEY, "Sum of net_amt: gross - discount - returns.", required=True),
)
NET_ADDS_UP = Check("net_adds_up", "net = gross - discount - returns")
