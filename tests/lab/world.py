"""The worlds that the lab can start with.

`empty` has the accounts and nothing in them but the agent's role. `securecart` is SecureCart on an ordinary day:
Keepwatch deployed from the very templates that users deploy, backups in three vaults, and a CI key that has leaked.
"""

import json
import time
from pathlib import Path

import boto3
from botocore.config import Config
from ministack.services import sts

from . import accounts, partition, presses, slack
from .accounts import BACKUP, DR_REGION, HOME_REGION, ONBOARDED, PRODUCTION, REGIONS, SECURITY
from .backup import jobs, state
from .clock import clock

EXTERNAL_ID = "keepwatch-demo"
_TEMPLATES = Path(__file__).resolve().parents[2] / "deploy"
_AGENT_SESSION_SECONDS = 12 * 3600
_RETENTION_DAYS = 35
_STACK_DEADLINE_SECONDS = 30
_PROTECTED = {"keepwatch:protected": "true", "Owner": "team-ledger"}
_PROTECTED_TAGS = [{"Key": key, "Value": value} for key, value in _PROTECTED.items()]
_RESOURCES = {
    "orders": f"arn:aws:rds:{HOME_REGION}:{PRODUCTION}:db:securecart-orders",
    "sessions": f"arn:aws:dynamodb:{HOME_REGION}:{PRODUCTION}:table/securecart-sessions",
    "media": f"arn:aws:ec2:{HOME_REGION}:{PRODUCTION}:volume/vol-0a1b2c3d4e5f60718",
}
_AGES_DAYS = (1, 3)


class Builder:
    """Works as the accounts' root users, over the wire like anybody else."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._session = boto3.session.Session()
        self._config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        self._clients: dict[tuple, object] = {}

    def client(self, service: str, account: str, region: str = HOME_REGION):
        key = (service, account, region)
        if key not in self._clients:
            self._clients[key] = self._session.client(
                service,
                region_name=region,
                endpoint_url=self.endpoint,
                config=self._config,
                aws_access_key_id=account,
                aws_secret_access_key="test",
            )
        return self._clients[key]


def build(endpoint: str, name: str) -> dict:
    """Make the world `name` and tell what is in it: the ready line."""
    builder = Builder(endpoint)
    made = {"securecart": _securecart, "empty": _empty}[name](builder)
    return {
        "endpoint": endpoint,
        "region": HOME_REGION,
        "accounts": ONBOARDED,
        "agent": _agent(builder),
        "attacker": made.pop("attacker", None),
        "slack": f"{endpoint}/_lab/slack/api/",
        "slack_token": slack.TOKEN,
        "slack_signing_secret": presses.SIGNING_SECRET,
        "world": {"name": name, "slack_channels": slack.CHANNELS, **made},
    }


def _empty(builder: Builder) -> dict:
    trust = _trust({"AWS": f"arn:aws:iam::{SECURITY}:root"})
    builder.client("iam", SECURITY).create_role(RoleName="KeepwatchAgent", AssumeRolePolicyDocument=trust)
    return {}


def _securecart(builder: Builder) -> dict:
    world = {
        **_deploy(builder),
        **_identities(builder),
        **_trails(builder),
        **_buckets(builder),
        **_table(builder),
        **_backups(builder),
    }
    # AWS Backup told of the new vaults; the agent starts on a quiet day.
    builder.client("sqs", SECURITY).purge_queue(QueueUrl=world["queue_url"])
    return world


# Keepwatch itself


def _deploy(builder: Builder) -> dict:
    """The hub, then the member stack in every account and Region, the home Region first: it makes the roles."""
    parameters = {
        "OrganizationId": accounts.ORGANIZATION_ID,
        "AgentPrincipals": f"arn:aws:iam::{SECURITY}:root",
        "RequireTls": "false",
        "PolicyBundle": "arn:aws:s3:::keepwatch-policies/bundle.tar.gz",
    }
    outputs = _stack(builder, SECURITY, HOME_REGION, "hub.yaml", parameters)
    member = {
        "HubAccountId": SECURITY,
        "HubRegion": HOME_REGION,
        "HomeRegion": HOME_REGION,
        "ExternalId": EXTERNAL_ID,
    }
    home_first = sorted(REGIONS, key=lambda region: region != HOME_REGION)
    for account in ONBOARDED.values():
        for region in home_first:
            _stack(builder, account, region, "member.yaml", member)
    queue = f"arn:aws:sqs:{HOME_REGION}:{SECURITY}:keepwatch-events"
    return {
        "queue_url": outputs["QueueUrl"],
        "queue_arn": queue,
        "dead_letter_queue_arn": f"{queue}-dlq",
        "bus_arn": f"arn:aws:events:{HOME_REGION}:{SECURITY}:event-bus/keepwatch",
        "external_id": EXTERNAL_ID,
        "roles": ["KeepwatchRead", "KeepwatchRespond", "KeepwatchForward"],
        "regions": list(REGIONS),
    }


def _stack(builder: Builder, account: str, region: str, template: str, parameters: dict) -> dict:
    cloudformation = builder.client("cloudformation", account, region)
    name = f"keepwatch-{template.removesuffix('.yaml')}"
    # The lab builds in its own names, a template is written for every partition.
    body = partition.text((_TEMPLATES / template).read_text())
    known = {key: value for key, value in parameters.items() if f"  {key}:" in body}
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=body,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in known.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    deadline = time.monotonic() + _STACK_DEADLINE_SECONDS
    while time.monotonic() < deadline:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.01)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    reasons = [event["ResourceStatusReason"] for event in events if event.get("ResourceStatusReason")]
    raise RuntimeError(f"stack {name} in {account} {region} is {stack['StackStatus']}: {'; '.join(reasons)}")


def _agent(builder: Builder) -> dict:
    """A session of the agent's role, kept alive for a working day."""
    role = f"arn:aws:iam::{SECURITY}:role/KeepwatchAgent"
    session = builder.client("sts", SECURITY).assume_role(RoleArn=role, RoleSessionName="keepwatch-lab")
    credentials = session["Credentials"]
    # The role's own limit is an hour; a test run should not have to renew.
    sts._sessions[credentials["AccessKeyId"]]["Expiration"] = clock.now() + _AGENT_SESSION_SECONDS
    return {
        "access_key_id": credentials["AccessKeyId"],
        "secret_access_key": credentials["SecretAccessKey"],
        "session_token": credentials["SessionToken"],
    }


# SecureCart


def _trust(principal: dict) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _identities(builder: Builder) -> dict:
    iam = builder.client("iam", PRODUCTION)
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="ci-deployer", Tags=[{"Key": "team", "Value": "delivery"}])
    iam.put_user_policy(UserName="ci-deployer", PolicyName="deploy", PolicyDocument=json.dumps(everything))
    iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "platform"}])
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    app = iam.create_role(
        RoleName="securecart-app",
        AssumeRolePolicyDocument=_trust({"AWS": f"arn:aws:iam::{PRODUCTION}:user/ci-deployer"}),
    )
    iam.put_role_policy(RoleName="securecart-app", PolicyName="app", PolicyDocument=json.dumps(everything))
    for account in (PRODUCTION, BACKUP):
        _backup_role(builder, account)
    return {
        "attacker": _key(iam, "ci-deployer"),
        "attacker_user": f"arn:aws:iam::{PRODUCTION}:user/ci-deployer",
        "alice": {"arn": f"arn:aws:iam::{PRODUCTION}:user/alice", **_key(iam, "alice")},
        "app_role": app["Role"]["Arn"],
        "backup_role": f"arn:aws:iam::{PRODUCTION}:role/service-role/AWSBackupDefaultServiceRole",
    }


def _key(iam, user: str) -> dict:
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}


def _backup_role(builder: Builder, account: str) -> None:
    iam = builder.client("iam", account)
    trust = _trust({"Service": "backup.amazonaws.com"})
    name = "AWSBackupDefaultServiceRole"
    iam.create_role(RoleName=name, Path="/service-role/", AssumeRolePolicyDocument=trust)
    for policy in ("AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"):
        iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:aws:iam::aws:policy/service-role/{policy}")


def _trails(builder: Builder) -> dict:
    bucket = "securecart-trail-logs"
    s3 = builder.client("s3", SECURITY)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME_REGION})
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(_trail_bucket_policy(bucket)))
    for account in ONBOARDED.values():
        cloudtrail = builder.client("cloudtrail", account)
        cloudtrail.create_trail(
            Name="securecart-trail",
            S3BucketName=bucket,
            IsMultiRegionTrail=True,
            EnableLogFileValidation=True,
            TagsList=_PROTECTED_TAGS,
        )
        arn = f"arn:aws:cloudtrail:{HOME_REGION}:{account}:trail/securecart-trail"
        cloudtrail.add_tags(ResourceId=arn, TagsList=_PROTECTED_TAGS)
        cloudtrail.start_logging(Name="securecart-trail")
    return {
        "trail": "securecart-trail",
        "trail_arn": f"arn:aws:cloudtrail:{HOME_REGION}:{PRODUCTION}:trail/securecart-trail",
        "trail_bucket": bucket,
    }


def _trail_bucket_policy(bucket: str) -> dict:
    cloudtrail = {"Service": "cloudtrail.amazonaws.com"}
    arn = f"arn:aws:s3:::{bucket}"
    acl = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    read = {"Effect": "Allow", "Principal": cloudtrail, "Action": "s3:GetBucketAcl", "Resource": arn}
    write = {"Effect": "Allow", "Principal": cloudtrail, "Action": "s3:PutObject", "Resource": f"{arn}/AWSLogs/*"}
    return {"Version": "2012-10-17", "Statement": [read, {**write, "Condition": acl}]}


def _buckets(builder: Builder) -> dict:
    names = ["securecart-invoices", "securecart-images"]
    s3 = builder.client("s3", PRODUCTION)
    rule = {
        "ID": "expire-old-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": _RETENTION_DAYS},
    }
    for name in names:
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": HOME_REGION})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [rule]})
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": _PROTECTED_TAGS})
        for number in range(1, 4):
            s3.put_object(Bucket=name, Key=f"2026/{number:04}.txt", Body=f"{name} {number}".encode())
    return {"buckets": names}


def _table(builder: Builder) -> dict:
    dynamodb, arn = builder.client("dynamodb", PRODUCTION), _RESOURCES["sessions"]
    name = arn.rsplit("/", 1)[-1]
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
        Tags=_PROTECTED_TAGS,
    )
    recovery = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": _RETENTION_DAYS}
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=recovery)
    for number in range(1, 4):
        dynamodb.put_item(TableName=name, Item={"id": {"S": f"session-{number}"}})
    return {"table": name, "table_arn": arn}


# Backups


def _backups(builder: Builder) -> dict:
    kms = builder.client("kms", PRODUCTION)
    key_tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in _PROTECTED_TAGS]
    key = kms.create_key(Description="SecureCart backups", Tags=key_tags)["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/securecart-backups", TargetKeyId=key)
    places = (
        ("securecart-vault", PRODUCTION, HOME_REGION, _production_policy()),
        ("securecart-vault-dr", PRODUCTION, DR_REGION, None),
        ("securecart-isolated", BACKUP, HOME_REGION, _isolated_policy()),
    )
    for name, account, region, policy in places:
        backup = builder.client("backup", account, region)
        given = {"EncryptionKeyArn": key} if name == "securecart-vault" else {}
        backup.create_backup_vault(BackupVaultName=name, BackupVaultTags=_PROTECTED, **given)
        if policy:
            backup.put_backup_vault_access_policy(BackupVaultName=name, Policy=json.dumps(policy))
    main, *copies = [state.vault(state.Place(account, region), name) for name, account, region, _ in places]
    points = [_point(main, arn, days) for arn in _RESOURCES.values() for days in _AGES_DAYS]
    for vault in copies:
        for source in points:
            _copied(vault, source)
    return {
        "resources": _RESOURCES,
        "vault": main.name,
        "vault_arn": main.arn,
        "dr_vault_arn": copies[0].arn,
        "isolated_vault_arn": copies[1].arn,
        "recovery_points": [point.arn for point in points],
        "dr_recovery_points": list(copies[0].points),
        "isolated_recovery_points": list(copies[1].points),
        "kms_key_arn": key,
        "kms_alias": "alias/securecart-backups",
    }


def _production_policy() -> dict:
    """Guards restores only: it must not save the recovery points, that is Keepwatch's work."""
    return _policy(
        "Deny",
        "*",
        ["backup:StartRestoreJob", "backup:CopyFromBackupVault"],
        {"StringNotEquals": {"aws:PrincipalOrgID": accounts.ORGANIZATION_ID}},
    )


def _isolated_policy() -> dict:
    return _policy("Allow", {"AWS": f"arn:aws:iam::{PRODUCTION}:root"}, ["backup:CopyIntoBackupVault"], None)


def _policy(effect: str, principal, actions: list[str], condition: dict | None) -> dict:
    statement = {"Effect": effect, "Principal": principal, "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition} if condition else statement]}


def _point(vault: state.Vault, resource: str, days: float) -> state.Point:
    """A recovery point of the past: no API makes one, so it is put there."""
    kind, taken = jobs.kind_of(resource), clock.now() - days * state.DAY
    role = f"arn:aws:iam::{PRODUCTION}:role/service-role/AWSBackupDefaultServiceRole"
    point = state.Point(
        arn=jobs.point_arn(vault.place, kind, state.new_id()),
        vault=vault,
        resource_arn=resource,
        resource_type=kind,
        role_arn=role,
        created=taken,
        completed=taken + 600,
        size_bytes=8 << 30,
        lifecycle={"DeleteAfterDays": _RETENTION_DAYS},
        tags=dict(_PROTECTED),
    )
    vault.points[point.arn] = point
    return point


def _copied(vault: state.Vault, source: state.Point) -> None:
    days = (clock.now() - source.created) / state.DAY
    copy = _point(vault, source.resource_arn, max(0.0, days - 0.02))
    copy.source_vault_arn = source.vault.arn
