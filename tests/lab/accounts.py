"""The organisation that the lab plays: its accounts, its id, its Regions. Facts only, no behaviour.

The partition is `aws` unless the environment names another when the lab starts.
"""

import os

ORGANIZATION_ID = "o-keepwatch01"
MANAGEMENT = "555566667777"
PRODUCTION = "111122223333"
BACKUP = "222233334444"
SECURITY = "333344445555"
SANDBOX = "444455556666"

# What `organizations:ListAccounts` answers. The sandbox is a member that nobody has onboarded yet.
MEMBERS = {
    PRODUCTION: "securecart-prod",
    BACKUP: "securecart-backup",
    SECURITY: "securecart-security",
    SANDBOX: "securecart-sandbox",
}
ONBOARDED = {"production": PRODUCTION, "backup": BACKUP, "security": SECURITY}

PARTITION = os.environ.get("LAB_PARTITION", "aws")
# Where services without Regions are recorded, where SecureCart works, and where its copies lie.
_REGIONS = {
    "aws": ("us-east-1", "eu-west-1", "eu-central-1"),
    "aws-cn": ("cn-north-1", "cn-northwest-1", "cn-north-1"),
    "aws-us-gov": ("us-gov-west-1", "us-gov-east-1", "us-gov-west-1"),
}
GLOBAL_REGION, HOME_REGION, DR_REGION = _REGIONS[PARTITION]
REGIONS = tuple(dict.fromkeys(_REGIONS[PARTITION]))


def belongs(account: str) -> bool:
    return account == MANAGEMENT or account in MEMBERS
