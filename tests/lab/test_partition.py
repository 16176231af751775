"""The lab plays China and GovCloud: its ARNs and Regions are theirs, and those of `aws` are a stranger's."""

import json

import pytest

from lab.conftest import RunningLab, policy, refusal

GLOBAL_REGIONS = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


@pytest.fixture(scope="module", params=list(GLOBAL_REGIONS))
def there(request):
    running = RunningLab("--partition", request.param)
    running.name, running.home = request.param, running.ready["region"]
    yield running
    running.stop()


def test_everything_is_named_as_in_the_partition(there):
    world = json.dumps(there.ready)
    assert f"arn:{there.name}:" in world and "arn:aws:" not in world
    assert there.world["vault_arn"].startswith(f"arn:{there.name}:backup:{there.home}:")
    who = there.client("sts", there.ready["agent"]).get_caller_identity()["Arn"]
    assert who.startswith(f"arn:{there.name}:sts::333344445555:assumed-role/")
    table = there.client("dynamodb", there.root("production")).describe_table(TableName=there.world["table"])["Table"]
    assert table["TableArn"] == there.world["table_arn"]
    tags = there.client("dynamodb", there.root("production")).list_tags_of_resource(ResourceArn=table["TableArn"])
    assert tags["Tags"]


def test_the_partitions_roles_are_assumed_by_their_names_and_not_by_those_of_aws(there):
    role = f"arn:{there.name}:iam::111122223333:role/KeepwatchRead"
    session = there.assume(there.ready["agent"], role, ExternalId=there.world["external_id"])
    vaults = there.client("backup", session).list_backup_vaults()["BackupVaultList"]
    assert [one["BackupVaultArn"] for one in vaults] == [there.world["vault_arn"]]
    foreign = {"RoleArn": there.world["app_role"].replace(there.name, "aws", 1), "RoleSessionName": "stranger"}
    assert refusal(there.client("sts", there.attacker).assume_role, **foreign) == "ValidationError"


def test_a_policy_names_resources_by_the_partition(there):
    name, key = there.user("backup:*")
    iam, vault = there.client("iam", there.root("production")), there.world["vault_arn"]
    own = there.client("backup", key)
    for resource, expected in ((vault.replace(there.name, "aws", 1), ""), (vault, "AccessDeniedException")):
        document = policy("Deny", "backup:*").replace('"Resource": "*"', f'"Resource": "{resource}"')
        iam.put_user_policy(UserName=name, PolicyName="deny", PolicyDocument=document)
        assert iam.get_user_policy(UserName=name, PolicyName="deny")["PolicyDocument"] == json.loads(document)
        assert refusal(own.describe_backup_vault, BackupVaultName=there.world["vault"]) == expected


def test_a_foreign_point_or_vault_is_not_found(there):
    backup, point = there.client("backup", there.attacker), there.world["recovery_points"][0]
    given = {"BackupVaultName": there.world["vault"]}
    assert refusal(backup.describe_recovery_point, **given, RecoveryPointArn=point) == ""
    foreign = point.replace(there.name, "aws", 1)
    refused = refusal(backup.describe_recovery_point, **given, RecoveryPointArn=foreign)
    assert refused == "ResourceNotFoundException"


def test_records_and_messages_are_named_as_in_the_partition(there):
    since, point = there.seq(), there.world["recovery_points"][0]
    backup = there.client("backup", there.attacker)
    backup.delete_recovery_point(BackupVaultName=there.world["vault"], RecoveryPointArn=point)
    (record,) = there.records(since)
    (message,) = [one for one in there.messages() if one["detail"].get("eventName") == "DeleteRecoveryPoint"]
    assert message["detail"] == record and message["region"] == there.home
    assert record["requestParameters"]["recoveryPointArn"] == point
    assert record["userIdentity"]["arn"] == there.world["attacker_user"]
    assert record["awsRegion"] == there.home


def test_regions_of_aws_are_refused_and_iam_is_recorded_where_the_partition_records_it(there):
    sent = {"url": f"{there.endpoint}/backup-vaults/"}
    assert there.signed(there.attacker, "backup", there.home, **sent)[0] == 200
    assert there.signed(there.attacker, "backup", "us-east-1", **sent)[0] == 403
    since = there.seq()
    there.client("iam", there.attacker).tag_user(UserName="alice", Tags=[{"Key": "x", "Value": "y"}])
    assert there.records(since)[0]["awsRegion"] == GLOBAL_REGIONS[there.name]


def test_objects_keep_their_bytes(there):
    s3, body = there.client("s3", there.attacker), b"arn:aws:iam::111122223333:root"
    s3.put_object(Bucket="securecart-images", Key="x", Body=body)
    assert s3.get_object(Bucket="securecart-images", Key="x")["Body"].read() == body
