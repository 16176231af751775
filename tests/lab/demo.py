"""The product in one command: an attack with a stolen key, and what Keepwatch does about it.

Starts the lab and the agent, attacks as anybody with the key would, and prints what happened as it happened. It checks
nothing by what the agent claims: the account is read back, and the attacker tries again. Exits with 0 when all held.
"""

import os
import sys
import tempfile
from pathlib import Path

from . import figures
from .stage import Refused, Stage

_ROOT = Path(__file__).resolve().parents[2]
_DELIVERY_SECONDS = 1.5


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="keepwatch-demo-") as folder:
        stage = Stage(_ROOT, Path(folder), os.environ["KEEPWATCH"])
        try:
            story(stage)
            figures.show(stage)
        except AssertionError as failure:
            stage.say("FAILED", str(failure))
            return 1
        finally:
            stage.close()
    return 0


def story(stage: Stage) -> None:
    stage.title("An ordinary day")
    stage.start_lab()
    stage.keepwatch_says("doctor", expect=1)  # one account of the organisation is not watched yet, and it says so
    stage.keepwatch_says("sweep", "--once")
    stage.start_agent()
    stage.title("A key of the CI system has leaked")
    stage.settings(delivery_delay_seconds=_DELIVERY_SECONDS)
    attack(stage)
    stage.title("What Keepwatch did")
    incident = aftermath(stage)
    stage.title("The attacker tries again")
    refused(stage)
    stage.title("It was a drill: the responders take it back")
    undo(stage, incident)
    stage.stop_agent()


def attack(stage: Stage) -> None:
    """CloudTrail needs seconds to deliver in life, and here: that is the attacker's head start."""
    world = stage.world
    for point in world["recovery_points"][:3]:
        stage.attacker("backup", "delete_recovery_point", BackupVaultName=world["vault"], RecoveryPointArn=point)
    suspended = {"Status": "Suspended"}
    stage.attacker("s3", "put_bucket_versioning", Bucket=world["buckets"][0], VersioningConfiguration=suspended)
    stage.attacker("cloudtrail", "stop_logging", Name=world["trail"])
    stage.attacker("kms", "schedule_key_deletion", KeyId=world["kms_key_arn"], PendingWindowInDays=7)


def aftermath(stage: Stage) -> str:
    """Every effect is read from the account, not from the agent."""
    world = stage.world
    stage.eventually("the attacker is denied destructive actions", lambda: stage.quarantined("ci-deployer"))
    stage.eventually("vault is under legal hold", lambda: stage.held(world["vault"]))
    stage.eventually("versioning is on again", lambda: stage.versioning(world["buckets"][0]) == "Enabled")
    stage.eventually("the trail is logging again", lambda: stage.logging(world["trail"]))
    stage.eventually("the key is usable again", lambda: stage.key_state(world["kms_key_arn"]) == "Enabled")
    stage.eventually(
        "the Slack thread tells all of it", lambda: stage.thread_mentions("BKP-01", "BKT-01", "LOG-01", "KMS-01")
    )
    incidents = stage.keepwatch_json("incident", "list", "--json")
    stage.check(len(incidents) == 1, f"one incident, not {len(incidents)}")
    incident = incidents[0]["incident"]["id"]
    stage.keepwatch_says("incident", "show", incident)
    stage.show_thread()
    stage.keepwatch_says("ledger", "verify")
    return incident


def refused(stage: Stage) -> None:
    world = stage.world
    try:
        point = world["recovery_points"][3]
        stage.attacker("backup", "delete_recovery_point", BackupVaultName=world["vault"], RecoveryPointArn=point)
    except Refused as refusal:
        stage.say("lab", f"refused: {refusal}")
        stage.check("explicit deny" in str(refusal), "refused by the quarantine, not by chance")
    else:
        raise AssertionError("the attacker deleted another recovery point")


def undo(stage: Stage, incident: str) -> None:
    world = stage.world
    stage.press("U0ALICE", "Undo", incident)  # releasing takes two people
    stage.eventually("the thread asks for a second person", lambda: stage.thread_mentions("waits for a second person"))
    stage.press("U0ALICE", "Undo", incident)
    stage.eventually(
        "the same person twice is answered", lambda: stage.shown_alone("U0ALICE", "another person must press Undo")
    )
    stage.check(stage.quarantined("ci-deployer"), "one person releases nobody")
    stage.press("U0BOB", "Undo", incident)
    stage.eventually("the user has its rights back", lambda: not stage.quarantined("ci-deployer"))
    both = "slack:U0ALICE and slack:U0BOB"
    stage.eventually("the thread reports the undo", lambda: stage.thread_mentions("undone", both))
    stage.eventually("the trail is stopped, as it was before the repair", lambda: not stage.logging(world["trail"]))
    stage.eventually("the legal hold is cancelled", lambda: not stage.held(world["vault"]))
    stage.eventually(
        "versioning is as it was before the repair", lambda: stage.versioning(world["buckets"][0]) == "Suspended"
    )
    key = world["kms_key_arn"]
    stage.eventually("the key is disabled; its deletion stays called off", lambda: stage.key_state(key) == "Disabled")
    stage.keepwatch_says("ledger", "verify")


if __name__ == "__main__":
    sys.exit(main())
