"""What the sample writes although it must not be stored: texts to look for in a lake.

None of them is a value that is allowed anywhere, so that finding one is finding a leak.
They stand in columns and keys that the policy does not list, and in texts, ids, lines
and names where people put them.
"""

from __future__ import annotations

import re
from random import Random

LAST_NAMES = ("Quillfeather", "Ravenscroft-Bell", "Öztürkmen")
HISTORIES = ("keloid after piercing", "takes isotretinoin", "pregnant, 2nd trimester")
FULL_NAMES = ("Ottoline Quillfeather", "Wren Ravenscroft-Bell")
TYPED = ("please call my husband Bartholomew", "I had shingles in Tulum")
EMAILS = ("ottoline.q@canary.example", "wren+clinic@canary.example")
PHONES = ("646-555-0187", "(917) 555-0199")
CARD, SSN, MRN = "4111 1111 1111 1111", "219-09-9999", "MRN 0076543"
BIRTH, DIAGNOSIS = "born 1987-11-23", "L70.9"
PHOTO, BIRTH_DATE, NATIONAL_ID = "IMG_before_4711.heic", "1987-11-23", "QQ123456C"
CANARIES = (
    *LAST_NAMES,
    *HISTORIES,
    *FULL_NAMES,
    *TYPED,
    *EMAILS,
    *PHONES,
    *(CARD, SSN, MRN, BIRTH, DIAGNOSIS, PHOTO, BIRTH_DATE, NATIONAL_ID),
    # As a web address spells them.
    *(EMAILS[0].replace("@", "%40"), "6465550187"),
    "917 555 0199",
)


def camel(name: str) -> str:
    """A snake_case name as the clinic's code spells it."""
    return re.sub(r"_([a-z])", lambda found: found.group(1).upper(), name)


_PAGE = f"https://clinic.example/book?e={EMAILS[0].replace('@', '%40')}&t=6465550187"
# Leads with something personal where something else belongs: the columns that differ.
ODD_LEADS: tuple[dict[str, str], ...] = (
    {"first_name": FULL_NAMES[0]},
    {"first_name": EMAILS[0]},
    {"email": f"{FULL_NAMES[1]} <{EMAILS[1]}>"},
    {"phone": f"ask for {FULL_NAMES[0]}"},
    {"id": EMAILS[0]},
    {"id": "", "email": EMAILS[1], "first_name": "Wren"},
    {"created_at": f"called {LAST_NAMES[0]}"},
    {"source": f"friend of {EMAILS[0]}, {PHONES[0]}, {PHONES[1]}"},
    {"campaign_id": "spring glow (tell 917 555 0199)"},
)
# Keys of activities by type: ones that are not listed, and listed ones with something in them.
ODD_PAYLOADS: tuple[tuple[str, dict[str, object]], ...] = (
    ("sms_sent", {"body": TYPED[0], "templateId": EMAILS[1]}),
    ("email_sent", {"subject": f"pay {CARD}", "message": TYPED[1]}),
    ("email_sent", {"subject": f"SSN {SSN}, {MRN}, {DIAGNOSIS}"}),
    ("email_sent", {"subject": f"you are {BIRTH}?"}),
    ("call", {"notes": HISTORIES[0], "transcript": TYPED[0]}),
    ("form_submit", {"pageUrl": _PAGE, "fullName": FULL_NAMES[1]}),
    ("form_submit", {"dateOfBirth": BIRTH_DATE, "photo": {"file": PHOTO}}),
)
# What is no JSON, and JSON that is no object.
NO_OBJECTS: tuple[dict[str, str], ...] = (
    {"payload_json": f"{{bad, {TYPED[0]}"},
    {"payload_json": f'["{EMAILS[0]}", "{HISTORIES[1]}"]'},
)
# Keys of an invoice's metadata that are not listed.
ON_INVOICE = {"diagnosis": DIAGNOSIS, "national_id": NATIONAL_ID}


def payload(kind: str, random: Random) -> dict[str, object]:
    """One of the odd payloads of the type, or nothing."""
    odd = [said for of, said in ODD_PAYLOADS if of == kind]
    return random.choice(odd) if random.random() < 0.5 else {}
