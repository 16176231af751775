"""AWS Backup's data side, as an attacker and as a rescuer meet it."""

from datetime import UTC, datetime, timedelta

import pytest

from lab.conftest import policy, refusal

HELD = "InvalidRequestException"


@pytest.fixture
def backup(lab):
    return lab.client("backup", lab.root("production"))


def _hold(backup, vault: str, token: str | None = None) -> str:
    now = datetime.now(UTC)
    selection = {
        "VaultNames": [vault],
        "DateRange": {"FromDate": now - timedelta(days=400), "ToDate": now + timedelta(days=400)},
    }
    given = {"IdempotencyToken": token} if token else {}
    held = backup.create_legal_hold(Title="keepwatch", Description="x", RecoveryPointSelection=selection, **given)
    return held["LegalHoldId"]


def test_the_world_has_six_points_and_copies_of_them_in_two_more_vaults(lab):
    places = (
        ("production", "eu-west-1", "securecart-vault"),
        ("production", "eu-central-1", "securecart-vault-dr"),
        ("backup", "eu-west-1", "securecart-isolated"),
    )
    for account, region, vault in places:
        client = lab.client("backup", lab.root(account), region)
        points = client.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]
        assert len(points) == 6 and {point["Status"] for point in points} == {"COMPLETED"}
        assert all(point["Lifecycle"]["DeleteAfterDays"] == 35 for point in points)
        tags = client.list_tags(ResourceArn=client.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"])
        assert tags["Tags"] == {"keepwatch:protected": "true", "Owner": "team-ledger"}


def test_a_vault_is_deleted_only_when_empty_and_a_deleted_point_is_gone(lab, backup):
    point = lab.point(vault := lab.vault())
    assert refusal(backup.delete_backup_vault, BackupVaultName=vault) == HELD
    backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    assert (
        refusal(backup.describe_recovery_point, BackupVaultName=vault, RecoveryPointArn=point)
        == "ResourceNotFoundException"
    )
    backup.delete_backup_vault(BackupVaultName=vault)
    assert refusal(backup.describe_backup_vault, BackupVaultName=vault) == "ResourceNotFoundException"


def test_a_backup_job_takes_its_time(lab, backup):
    lab.control("/settings", {"job_seconds": 600})
    job = backup.start_backup_job(
        BackupVaultName=lab.vault(), ResourceArn=lab.world["resources"]["sessions"], IamRoleArn=lab.world["backup_role"]
    )["BackupJobId"]
    states = [backup.describe_backup_job(BackupJobId=job)["State"]]
    for seconds in (301, 300):
        lab.control("/clock", {"advance_seconds": seconds})
        states.append(backup.describe_backup_job(BackupJobId=job)["State"])
    assert states == ["CREATED", "RUNNING", "COMPLETED"]
    assert job in [one["BackupJobId"] for one in backup.list_backup_jobs(ByState="COMPLETED")["BackupJobs"]]


def test_a_held_point_outlives_every_deletion_until_the_hold_is_cancelled(lab, backup):
    point = lab.point(vault := lab.vault())
    hold = _hold(backup, vault, "once")
    assert _hold(backup, vault, "once") == hold
    at = {"BackupVaultName": vault, "RecoveryPointArn": point}
    assert refusal(backup.delete_recovery_point, **at) == HELD
    assert refusal(backup.disassociate_recovery_point, **at) == HELD
    covered = backup.list_recovery_points_by_legal_hold(LegalHoldId=hold)["RecoveryPoints"]
    assert [one["RecoveryPointArn"] for one in covered] == [point]
    assert backup.get_legal_hold(LegalHoldId=hold)["Status"] == "ACTIVE"
    backup.cancel_legal_hold(LegalHoldId=hold, CancelDescription="drill over")
    assert {one["LegalHoldId"]: one["Status"] for one in backup.list_legal_holds()["LegalHolds"]}[hold] == "CANCELED"
    backup.delete_recovery_point(**at)


def test_the_fifty_first_active_hold_of_an_account_is_refused_in_whichever_region(own_lab):
    home = own_lab.client("backup", own_lab.root("production"))
    abroad = own_lab.client("backup", own_lab.root("production"), "eu-central-1")
    first = _hold(home, "securecart-vault")
    for _ in range(24):
        _hold(home, "securecart-vault")
    for _ in range(25):
        _hold(abroad, "securecart-vault-dr")
    selection = {"VaultNames": ["securecart-vault"]}
    given = {"Title": "one too many", "Description": "x", "RecoveryPointSelection": selection}
    assert refusal(home.create_legal_hold, **given) == "LimitExceededException"
    assert refusal(abroad.create_legal_hold, **given) == "LimitExceededException"
    elsewhere = own_lab.client("backup", own_lab.root("backup"))
    assert refusal(elsewhere.create_legal_hold, **given) == ""
    home.cancel_legal_hold(LegalHoldId=first, CancelDescription="room for another")
    assert refusal(home.create_legal_hold, **given) == ""


def test_a_token_used_before_answers_as_before_and_does_nothing(lab, backup):
    vault = lab.vault()
    job = {
        "BackupVaultName": vault,
        "ResourceArn": lab.world["resources"]["orders"],
        "IamRoleArn": lab.world["backup_role"],
        "IdempotencyToken": vault,
    }
    first = backup.start_backup_job(**job)
    lab.control("/clock", {"advance_seconds": 2})
    other = {**job, "ResourceArn": lab.world["resources"]["sessions"]}
    assert backup.start_backup_job(**other)["BackupJobId"] == first["BackupJobId"]
    copy = {
        "RecoveryPointArn": first["RecoveryPointArn"],
        "SourceBackupVaultName": vault,
        "DestinationBackupVaultArn": lab.world["dr_vault_arn"],
        "IamRoleArn": lab.world["backup_role"],
        "IdempotencyToken": vault,
    }
    assert backup.start_copy_job(**copy)["CopyJobId"] == backup.start_copy_job(**copy)["CopyJobId"]
    lab.control("/clock", {"advance_seconds": 2})
    assert len(backup.list_recovery_points_by_backup_vault(BackupVaultName=vault)["RecoveryPoints"]) == 1
    jobs = backup.list_copy_jobs(ByResourceArn=lab.world["resources"]["orders"])["CopyJobs"]
    assert len([one for one in jobs if one["SourceRecoveryPointArn"] == first["RecoveryPointArn"]]) == 1


def test_the_token_of_a_cancelled_hold_holds_nothing_any_more(lab, backup):
    point = lab.point(vault := lab.vault())
    hold = _hold(backup, vault, vault)
    backup.cancel_legal_hold(LegalHoldId=hold, CancelDescription="drill over")
    assert _hold(backup, vault, vault) == hold
    assert backup.get_legal_hold(LegalHoldId=hold)["Status"] == "CANCELED"
    backup.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)


def test_a_plan_asked_for_twice_with_one_request_id_is_one_plan(lab, backup):
    rule = {"RuleName": "daily", "TargetBackupVaultName": "securecart-vault"}
    given = {"BackupPlan": {"BackupPlanName": "once", "Rules": [rule]}, "CreatorRequestId": "once"}
    plan = backup.create_backup_plan(**given)["BackupPlanId"]
    assert backup.create_backup_plan(**given)["BackupPlanId"] == plan
    chosen = {
        "BackupPlanId": plan,
        "BackupSelection": {"SelectionName": "all", "IamRoleArn": lab.world["backup_role"], "Resources": ["*"]},
        "CreatorRequestId": "once",
    }
    selection = backup.create_backup_selection(**chosen)["SelectionId"]
    assert backup.create_backup_selection(**chosen)["SelectionId"] == selection
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=selection)
    backup.delete_backup_plan(BackupPlanId=plan)
    assert backup.create_backup_plan(**given)["BackupPlanId"] != plan


def test_a_governance_lock_can_be_removed_and_a_compliance_lock_only_in_its_grace_time(own_lab):
    lab, backup = own_lab, own_lab.client("backup", own_lab.root("production"))
    point = lab.point(vault := lab.vault())
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7)
    described = backup.describe_backup_vault(BackupVaultName=vault)
    assert described["Locked"] and "LockDate" not in described
    assert refusal(backup.delete_recovery_point, BackupVaultName=vault, RecoveryPointArn=point) == HELD
    backup.delete_backup_vault_lock_configuration(BackupVaultName=vault)
    backup.put_backup_vault_lock_configuration(BackupVaultName=vault, MinRetentionDays=7, ChangeableForDays=3)
    assert "LockDate" in backup.describe_backup_vault(BackupVaultName=vault)
    lab.control("/clock", {"advance_seconds": 3 * 86_400 + 1})
    assert refusal(backup.delete_backup_vault_lock_configuration, BackupVaultName=vault) == HELD


def test_a_shortened_lifecycle_is_remembered_and_costs_the_point(own_lab):
    lab, backup = own_lab, own_lab.client("backup", own_lab.root("production"))
    point = lab.point(vault := lab.vault())
    at = {"BackupVaultName": vault, "RecoveryPointArn": point}
    since = lab.seq()
    updated = backup.update_recovery_point_lifecycle(**at, Lifecycle={"DeleteAfterDays": 1})
    assert updated["CalculatedLifecycle"]["DeleteAt"]
    assert lab.records(since)[0]["requestParameters"]["lifecycle"] == {"deleteAfterDays": 1}
    lab.control("/clock", {"advance_seconds": 86_400 + 10})
    assert refusal(backup.describe_recovery_point, **at) == "ResourceNotFoundException"


def _copy(lab, backup, vault: str, point: str, destination: str) -> dict:
    job = backup.start_copy_job(
        RecoveryPointArn=point,
        SourceBackupVaultName=vault,
        DestinationBackupVaultArn=destination,
        IamRoleArn=lab.world["backup_role"],
    )["CopyJobId"]
    lab.control("/clock", {"advance_seconds": 2})
    return backup.describe_copy_job(CopyJobId=job)["CopyJob"]


def test_a_copy_goes_to_another_region_and_another_account(lab, backup):
    point = lab.point(vault := lab.vault())
    for account, region, name in (
        ("production", "eu-central-1", "dr_vault_arn"),
        ("backup", "eu-west-1", "isolated_vault_arn"),
    ):
        job = _copy(lab, backup, vault, point, lab.world[name])
        assert job["State"] == "COMPLETED"
        there = lab.client("backup", lab.root(account), region)
        copied = there.describe_recovery_point(
            BackupVaultName=lab.world[name].rsplit(":", 1)[-1], RecoveryPointArn=job["DestinationRecoveryPointArn"]
        )
        assert copied["ResourceArn"] == lab.world["resources"]["orders"]
    listed = backup.list_copy_jobs(ByDestinationVaultArn=lab.world["dr_vault_arn"], ByState="COMPLETED")["CopyJobs"]
    assert point in [one["SourceRecoveryPointArn"] for one in listed]


def test_a_copy_into_another_account_fails_unless_its_vault_allows_it(lab, backup):
    point = lab.point(vault := lab.vault())
    closed = lab.vault(lab.root("backup"))
    job = _copy(lab, backup, vault, point, f"arn:aws:backup:eu-west-1:222233334444:backup-vault:{closed}")
    assert job["State"] == "FAILED" and "CopyIntoBackupVault" in job["StatusMessage"]


def test_a_copy_needs_the_right_to_pass_the_role(lab):
    point = lab.point(vault := lab.vault())
    _, key = lab.user("backup:*")
    given = {
        "RecoveryPointArn": point,
        "SourceBackupVaultName": vault,
        "IamRoleArn": lab.world["backup_role"],
        "DestinationBackupVaultArn": lab.world["dr_vault_arn"],
    }
    assert refusal(lab.client("backup", key).start_copy_job, **given) == "AccessDeniedException"


def test_a_vault_policy_binds_even_an_administrator(lab, backup):
    point = lab.point(vault := lab.vault())
    assert refusal(backup.get_backup_vault_access_policy, BackupVaultName=vault) == "ResourceNotFoundException"
    deny = policy("Deny", "backup:DeleteRecoveryPoint").replace('"Effect"', '"Principal": "*", "Effect"')
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy=deny)
    attacker = lab.client("backup", lab.attacker)
    at = {"BackupVaultName": vault, "RecoveryPointArn": point}
    assert refusal(attacker.delete_recovery_point, **at) == "AccessDeniedException"
    assert backup.get_backup_vault_access_policy(BackupVaultName=vault)["Policy"] == deny
    attacker.delete_backup_vault_access_policy(BackupVaultName=vault)
    attacker.delete_recovery_point(**at)


def test_rights_are_judged_by_the_resource(lab, backup):
    kept, lost = lab.point(vault := lab.vault()), lab.point(vault)
    name, key = lab.user("backup:*")
    statement = policy("Deny", "backup:DeleteRecoveryPoint").replace('"Resource": "*"', f'"Resource": "{kept}"')
    lab.client("iam", lab.root("production")).put_user_policy(
        UserName=name, PolicyName="deny", PolicyDocument=statement
    )
    own = lab.client("backup", key)
    assert refusal(own.delete_recovery_point, BackupVaultName=vault, RecoveryPointArn=kept) == "AccessDeniedException"
    own.delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=lost)


def test_tags_of_a_vault_and_of_a_point_can_be_lost(lab, backup):
    point = lab.point(vault := lab.vault())
    arn = backup.describe_backup_vault(BackupVaultName=vault)["BackupVaultArn"]
    since = lab.seq()
    for resource in (arn, point):
        backup.tag_resource(ResourceArn=resource, Tags={"keepwatch:protected": "true", "a": "b"})
        backup.untag_resource(ResourceArn=resource, TagKeyList=["keepwatch:protected"])
        assert backup.list_tags(ResourceArn=resource)["Tags"] == {"a": "b"}
    untagged = [one for one in lab.records(since) if one["eventName"] == "UntagResource"]
    assert [one["requestParameters"]["resourceArn"] for one in untagged] == [arn, point]


def test_opting_a_kind_of_resource_out_is_told(lab, backup):
    wanted = {"DynamoDB": False}
    backup.update_region_settings(ResourceTypeOptInPreference=wanted)
    assert backup.describe_region_settings()["ResourceTypeOptInPreference"] == wanted
    told = [one["detail"] for one in lab.messages() if one["detail-type"] == "Region Setting State Change"]
    assert [one["ResourceTypeOptInPreference"] for one in told] == [wanted]


def test_plans_are_found_with_and_without_the_last_slash(lab, backup):
    import urllib.request

    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    rule = {"RuleName": "daily", "TargetBackupVaultName": "securecart-vault", "ScheduleExpression": "cron(0 5 * * ? *)"}
    backup.create_backup_plan(BackupPlan={"BackupPlanName": "daily", "Rules": [rule]})
    for path in ("/backup/plans", "/backup/plans/"):
        request = AWSRequest("GET", lab.endpoint + path)
        SigV4Auth(Credentials(**_keys(lab.attacker)), "backup", "eu-west-1").add_auth(request)
        with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers))) as answer:
            assert b"daily" in answer.read()


def _keys(who: dict) -> dict:
    return {"access_key": who["access_key_id"], "secret_key": who["secret_access_key"]}


def test_an_old_version_of_a_plan_can_be_read_and_a_plan_with_selections_is_not_deleted(lab, backup):
    rule = {"RuleName": "daily", "TargetBackupVaultName": "securecart-vault"}
    made = backup.create_backup_plan(BackupPlan={"BackupPlanName": "old", "Rules": [rule]})
    backup.update_backup_plan(BackupPlanId=made["BackupPlanId"], BackupPlan={"BackupPlanName": "new", "Rules": [rule]})
    old = backup.get_backup_plan(BackupPlanId=made["BackupPlanId"], VersionId=made["VersionId"])
    assert old["BackupPlan"]["BackupPlanName"] == "old"
    selection = {"SelectionName": "all", "IamRoleArn": lab.world["backup_role"], "Resources": ["*"]}
    chosen = backup.create_backup_selection(BackupPlanId=made["BackupPlanId"], BackupSelection=selection)
    assert refusal(backup.delete_backup_plan, BackupPlanId=made["BackupPlanId"]) == HELD
    backup.delete_backup_selection(BackupPlanId=made["BackupPlanId"], SelectionId=chosen["SelectionId"])
    backup.delete_backup_plan(BackupPlanId=made["BackupPlanId"])
    told = [one["detail"]["state"] for one in lab.messages() if one["detail-type"] == "Backup Plan State Change"]
    assert told == ["CREATED", "MODIFIED", "DELETED"]
