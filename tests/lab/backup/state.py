"""What AWS Backup holds, and where. Plain values: the rules about them are in the other modules."""

import uuid
from dataclasses import dataclass, field

DAY = 86_400


class BackupError(Exception):
    """A refusal in AWS Backup's own words."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def not_found(what: str) -> BackupError:
    return BackupError("ResourceNotFoundException", what)


def invalid_request(why: str) -> BackupError:
    return BackupError("InvalidRequestException", why)


def invalid_value(why: str) -> BackupError:
    return BackupError("InvalidParameterValueException", why)


@dataclass(frozen=True)
class Place:
    """One Region of one account."""

    account: str
    region: str

    def arn(self, resource: str) -> str:
        return f"arn:aws:backup:{self.region}:{self.account}:{resource}"


@dataclass
class Point:
    arn: str
    vault: "Vault"
    resource_arn: str
    resource_type: str
    role_arn: str
    created: float
    completed: float
    size_bytes: int
    lifecycle: dict
    tags: dict = field(default_factory=dict)
    source_vault_arn: str | None = None
    created_by: dict | None = None
    status: str = "COMPLETED"

    @property
    def delete_at(self) -> float | None:
        days = self.lifecycle.get("DeleteAfterDays")
        return self.created + days * DAY if days and days > 0 else None

    @property
    def cold_at(self) -> float | None:
        days = self.lifecycle.get("MoveToColdStorageAfterDays")
        return self.created + days * DAY if days and days > 0 else None


@dataclass
class Lock:
    min_days: int | None
    max_days: int | None
    # When the lock becomes immutable (compliance); `None` for one that may always be removed (governance).
    lock_date: float | None


@dataclass
class Vault:
    name: str
    place: Place
    created: float
    key_arn: str
    creator_request_id: str = ""
    tags: dict = field(default_factory=dict)
    policy: str | None = None
    lock: Lock | None = None
    points: dict[str, Point] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return self.place.arn(f"backup-vault:{self.name}")


@dataclass
class Job:
    """A backup or a copy. `output` is what AWS Backup shows of it."""

    id: str
    place: Place
    state: str
    shown: dict


@dataclass
class Hold:
    id: str
    place: Place
    title: str
    description: str
    created: float
    selection: dict
    tags: dict = field(default_factory=dict)
    status: str = "ACTIVE"
    cancelled: float | None = None
    cancel_description: str | None = None

    @property
    def arn(self) -> str:
        return self.place.arn(f"legal-hold:{self.id}")


@dataclass
class Corner:
    """Everything of one place."""

    vaults: dict[str, Vault] = field(default_factory=dict)
    backup_jobs: dict[str, Job] = field(default_factory=dict)
    copy_jobs: dict[str, Job] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    opt_in: dict[str, bool] = field(default_factory=dict)


_corners: dict[Place, Corner] = {}


def corner(place: Place) -> Corner:
    return _corners.setdefault(place, Corner())


def active_holds(account: str) -> int:
    """How many legal holds of an account are in force, in all its Regions."""
    corners = [corner for place, corner in _corners.items() if place.account == account]
    return sum(hold.status == "ACTIVE" for corner in corners for hold in corner.holds.values())


def vault(place: Place, name: str) -> Vault:
    found = corner(place).vaults.get(name)
    if found is None:
        raise not_found(f"Backup vault {name} does not exist.")
    return found


def vault_by_arn(arn: str) -> Vault | None:
    pieces = arn.split(":")
    if len(pieces) != 7 or pieces[1:3] != ["aws", "backup"] or pieces[5] != "backup-vault":
        return None
    return corner(Place(pieces[4], pieces[3])).vaults.get(pieces[6])


def point(place: Place, vault_name: str, arn: str) -> Point:
    found = vault(place, vault_name).points.get(arn)
    if found is None:
        raise not_found(f"Recovery point {arn} does not exist in backup vault {vault_name}.")
    return found


def new_id() -> str:
    return str(uuid.uuid4())
