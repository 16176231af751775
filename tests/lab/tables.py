"""Completes DynamoDB's continuous backups: the window to which a table can be restored, and what shrinking it costs.

Tables, items and deletion protection are the emulator's.
"""

from dataclasses import dataclass

from ministack.core.responses import error_response_json, json_response
from ministack.services import dynamodb

from .clock import clock

_DAY_SECONDS = 86_400
_MOST_DAYS = 35
# The newest moment to restore to lies about five minutes back.
_BEHIND_SECONDS = 300


@dataclass(frozen=True)
class _Recovery:
    """Point-in-time recovery of one table: its window, and the moment before which nothing is kept any more."""

    days: int
    kept_since: float

    def earliest(self) -> float:
        return max(self.kept_since, clock.now() - self.days * _DAY_SECONDS)

    def shown(self) -> dict:
        return {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": self.days,
            "EarliestRestorableDateTime": self.earliest(),
            "LatestRestorableDateTime": max(self.earliest(), clock.now() - _BEHIND_SECONDS),
        }


def install() -> None:
    dynamodb._describe_continuous_backups = _describe
    dynamodb._update_continuous_backups = _update


def _describe(given: dict) -> tuple:
    name = dynamodb._normalize_table_name(given.get("TableName"))
    return _shown(name) if name in dynamodb._tables else _no_table(name)


def _update(given: dict) -> tuple:
    name = dynamodb._normalize_table_name(given.get("TableName"))
    if name not in dynamodb._tables:
        return _no_table(name)
    wanted = given.get("PointInTimeRecoverySpecification") or {}
    days = wanted.get("RecoveryPeriodInDays", _MOST_DAYS)
    if not 1 <= days <= _MOST_DAYS:
        return _out_of_range(days)
    if wanted.get("PointInTimeRecoveryEnabled"):
        before = dynamodb._pitr_settings.get(name)
        kept_since = max(before.earliest(), clock.now() - days * _DAY_SECONDS) if before else clock.now()
        dynamodb._pitr_settings[name] = _Recovery(days, kept_since)
    else:
        dynamodb._pitr_settings.pop(name, None)
    return _shown(name)


def _shown(name: str) -> tuple:
    recovery = dynamodb._pitr_settings.get(name)
    shown = recovery.shown() if recovery else {"PointInTimeRecoveryStatus": "DISABLED"}
    # Continuous backups are on for every table, whether or not anybody can restore from them.
    described = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": shown}
    return json_response({"ContinuousBackupsDescription": described})


def _no_table(name: str) -> tuple:
    return error_response_json("TableNotFoundException", f"Table not found: {name}", 400)


def _out_of_range(days: int) -> tuple:
    bound = "greater than or equal to 1" if days < 1 else f"less than or equal to {_MOST_DAYS}"
    message = (
        f"1 validation error detected: Value '{days}' at 'pointInTimeRecoverySpecification.recoveryPeriodInDays' "
        f"failed to satisfy constraint: Member must have value {bound}"
    )
    return error_response_json("ValidationException", message, 400)
