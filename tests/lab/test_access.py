"""Containment is no opinion: the next call is refused or it is not."""

import json
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError

import pytest
from botocore.exceptions import ClientError

from lab.conftest import policy, refusal

DENIED = "AccessDeniedException"


@pytest.fixture
def iam(lab):
    return lab.client("iam", lab.root("production"))


def test_an_inline_deny_stops_a_user_who_may_do_everything(lab, iam):
    name, key = lab.user("*")
    backup = lab.client("backup", key)
    assert refusal(backup.list_backup_vaults) == ""
    iam.put_user_policy(UserName=name, PolicyName="keepwatch", PolicyDocument=policy("Deny", "backup:*"))
    assert refusal(backup.list_backup_vaults) == DENIED
    assert refusal(lab.client("s3", key).list_buckets) == ""


def test_a_change_of_iam_counts_only_after_it_has_spread(lab, iam):
    name, key = lab.user("*")
    backup = lab.client("backup", key)
    lab.control("/settings", {"iam_propagation_seconds": 5})
    iam.put_user_policy(UserName=name, PolicyName="keepwatch", PolicyDocument=policy("Deny", "*"))
    assert "keepwatch" in iam.list_user_policies(UserName=name)["PolicyNames"]
    assert refusal(backup.list_backup_vaults) == ""
    lab.control("/clock", {"advance_seconds": 6})
    assert refusal(backup.list_backup_vaults) == DENIED


def test_a_watching_attacker_can_undo_the_deny_inside_the_gap(lab, iam):
    name, key = lab.user("*")
    lab.control("/settings", {"iam_propagation_seconds": 5})
    iam.put_user_policy(UserName=name, PolicyName="keepwatch", PolicyDocument=policy("Deny", "*"))
    lab.client("iam", key).delete_user_policy(UserName=name, PolicyName="keepwatch")
    lab.control("/clock", {"advance_seconds": 11})
    assert refusal(lab.client("backup", key).list_backup_vaults) == ""


def test_a_deactivated_key_is_unknown(lab, iam):
    name, key = lab.user("*")
    iam.update_access_key(UserName=name, AccessKeyId=key["access_key_id"], Status="Inactive")
    assert refusal(lab.client("iam", key).list_users) == "InvalidClientTokenId"


def _revocation(user_id: str, before: datetime) -> str:
    moment = before.strftime("%Y-%m-%dT%H:%M:%SZ")
    condition = {"StringLike": {"aws:userid": user_id}, "DateLessThan": {"aws:TokenIssueTime": moment}}
    return policy("Deny", "*", condition=condition)


def test_one_session_is_revoked_and_the_role_keeps_working_for_others(lab, iam):
    role = lab.world["app_role"]
    evil = lab.assume(lab.attacker, role, RoleSessionName="evil")
    good = lab.assume(lab.attacker, role, RoleSessionName="good")
    role_id = iam.get_role(RoleName="securecart-app")["Role"]["RoleId"]
    now = datetime.fromtimestamp(lab.control("/clock")["now"], UTC)
    document = _revocation(f"{role_id}:evil", now + timedelta(seconds=2))
    iam.put_role_policy(RoleName="securecart-app", PolicyName="keepwatch", PolicyDocument=document)
    assert refusal(lab.client("backup", evil).list_backup_vaults) == DENIED
    assert refusal(lab.client("backup", good).list_backup_vaults) == ""
    lab.control("/clock", {"advance_seconds": 5})
    fresh = lab.assume(lab.attacker, role, RoleSessionName="evil")
    assert refusal(lab.client("backup", fresh).list_backup_vaults) == ""
    iam.delete_role_policy(RoleName="securecart-app", PolicyName="keepwatch")


@pytest.mark.parametrize(
    ("service", "principal", "name"),
    [("ec2", "ec2", "i-0a1b2c3d4e5f60718"), ("lambda", "lambda", "export"), ("ecs", "ecs-tasks", "0f1e2d3c")],
)
def test_a_service_fetches_new_credentials_under_the_same_name_and_outlives_a_dated_denial(
    lab, iam, service, principal, name
):
    trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": f"{principal}.amazonaws.com"}}]})
    trust = trust.replace('"Principal"', '"Action": "sts:AssumeRole", "Principal"')
    role = iam.create_role(RoleName=f"by-{service}", AssumeRolePolicyDocument=trust)["Role"]
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="work", PolicyDocument=policy("Allow", "backup:*"))
    wanted, since = {"service": service, "role_arn": role["Arn"], "name": name}, lab.seq()
    first = lab.control("/sessions", wanted)
    record = lab.records(since)[0]
    assert record["userIdentity"] == {"type": "AWSService", "invokedBy": f"{principal}.amazonaws.com"}
    assert record["requestParameters"] == {"roleArn": role["Arn"], "roleSessionName": name}
    assert record["responseElements"]["credentials"]["accessKeyId"] == first["access_key_id"]
    now = datetime.fromtimestamp(lab.control("/clock")["now"], UTC)
    document = _revocation(f"{role['RoleId']}:{name}", now + timedelta(seconds=2))
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="keepwatch", PolicyDocument=document)
    assert refusal(lab.client("backup", first).list_backup_vaults) == DENIED
    lab.control("/clock", {"advance_seconds": 5})
    second = lab.control("/sessions", wanted)
    assert second["access_key_id"] != first["access_key_id"]
    assert refusal(lab.client("backup", second).list_backup_vaults) == ""
    who = lab.client("sts", second).get_caller_identity()["Arn"]
    assert who == lab.client("sts", first).get_caller_identity()["Arn"] and who.endswith(f"/{name}")
    with pytest.raises(HTTPError):
        lab.control("/sessions", {**wanted, "role_arn": lab.world["app_role"]})


def test_sessions_end_by_the_labs_clock(lab):
    session = lab.assume(lab.attacker, lab.world["app_role"], DurationSeconds=900)
    assert refusal(lab.client("backup", session).list_backup_vaults) == ""
    lab.control("/clock", {"advance_seconds": 901})
    assert refusal(lab.client("backup", session).list_backup_vaults) == "ExpiredTokenException"


QUERY = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/x-amz-json-1.1"}


@pytest.mark.parametrize(
    ("service", "request_", "code"),
    [
        ("s3", {}, "AuthorizationHeaderMalformed"),
        ("backup", {"url": "/backup-vaults/"}, "InvalidSignatureException"),
        (
            "iam",
            {"method": "POST", "data": b"Action=ListUsers&Version=2010-05-08", "headers": QUERY},
            "SignatureDoesNotMatch",
        ),
        (
            "kms",
            {"method": "POST", "data": b"{}", "headers": {**JSON, "x-amz-target": "TrentService.ListKeys"}},
            "InvalidSignatureException",
        ),
    ],
)
def test_a_request_signed_for_no_region_or_an_unknown_one_is_refused(lab, service, request_, code):
    sent = {**request_, "url": lab.endpoint + request_.get("url", "/")}
    assert lab.signed(lab.attacker, service, "eu-west-1", **sent)[0] == 200
    for region in ("", "global", "cn-north-1"):
        since = lab.seq()
        status, body = lab.signed(lab.attacker, service, region, **sent)
        assert status >= 400 and code in body, (region, status, body)
        assert lab.records(since) == []


def test_a_member_role_lets_in_only_the_agent_and_only_with_the_external_id(lab):
    role = "arn:aws:iam::222233334444:role/KeepwatchRespond"
    agent = lab.client("sts", lab.ready["agent"])
    given = {"RoleArn": role, "RoleSessionName": "keepwatch"}
    assert refusal(agent.assume_role, **given) == "AccessDenied"
    assert refusal(agent.assume_role, **given, ExternalId="guess") == "AccessDenied"
    attacker = lab.client("sts", lab.attacker)
    assert refusal(attacker.assume_role, **given, ExternalId=lab.world["external_id"]) == "AccessDenied"
    assert refusal(agent.assume_role, **given, ExternalId=lab.world["external_id"]) == ""


def test_the_respond_role_can_do_its_work_and_not_touch_itself(lab, iam):
    name, _ = lab.user("*")
    session = lab.assume(
        lab.ready["agent"], "arn:aws:iam::111122223333:role/KeepwatchRespond", ExternalId=lab.world["external_id"]
    )
    own = lab.client("iam", session)
    own.put_user_policy(UserName=name, PolicyName="keepwatch", PolicyDocument=policy("Deny", "*"))
    own.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert refusal(own.attach_user_policy, UserName=name, PolicyArn=administrator) == "AccessDenied"
    document = policy("Deny", "*")
    refused = refusal(own.put_role_policy, RoleName="KeepwatchRead", PolicyName="x", PolicyDocument=document)
    assert refused == "AccessDenied"


def test_a_session_policy_narrows_a_session_to_one_deed(lab):
    narrow = policy("Allow", "backup:ListBackupVaults")
    session = lab.assume(lab.attacker, lab.world["app_role"], Policy=narrow)
    backup = lab.client("backup", session)
    assert refusal(backup.list_backup_vaults) == ""
    assert refusal(backup.list_legal_holds) == DENIED


def test_a_chained_session_lasts_an_hour_at_most_and_keeps_its_source_identity(lab):
    role, name = "arn:aws:iam::111122223333:role/KeepwatchRead", lab.world["external_id"]
    agent = lab.client("sts", lab.ready["agent"])
    given = {"RoleArn": role, "RoleSessionName": "keepwatch", "ExternalId": name}
    assert refusal(agent.assume_role, **given, DurationSeconds=7200) == "ValidationError"
    first = lab.assume(lab.ready["agent"], role, ExternalId=name, SourceIdentity="keepwatch")
    assert refusal(lab.client("sts", first).assume_role, **given, SourceIdentity="mallory") == "AccessDenied"


def test_awsdenyall_denies_all(lab, iam):
    name, key = lab.user("*")
    iam.attach_user_policy(UserName=name, PolicyArn="arn:aws:iam::aws:policy/AWSDenyAll")
    assert refusal(lab.client("s3", key).list_buckets) == "AccessDenied"


def test_a_service_control_policy_binds_the_account_and_is_named_in_the_refusal(lab):
    organizations = lab.client("organizations", lab.root("security"), "us-east-1")
    given = {"Name": "freeze", "Description": "x", "Type": "SERVICE_CONTROL_POLICY"}
    made = organizations.create_policy(**given, Content=policy("Deny", "backup:Delete*"))["Policy"]["PolicySummary"]
    organizations.attach_policy(PolicyId=made["Id"], TargetId="111122223333")
    backup = lab.client("backup", lab.attacker)
    with pytest.raises(ClientError, match="explicit deny in a service control policy"):
        backup.delete_backup_vault(BackupVaultName="securecart-vault")
    organizations.detach_policy(PolicyId=made["Id"], TargetId="111122223333")
    organizations.delete_policy(PolicyId=made["Id"])
    assert refusal(backup.delete_backup_vault, BackupVaultName="securecart-vault") == "InvalidRequestException"


def test_a_full_user_takes_no_further_policy(lab, iam):
    name, _ = lab.user("*")
    long = policy("Allow", *[f"s3:{'x' * 100}{number}" for number in range(17)])
    iam.put_user_policy(UserName=name, PolicyName="long", PolicyDocument=long)
    document = policy("Deny", "backup:*")
    assert (
        refusal(iam.put_user_policy, UserName=name, PolicyName="keepwatch", PolicyDocument=document) == "LimitExceeded"
    )


@pytest.fixture
def member(lab):
    """Sessions of the two roles that Keepwatch has in the production account."""
    return {
        name: lab.assume(
            lab.ready["agent"], f"arn:aws:iam::111122223333:role/{name}", ExternalId=lab.world["external_id"]
        )
        for name in ("KeepwatchRead", "KeepwatchRespond")
    }


def test_the_read_role_may_look_at_all_that_is_watched(lab, member):
    vault, bucket = {"BackupVaultName": lab.world["vault"]}, {"Bucket": "securecart-invoices"}
    trail, key = lab.world["trail_arn"], lab.world["kms_key_arn"]
    looks = [
        ("backup", "describe_backup_vault", vault),
        ("backup", "get_backup_vault_access_policy", vault),
        ("backup", "list_backup_vaults", {}),
        ("backup", "list_copy_jobs", {}),
        ("backup", "list_legal_holds", {}),
        ("backup", "list_recovery_points_by_backup_vault", vault),
        ("backup", "list_tags", {"ResourceArn": lab.world["vault_arn"]}),
        ("cloudtrail", "describe_trails", {}),
        ("cloudtrail", "get_event_selectors", {"TrailName": trail}),
        ("cloudtrail", "get_trail_status", {"Name": trail}),
        ("cloudtrail", "list_tags", {"ResourceIdList": [trail]}),
        ("cloudtrail", "lookup_events", {}),
        ("iam", "list_access_keys", {"UserName": "alice"}),
        ("iam", "list_attached_user_policies", {"UserName": "alice"}),
        ("iam", "list_role_policies", {"RoleName": "securecart-app"}),
        ("iam", "list_user_policies", {"UserName": "alice"}),
        ("kms", "describe_key", {"KeyId": key}),
        ("kms", "list_keys", {}),
        ("kms", "list_resource_tags", {"KeyId": key}),
        ("s3", "get_bucket_location", bucket),
        ("s3", "get_bucket_tagging", bucket),
        ("s3", "get_bucket_versioning", bucket),
        ("s3", "get_bucket_lifecycle_configuration", bucket),
        ("s3", "list_buckets", {}),
    ]
    session = member["KeepwatchRead"]
    refused = [call for service, call, given in looks if refusal(getattr(lab.client(service, session), call), **given)]
    assert refused == []


def test_the_read_role_changes_nothing(lab, member):
    s3 = lab.client("s3", member["KeepwatchRead"])
    given = {"Bucket": "securecart-invoices", "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **given) == "AccessDenied"


def test_the_respond_role_may_put_back_what_an_attacker_does(lab, member):
    session, attacker = member["KeepwatchRespond"], lab.attacker
    key = {"KeyId": lab.world["kms_key_arn"]}
    lab.client("kms", attacker).schedule_key_deletion(**key, PendingWindowInDays=7)
    lab.client("cloudtrail", attacker).stop_logging(Name=lab.world["trail"])
    lab.client("s3", attacker).put_bucket_versioning(
        Bucket="securecart-images", VersioningConfiguration={"Status": "Suspended"}
    )
    lab.client("kms", session).cancel_key_deletion(**key)
    lab.client("kms", session).enable_key(**key)
    lab.client("cloudtrail", session).start_logging(Name=lab.world["trail_arn"])
    s3 = lab.client("s3", session)
    s3.put_bucket_versioning(Bucket="securecart-images", VersioningConfiguration={"Status": "Enabled"})
    backup = lab.client("backup", session)
    copied = backup.start_copy_job(
        RecoveryPointArn=lab.world["recovery_points"][0],
        SourceBackupVaultName=lab.world["vault"],
        DestinationBackupVaultArn=lab.world["dr_vault_arn"],
        IamRoleArn=lab.world["backup_role"],
    )
    assert copied["CopyJobId"]
    assert refusal(backup.delete_backup_vault, BackupVaultName=lab.world["vault"]) == DENIED
