"""From a call to the agent's queue and to the trail's files; and how an attacker cuts the line."""

import gzip
import json

import pytest

from lab.conftest import refusal

QUIET = "DeleteBackupVault"


def _names(messages: list[dict]) -> list[str]:
    return [message["detail"].get("eventName", message["detail-type"]) for message in messages]


@pytest.mark.parametrize(
    ("account", "region"),
    [("production", "eu-west-1"), ("production", "eu-central-1"), ("production", "us-east-1"), ("backup", "us-east-1")],
)
def test_a_call_in_any_account_and_region_reaches_the_queue_in_the_security_account(lab, account, region):
    root = lab.root(account)
    refusal(lab.client("backup", root, region).delete_backup_vault, BackupVaultName="nowhere")
    message = next(one for one in lab.messages() if one["detail"].get("eventName") == QUIET)
    assert message["detail-type"] == "AWS API Call via CloudTrail" and message["source"] == "aws.backup"
    assert (message["account"], message["region"]) == (lab.ready["accounts"][account], region)
    assert message["detail"]["recipientAccountId"] == message["account"]


def test_iam_is_told_from_us_east_1(lab):
    lab.client("iam", lab.attacker).tag_user(UserName="alice", Tags=[{"Key": "x", "Value": "y"}])
    message = lab.messages()[0]
    assert (message["source"], message["region"]) == ("aws.iam", "us-east-1")


def test_reads_are_recorded_but_not_delivered_by_a_plain_rule(lab):
    since = lab.seq()
    lab.client("backup", lab.attacker).list_backup_vaults()
    assert [record["eventName"] for record in lab.records(since)] == ["ListBackupVaults"]
    assert lab.messages() == []


def test_delivery_can_be_late(lab):
    lab.control("/settings", {"delivery_delay_seconds": 30})
    refusal(lab.client("backup", lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    assert lab.messages() == []
    lab.control("/clock", {"advance_seconds": 31})
    assert _names(lab.messages()) == [QUIET]


def test_backup_tells_of_its_own_jobs_whatever_the_trails_do(lab):
    lab.point(lab.vault())
    told = [one for one in lab.messages() if one["detail-type"].endswith("State Change")]
    states = [(one["detail-type"], one["detail"].get("state") or one["detail"].get("status")) for one in told]
    assert ("Backup Vault State Change", "CREATED") in states
    assert ("Backup Job State Change", "COMPLETED") in states
    assert ("Recovery Point State Change", "COMPLETED") in states


def test_log_files_arrive_in_the_bucket_of_the_security_account(lab):
    refusal(lab.client("backup", lab.attacker).delete_backup_vault, BackupVaultName="file-me")
    lab.control("/flush", {})
    s3 = lab.client("s3", lab.root("security"))
    prefix = "AWSLogs/111122223333/CloudTrail/eu-west-1/"
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="securecart-trail-logs", Prefix=prefix)["Contents"]]
    files = [s3.get_object(Bucket="securecart-trail-logs", Key=key)["Body"].read() for key in keys]
    records = [record for one in files for record in json.loads(gzip.decompress(one))["Records"]]
    assert any((record["requestParameters"] or {}).get("backupVaultName") == "file-me" for record in records)
    status = lab.client("cloudtrail", lab.root("production")).get_trail_status(Name=lab.world["trail"])
    assert "LatestDeliveryTime" in status
    assert keys[0].endswith(".json.gz") and "/111122223333_CloudTrail_eu-west-1_" in keys[0]


def test_a_stopped_trail_tells_of_its_stop_and_then_nothing(own_lab):
    cloudtrail = own_lab.client("cloudtrail", own_lab.attacker)
    abroad = own_lab.client("cloudtrail", own_lab.attacker, "us-east-1")
    assert refusal(abroad.stop_logging, Name="securecart-trail") == "InvalidHomeRegionException"
    assert refusal(cloudtrail.stop_logging, Name="nowhere") == "TrailNotFoundException"
    cloudtrail.stop_logging(Name="securecart-trail")
    refusal(own_lab.client("backup", own_lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    assert _names(own_lab.messages())[-1] == "StopLogging"
    assert own_lab.control("/records")[-1]["delivered"] is False
    assert cloudtrail.lookup_events()["Events"][0]["EventName"] == "DeleteBackupVault"
    assert cloudtrail.get_trail_status(Name="securecart-trail")["IsLogging"] is False
    cloudtrail.start_logging(Name="securecart-trail")
    cloudtrail.put_event_selectors(
        TrailName="securecart-trail", EventSelectors=[{"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True}]
    )
    refusal(own_lab.client("backup", own_lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    assert _names(own_lab.messages())[-1] == "PutEventSelectors"
    cloudtrail.put_event_selectors(
        TrailName="securecart-trail", EventSelectors=[{"ReadWriteType": "All", "IncludeManagementEvents": True}]
    )
    own_lab.messages()
    field_selectors = [
        {"Field": "eventCategory", "Equals": ["Management"]},
        {"Field": "eventSource", "NotEquals": ["backup.amazonaws.com"]},
    ]
    cloudtrail.put_event_selectors(
        TrailName="securecart-trail", AdvancedEventSelectors=[{"Name": "x", "FieldSelectors": field_selectors}]
    )
    refusal(own_lab.client("backup", own_lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    own_lab.client("iam", own_lab.attacker).tag_user(UserName="alice", Tags=[{"Key": "x", "Value": "y"}])
    assert _names(own_lab.messages()) == ["PutEventSelectors", "TagUser"]
    cloudtrail.delete_trail(Name="securecart-trail")
    refusal(own_lab.client("backup", own_lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    assert _names(own_lab.messages()) == ["DeleteTrail"]


def test_a_disabled_rule_and_a_closed_queue_are_silent(own_lab):
    events = own_lab.client("events", own_lab.attacker)
    events.disable_rule(Name="keepwatch-forward")
    refusal(own_lab.client("backup", own_lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    assert QUIET not in _names(own_lab.messages())
    events.enable_rule(Name="keepwatch-forward")
    url = own_lab.world["queue_url"]
    sqs = own_lab.client("sqs", own_lab.root("security"))
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    refusal(own_lab.client("backup", own_lab.attacker).delete_backup_vault, BackupVaultName="nowhere")
    assert QUIET not in _names(own_lab.messages())
    held = sqs.receive_message(QueueUrl=url + "-dlq", MaxNumberOfMessages=10)["Messages"]
    assert QUIET in held[-1]["Body"]


def test_a_rule_that_asks_for_all_management_events_gets_reads_too(own_lab):
    lab, everything = own_lab, "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    sender, receiver = lab.client("events", lab.root("production")), lab.client("events", lab.root("security"))
    pattern = json.dumps({"detail-type": ["AWS API Call via CloudTrail"]})
    sender.put_rule(Name="keepwatch-forward", EventPattern=pattern, State=everything)
    lab.client("backup", lab.attacker).list_backup_vaults()
    assert "ListBackupVaults" not in _names(lab.messages())
    rule = {"Name": "keepwatch-to-queue", "EventBusName": "keepwatch"}
    receiver.put_rule(**rule, EventPattern=pattern, State=everything)
    lab.client("backup", lab.attacker).list_backup_vaults()
    assert "ListBackupVaults" in _names(lab.messages())


def test_a_new_log_file_is_announced_to_a_queue(own_lab):
    lab = own_lab
    root = lab.root("security")
    sqs, s3 = lab.client("sqs", root), lab.client("s3", root)
    url = sqs.create_queue(QueueName="files")["QueueUrl"]
    arn = "arn:aws:sqs:eu-west-1:333344445555:files"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="securecart-trail-logs", NotificationConfiguration=wanted)
    lab.client("iam", lab.attacker).tag_user(UserName="alice", Tags=[{"Key": "x", "Value": "y"}])
    lab.control("/flush", {})
    bodies = [one["Body"] for one in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    assert any("AWSLogs/111122223333/CloudTrail/us-east-1" in body.replace("%2F", "/") for body in bodies)
