"""DynamoDB's tables: what protects them, what losing it costs, and the records of it."""

import pytest

from lab.conftest import policy, refusal

DENIED = "AccessDeniedException"
DAY = 86_400


@pytest.fixture
def dynamodb(lab):
    return lab.client("dynamodb", lab.root("production"))


@pytest.fixture
def table(lab, dynamodb):
    """A new table, by its name, without any protection."""
    name = f"table-{lab.seq()}"
    _create(dynamodb, name)
    return name


def _create(dynamodb, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _recovery(dynamodb, table: str) -> dict:
    described = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert described["ContinuousBackupsStatus"] == "ENABLED"
    return described["PointInTimeRecoveryDescription"]


def _recover(dynamodb, table: str, **specification) -> dict:
    return dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True, **specification}
    )


def test_the_worlds_table_is_protected(lab, dynamodb):
    name = lab.world["table"]
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert described["TableArn"] == lab.world["table_arn"] == lab.world["resources"]["sessions"]
    assert described["TableStatus"] == "ACTIVE" and described["DeletionProtectionEnabled"] is True
    recovery = _recovery(dynamodb, name)
    assert (recovery["PointInTimeRecoveryStatus"], recovery["RecoveryPeriodInDays"]) == ("ENABLED", 35)
    tags = dynamodb.list_tags_of_resource(ResourceArn=lab.world["table_arn"])["Tags"]
    assert {"Key": "keepwatch:protected", "Value": "true"} in tags
    assert name in dynamodb.list_tables()["TableNames"]
    assert lab.client("dynamodb", lab.root("production"), "eu-central-1").list_tables()["TableNames"] == []


def test_a_table_is_deleted_only_without_deletion_protection(dynamodb, table):
    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is False
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert refusal(dynamodb.delete_table, TableName=table) == "ValidationException"
    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    assert refusal(dynamodb.delete_table, TableName=table) == ""
    assert refusal(dynamodb.describe_table, TableName=table) == "ResourceNotFoundException"
    assert refusal(dynamodb.describe_continuous_backups, TableName=table) == "TableNotFoundException"


def test_the_window_is_35_days_unless_it_is_said_and_at_most_that(dynamodb, table):
    assert _recovery(dynamodb, table) == {"PointInTimeRecoveryStatus": "DISABLED"}
    _recover(dynamodb, table)
    assert _recovery(dynamodb, table)["RecoveryPeriodInDays"] == 35
    _recover(dynamodb, table, RecoveryPeriodInDays=7)
    assert _recovery(dynamodb, table)["RecoveryPeriodInDays"] == 7
    specification = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 36}
    refused = refusal(
        dynamodb.update_continuous_backups, TableName=table, PointInTimeRecoverySpecification=specification
    )
    assert refused == "ValidationException"
    assert _recovery(dynamodb, table)["RecoveryPeriodInDays"] == 7


def test_what_a_smaller_window_dropped_does_not_come_back(own_lab):
    dynamodb = own_lab.client("dynamodb", own_lab.root("production"))
    _create(dynamodb, "aged")
    _recover(dynamodb, "aged")
    own_lab.control("/clock", {"advance_seconds": 20 * DAY})
    assert _days_back(own_lab, dynamodb) == pytest.approx(20, abs=0.01)
    _recover(dynamodb, "aged", RecoveryPeriodInDays=1)
    _recover(dynamodb, "aged", RecoveryPeriodInDays=35)
    assert _days_back(own_lab, dynamodb) == pytest.approx(1, abs=0.01)


def _days_back(lab, dynamodb) -> float:
    earliest = _recovery(dynamodb, "aged")["EarliestRestorableDateTime"]
    return (lab.control("/clock")["now"] - earliest.timestamp()) / DAY


CALLS = [
    ("ListTables", "list_tables", {}),
    ("DescribeTable", "describe_table", {"TableName"}),
    ("DescribeContinuousBackups", "describe_continuous_backups", {"TableName"}),
    ("ListTagsOfResource", "list_tags_of_resource", {"ResourceArn"}),
    ("UpdateTable", "update_table", {"TableName", "DeletionProtectionEnabled"}),
    ("UpdateContinuousBackups", "update_continuous_backups", {"TableName", "PointInTimeRecoverySpecification"}),
    ("DeleteTable", "delete_table", {"TableName"}),
]


@pytest.mark.parametrize(("action", "method", "needs"), CALLS, ids=[one[0] for one in CALLS])
def test_iam_denies_each_call_by_its_action_and_by_the_table(lab, table, action, method, needs):
    arn = lab.world["table_arn"].replace(lab.world["table"], table)
    everything = {
        "TableName": table,
        "ResourceArn": arn,
        "DeletionProtectionEnabled": False,
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
    }
    given = {name: everything[name] for name in needs}
    name, key = lab.user("dynamodb:*")
    iam, call = lab.client("iam", lab.root("production")), getattr(lab.client("dynamodb", key), method)
    deny = policy("Deny", f"dynamodb:{action}")
    for resource, denied in (("*", True), (arn, bool(needs)), (f"{arn}-other", False)):
        document = deny.replace('"Resource": "*"', f'"Resource": "{resource}"')
        iam.put_user_policy(UserName=name, PolicyName="deny", PolicyDocument=document)
        assert (refusal(call, **given) == DENIED) == denied, resource


def test_changes_of_a_table_are_recorded_as_cloudtrail_spells_them(lab, table):
    dynamodb, since = lab.client("dynamodb", lab.attacker), lab.seq()
    _recover(dynamodb, table, RecoveryPeriodInDays=1)
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    assert refusal(dynamodb.delete_table, TableName=table) == "ValidationException"
    pitr, update, delete = lab.records(since)
    assert {record["eventSource"] for record in (pitr, update, delete)} == {"dynamodb.amazonaws.com"}
    assert pitr["eventName"] == "UpdateContinuousBackups"
    assert pitr["requestParameters"] == {
        "tableName": table,
        "pointInTimeRecoverySpecification": {"pointInTimeRecoveryEnabled": True, "recoveryPeriodInDays": 1},
    }
    described = pitr["responseElements"]["continuousBackupsDescription"]
    assert described["pointInTimeRecoveryDescription"]["recoveryPeriodInDays"] == 1
    assert update["eventName"] == "UpdateTable"
    assert update["requestParameters"] == {"tableName": table, "deletionProtectionEnabled": True}
    assert (delete["eventName"], delete["errorCode"]) == ("DeleteTable", "ValidationException")
    arn = f"arn:aws:dynamodb:eu-west-1:111122223333:table/{table}"
    assert delete["resources"] == [{"accountId": "111122223333", "type": "AWS::DynamoDB::Table", "ARN": arn}]
    assert delete["readOnly"] is False and delete["responseElements"] is None


def test_items_leave_no_record_and_reads_of_the_control_plane_do(lab, table):
    dynamodb, since = lab.client("dynamodb", lab.attacker), lab.seq()
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
    dynamodb.scan(TableName=table)
    dynamodb.describe_table(TableName=table)
    assert [(one["eventName"], one["readOnly"]) for one in lab.records(since)] == [("DescribeTable", True)]


def test_a_refused_change_says_who_and_what_and_no_parameters(lab, table):
    name, key = lab.user("s3:*")
    since = lab.seq()
    assert refusal(lab.client("dynamodb", key).delete_table, TableName=table) == DENIED
    (record,) = lab.records(since)
    assert (record["errorCode"], record["requestParameters"]) == ("AccessDenied", None)
    assert record["errorMessage"].startswith(
        f"User: arn:aws:iam::111122223333:user/{name} is not authorized to perform: dynamodb:DeleteTable on resource: "
        f"arn:aws:dynamodb:eu-west-1:111122223333:table/{table} because no identity-based policy allows"
    )
