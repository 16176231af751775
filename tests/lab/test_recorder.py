"""Records are what CloudTrail writes: names, casing, what a refusal leaves out."""

import pytest

from lab.conftest import policy, refusal


def _record(lab, since: int, name: str) -> dict:
    return next(record for record in lab.records(since) if record["eventName"] == name)


def test_a_deleted_recovery_point_is_recorded_as_aws_backup_does(lab):
    point = lab.point(vault := lab.vault())
    since = lab.seq()
    lab.client("backup", lab.attacker).delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    record = _record(lab, since, "DeleteRecoveryPoint")
    assert record["eventSource"] == "backup.amazonaws.com"
    assert record["requestParameters"] == {"backupVaultName": vault, "recoveryPointArn": point}
    assert record["responseElements"] is None
    assert record["readOnly"] is False and record["eventVersion"] == "1.11"
    assert record["userIdentity"]["userName"] == "ci-deployer"


def test_a_refused_call_has_no_parameters_but_says_who_what_and_why(lab):
    name, key = lab.user("s3:*")
    since = lab.seq()
    assert refusal(lab.client("iam", key).create_access_key, UserName="alice") == "AccessDenied"
    record = _record(lab, since, "CreateAccessKey")
    assert record["errorCode"] == "AccessDenied"
    assert record["requestParameters"] is None
    assert record["awsRegion"] == "us-east-1"
    assert record["errorMessage"] == (
        f"User: arn:aws:iam::111122223333:user/{name} is not authorized to perform: iam:CreateAccessKey on resource: "
        "user alice because no identity-based policy allows the iam:CreateAccessKey action"
    )


def test_a_refused_bucket_call_keeps_its_parameters(lab):
    _, key = lab.user("iam:*")
    since = lab.seq()
    refused = refusal(
        lab.client("s3", key).put_bucket_versioning,
        Bucket="securecart-images",
        VersioningConfiguration={"Status": "Suspended"},
    )
    record = _record(lab, since, "PutBucketVersioning")
    assert refused == record["errorCode"] == "AccessDenied"
    assert record["requestParameters"]["VersioningConfiguration"]["Status"] == "Suspended"


def test_a_refused_call_to_ec2_keeps_its_parameters_and_says_that_the_client_is_at_fault(lab):
    _, key = lab.user("iam:*")
    since, snapshot = lab.seq(), "snap-0a1b2c3d4e5f60718"
    ec2 = lab.client("ec2", key)
    assert refusal(ec2.delete_snapshot, SnapshotId=snapshot) == "UnauthorizedOperation"
    refusal(ec2.describe_snapshots, SnapshotIds=[snapshot])
    deletion, look = lab.records(since)
    assert (deletion["eventName"], deletion["errorCode"]) == ("DeleteSnapshot", "Client.UnauthorizedOperation")
    assert deletion["requestParameters"] == {"snapshotId": snapshot}
    assert look["requestParameters"]["snapshotSet"] == {"items": [{"snapshotId": snapshot}]}


def test_bucket_bodies_are_xml_turned_json_where_a_list_of_one_is_an_object(lab):
    s3 = lab.client("s3", lab.attacker)
    rules = [_rule("a"), _rule("b")]
    since = lab.seq()
    s3.put_bucket_lifecycle_configuration(Bucket="securecart-images", LifecycleConfiguration={"Rules": rules[:1]})
    s3.put_bucket_lifecycle_configuration(Bucket="securecart-images", LifecycleConfiguration={"Rules": rules})
    one, two = [record for record in lab.records(since) if record["eventName"] == "PutBucketLifecycle"]
    parameters = one["requestParameters"]
    assert parameters["bucketName"] == "securecart-images" and parameters["lifecycle"] == ""
    assert parameters["LifecycleConfiguration"]["Rule"]["Expiration"] == {"Days": 1}
    assert parameters["LifecycleConfiguration"]["xmlns"] == "http://s3.amazonaws.com/doc/2006-03-01/"
    assert [rule["ID"] for rule in two["requestParameters"]["LifecycleConfiguration"]["Rule"]] == ["a", "b"]
    assert one["resources"][0]["ARN"] == "arn:aws:s3:::securecart-images"


def _rule(name: str) -> dict:
    return {"ID": name, "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}


def test_a_bucket_policy_is_recorded_as_json_and_the_public_access_block_under_its_own_name(lab):
    s3, since = lab.client("s3", lab.attacker), lab.seq()
    document = '{"Version":"2012-10-17","Statement":[]}'
    s3.put_bucket_policy(Bucket="securecart-images", Policy=document)
    s3.delete_public_access_block(Bucket="securecart-images")
    assert _record(lab, since, "PutBucketPolicy")["requestParameters"]["bucketPolicy"]["Statement"] == []
    assert _record(lab, since, "DeleteBucketPublicAccessBlock")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "securecart-images.s3.eu-west-1.localhost"])
def test_a_bucket_write_is_recorded_wherever_the_client_puts_the_bucket(lab, host):
    since, port = lab.seq(), lab.endpoint.rsplit(":", 1)[1]
    in_host = host.startswith("securecart-images.")
    url = f"http://127.0.0.1:{port}{'' if in_host else '/securecart-images'}/?versioning"
    body = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    headers = {"host": f"{host}:{port}"}
    status, answer = lab.signed(lab.attacker, "s3", "eu-west-1", method="PUT", url=url, data=body, headers=headers)
    assert status == 200, answer
    record = _record(lab, since, "PutBucketVersioning")
    assert record["requestParameters"]["bucketName"] == "securecart-images"
    assert record["requestParameters"]["VersioningConfiguration"]["Status"] == "Enabled"
    assert record["resources"][0]["ARN"] == "arn:aws:s3:::securecart-images"


def test_objects_are_data_and_leave_no_record(lab):
    since = lab.seq()
    s3 = lab.client("s3", lab.attacker)
    s3.put_object(Bucket="securecart-images", Key="x", Body=b"1")
    s3.list_objects_v2(Bucket="securecart-images")
    assert lab.records(since) == []


def test_a_session_is_recorded_with_its_issuer_its_source_identity_and_its_token(lab):
    since = lab.seq()
    agent = lab.ready["agent"]
    session = lab.assume(
        agent,
        "arn:aws:iam::111122223333:role/KeepwatchRead",
        RoleSessionName="keepwatch-1",
        ExternalId=lab.world["external_id"],
        SourceIdentity="keepwatch",
    )
    lab.client("backup", session).list_backup_vaults()
    own, foreign = [record for record in lab.records(since) if record["eventName"] == "AssumeRole"]
    assert own["responseElements"]["credentials"]["sessionToken"] == session["session_token"]
    assert "secretAccessKey" not in own["responseElements"]["credentials"]
    assert own["sharedEventID"] == foreign["sharedEventID"]
    assert foreign["recipientAccountId"] == "111122223333" and foreign["userIdentity"]["type"] == "AWSAccount"
    caller = _record(lab, since, "ListBackupVaults")["userIdentity"]
    assert caller["type"] == "AssumedRole" and caller["principalId"].endswith(":keepwatch-1")
    context = caller["sessionContext"]
    assert context["sessionIssuer"]["arn"] == "arn:aws:iam::111122223333:role/KeepwatchRead"
    assert context["attributes"]["mfaAuthenticated"] == "false"
    assert context["sourceIdentity"] == "keepwatch"


def test_a_federated_session_is_recorded_with_the_user_who_asked_for_it(lab):
    since, sts = lab.seq(), lab.client("sts", lab.attacker)
    handed = sts.get_federation_token(Name="mallory", Policy=policy("Allow", "backup:*"))["Credentials"]
    federated = {
        "access_key_id": handed["AccessKeyId"],
        "secret_access_key": handed["SecretAccessKey"],
        "session_token": handed["SessionToken"],
    }
    lab.client("backup", federated).list_backup_vaults()
    shown = _record(lab, since, "GetFederationToken")["responseElements"]
    assert shown["credentials"]["accessKeyId"] == handed["AccessKeyId"]
    caller = _record(lab, since, "ListBackupVaults")["userIdentity"]
    assert caller["type"] == "FederatedUser" and caller["principalId"] == "111122223333:mallory"
    assert caller["arn"] == "arn:aws:sts::111122223333:federated-user/mallory"
    user = lab.client("iam", lab.root("production")).get_user(UserName="ci-deployer")["User"]
    assert caller["sessionContext"]["sessionIssuer"] == {
        "type": "IAMUser",
        "principalId": user["UserId"],
        "arn": user["Arn"],
        "accountId": "111122223333",
        "userName": "ci-deployer",
    }


def test_answers_of_writes_are_recorded_without_secrets(lab):
    since = lab.seq()
    lab.user()
    shown = _record(lab, since, "CreateAccessKey")["responseElements"]["accessKey"]
    assert shown["accessKeyId"].startswith("AKIA") and "secretAccessKey" not in shown


def test_calls_that_do_not_authenticate_leave_no_record(lab):
    since = lab.seq()
    stranger = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "x"}
    assert refusal(lab.client("iam", stranger).list_users) == "InvalidClientTokenId"
    assert lab.records(since) == []


def test_a_key_is_named_by_its_arn_whichever_way_it_was_called(lab):
    since = lab.seq()
    kms = lab.client("kms", lab.attacker)
    kms.describe_key(KeyId=lab.world["kms_alias"])
    assert _record(lab, since, "DescribeKey")["resources"][0]["ARN"] == lab.world["kms_key_arn"]


def test_the_event_history_answers_by_user_name_event_and_resource(lab):
    point = lab.point(vault := lab.vault())
    lab.client("backup", lab.attacker).delete_recovery_point(BackupVaultName=vault, RecoveryPointArn=point)
    cloudtrail = lab.client("cloudtrail", lab.world["alice"])
    for key, value in (("Username", "ci-deployer"), ("EventName", "DeleteRecoveryPoint"), ("ResourceName", vault)):
        found = cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}])["Events"]
        assert "DeleteRecoveryPoint" in [event["EventName"] for event in found], key
    now = lab.control("/clock")["now"]
    assert cloudtrail.lookup_events(StartTime=now + 60)["Events"] == []
    first = cloudtrail.lookup_events(MaxResults=1)
    assert cloudtrail.lookup_events(MaxResults=1, NextToken=first["NextToken"])["Events"] != first["Events"]


def test_the_event_history_is_late_and_of_one_region(lab):
    lab.control("/settings", {"lookup_delay_seconds": 900})
    refusal(lab.client("backup", lab.attacker, "eu-central-1").delete_backup_vault, BackupVaultName="history")

    def known(region: str) -> bool:
        attribute = {"AttributeKey": "ResourceName", "AttributeValue": "history"}
        found = lab.client("cloudtrail", lab.world["alice"], region).lookup_events(LookupAttributes=[attribute])
        return bool(found["Events"])

    assert not known("eu-central-1")
    lab.control("/clock", {"advance_seconds": 901})
    assert known("eu-central-1") and not known("eu-west-1")
