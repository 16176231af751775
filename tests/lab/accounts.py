"""The organisation that the lab plays: its accounts, its id, its Regions. Facts only, no behaviour."""

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
REGIONS = ("us-east-1", "eu-west-1", "eu-central-1")
HOME_REGION = "eu-west-1"
GLOBAL_REGION = "us-east-1"


def belongs(account: str) -> bool:
    return account == MANAGEMENT or account in MEMBERS
