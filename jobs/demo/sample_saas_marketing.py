"""How an invented service sells and helps, as HubSpot tells it: companies, deals, campaigns.

Like billing, it is drawn whole and lands day by day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random

from jobs.demo.sample_delivery import Row
from jobs.demo.sample_saas_company import Company
from jobs.demo.sample_saas_people import Customer, moment, text
from jobs.demo.sample_web_behaviour import day_random

_CAMPAIGNS = (
    ("camp-newsletter", "Newsletter", "Email", -60, None),
    ("camp-happy-hour", "Happy hours", "Paid Social", -30, 9),
    ("camp-taps", "Smart taps", "Paid Search", -20, None),
    ("camp-fair", "Trade fair", "Events", 6, 8),
)
_STAGES = (("stage-open", "Open", "false"), ("stage-won", "Won", "true"), ("stage-lost", "", ""))
_AHEAD = 60


class Marketing:
    """The rows that HubSpot and the app's book of spend tell, by the day on which they land."""

    def __init__(self, company: Company) -> None:
        self.company, self.start = company, company.start
        self.last = self.start + timedelta(days=_AHEAD)
        self._rows: dict[date, list[tuple[str, Row]]] = defaultdict(list)
        random = day_random(company.seed, 0, "saas marketing")
        self._stages()
        self._campaigns(random)
        for customer in company.customers:
            self._customer(customer, random)

    def day(self, day: date) -> Iterator[tuple[str, Row]]:
        """The rows that land on a day."""
        yield from self._rows.get(day, [])

    def _land(self, source: str, at: datetime, row: Row) -> None:
        if at.date() <= self.last:
            self._rows[max(at.date(), self.start)].append((source, {**row, "updated_at": text(at)}))

    def _at(self, days: int, hour: int = 9) -> datetime:
        return datetime.combine(self.start + timedelta(days=days), time(hour), UTC)

    def _stages(self) -> None:
        for stage, label, is_won in _STAGES:
            row = {"stage_id": stage, "pipeline_id": "sales", "label": label, "is_won": is_won}
            self._land("hubspot_deal_pipeline_stages", self._at(-90), row)

    def _campaigns(self, random: Random) -> None:
        for campaign, name, channel, first, last in _CAMPAIGNS:
            row = {
                "campaign_id": campaign,
                "name": name,
                "channel": channel,
                "status": "running",
                "started_at": text(self._at(first)),
                "ended_at": "" if last is None else text(self._at(last, 18)),
            }
            self._land("hubspot_campaigns", self._at(min(first, 0) - 1), row)
            if channel == "Email":
                continue
            for days in range(max(first, -20), _AHEAD if last is None else last + 1):
                self._spend(campaign, days, random)
        # One that HubSpot does not know.
        for days in range(-5, 10):
            self._spend("camp-flyers", days, random)

    def _spend(self, campaign: str, days: int, random: Random) -> None:
        impressions = random.randint(200, 2000)
        row = {
            "campaign_id": campaign,
            "spend_date": str(self.start + timedelta(days=days)),
            "spend": f"{random.uniform(5, 80):.2f}",
            "impressions": str(impressions),
            "clicks": str(impressions // random.randint(20, 60)),
        }
        self._land("app_campaign_spend", self._at(days, 22), row)
        if random.random() < 0.1:
            # Told again the day after, with another sum.
            self._land("app_campaign_spend", self._at(days + 1, 7), {**row, "spend": "33.30"})

    def _customer(self, customer: Customer, random: Random) -> None:
        company_id, met = f"co-{customer.number:03d}", customer.came_at - timedelta(days=12)
        self._land(
            "hubspot_companies",
            met,
            {
                "company_id": company_id,
                "name": customer.name,
                "domain": f"www.{customer.domain}" if customer.number % 2 else customer.domain,
                "industry": customer.industry,
                "country": customer.country,
                "created_at": text(met),
            },
        )
        contacts = []
        for n, user in enumerate(customer.users[:2]):
            contact = {
                "contact_id": f"contact-{customer.number:03d}-{n}",
                "company_id": company_id if n == 0 or random.random() < 0.8 else "",
                "email": user.email,
                "created_at": text(met),
            }
            contacts.append(contact)
            self._land("hubspot_contacts", met, contact)
        touched = self._touches(customer, company_id, contacts[0], met, random)
        if len(contacts) > 1 and random.random() < 0.25:
            self._merged(contacts, touched + timedelta(days=2))
        if random.random() < 0.6:
            self._deal(customer, company_id, contacts[-1]["contact_id"], touched, random)
        for n in range(random.choice((0, 0, 1, 1, 2, 4))):
            self._ticket(customer, company_id, contacts[0]["contact_id"], n, random)

    def _touches(
        self, customer: Customer, company_id: str, contact: Row, met: datetime, random: Random
    ) -> datetime:
        """Mails, clicks, calls and the like before the customer came; the last of them."""
        at = met
        for n in range(random.choice((1, 2, 3, 4))):
            at += timedelta(days=random.choice((1, 2, 3)), seconds=random.randrange(20_000))
            campaign = random.choice(_CAMPAIGNS[:3])[0]
            if random.random() < 0.5:
                for kind in ("sent", "open", "click"):
                    event = {
                        "event_id": f"mail-{customer.number:03d}-{n}-{kind}",
                        "campaign_id": campaign,
                        "contact_id": contact["contact_id"] if random.random() < 0.5 else "",
                        "recipient": contact["email"].upper(),
                        "event_type": kind.upper(),
                        "occurred_at": text(at),
                        "is_filtered": "true" if random.random() < 0.1 else "false",
                    }
                    self._land("hubspot_email_events", at, event)
                    at += timedelta(minutes=7)
            else:
                kind = random.choice(("call", "meeting", "form", "ad", "note", "email"))
                engagement = {
                    "engagement_id": f"eng-{customer.number:03d}-{n}",
                    "engagement_type": kind.upper(),
                    "contact_id": contact["contact_id"] if random.random() < 0.8 else "",
                    "company_id": company_id,
                    "campaign_id": campaign if kind in ("ad", "form") else "",
                    "occurred_at": text(at),
                }
                self._land("hubspot_engagements", at, engagement)
        return at

    def _merged(self, contacts: list[Row], at: datetime) -> None:
        gone, stays = contacts
        self._land("hubspot_contacts", at, {**gone, "is_deleted": "true"})
        merge = {
            "from_contact_id": gone["contact_id"],
            "into_contact_id": stays["contact_id"],
            "merged_at": text(at),
        }
        self._land("hubspot_contact_merges", at, merge)

    def _deal(
        self, customer: Customer, company_id: str, contact: str, touched: datetime, random: Random
    ) -> None:
        deal = {
            "deal_id": f"deal-{customer.number:03d}",
            "company_id": company_id if random.random() < 0.8 else "",
            "contact_id": contact,
            "pipeline_id": "sales",
            "stage_id": "stage-open",
            "name": f"{customer.name}: taps",
            "amount": f"{random.randint(200, 4000)}.{random.choice(('00', '50', '99'))}",
            "created_at": text(touched),
        }
        self._land("hubspot_deals", touched, deal)
        entered = {"deal_id": deal["deal_id"], "entered_at": text(touched)}
        self._land("hubspot_deal_stages", touched, {**entered, "stage_id": "stage-open"})
        closed = max(touched, self._at(-3)) + timedelta(days=random.randint(1, 9), seconds=77)
        stage = random.choice(("stage-won", "stage-won", "stage-lost"))
        told = {"stage_id": stage, "closed_at": text(closed)}
        self._land("hubspot_deals", closed, {**deal, **told})
        entered = {"deal_id": deal["deal_id"], "entered_at": text(closed), "stage_id": stage}
        self._land("hubspot_deal_stages", closed, entered)
        if random.random() < 0.1:
            double = {**deal, "deal_id": deal["deal_id"] + "b", "stage_id": "stage-won"}
            self._land("hubspot_deals", closed, double)
            merge = {"from_deal_id": double["deal_id"], "into_deal_id": deal["deal_id"]}
            merge["merged_at"] = text(closed)
            self._land("hubspot_deal_merges", closed, merge)

    def _ticket(
        self, customer: Customer, company_id: str, contact: str, number: int, random: Random
    ) -> None:
        day = max(customer.came_at.date(), self.start - timedelta(days=40))
        at = moment(day + timedelta(days=random.randint(1, 50)), random, 8, 22)
        ticket = {
            "ticket_id": f"ticket-{customer.number:03d}-{number}",
            "company_id": company_id if random.random() < 0.7 else "",
            "contact_id": contact,
            "priority": random.choice(("LOW", "Medium", "HIGH")),
            "category": random.choice(("billing", "hardware", "")),
            "created_at": text(at),
        }
        self._land("hubspot_tickets", at, ticket)
        if random.random() < 0.8:
            replied = at + timedelta(hours=random.randint(1, 30))
            closed = replied + timedelta(hours=random.randint(1, 90))
            told = {"first_reply_at": text(replied), "closed_at": text(closed)}
            self._land("hubspot_tickets", closed, {**ticket, **told})
