"""The few AWS-managed policies that the agent and the world attach, under their real ARNs.

Only what they decide is kept: AWS's own documents of the long ones list every action by name.
"""

import json

from ministack.services import iam

_PREFIX = "arn:aws:iam::aws:policy/"


def _document(effect: str, actions: list[str]) -> str:
    statement = {"Effect": effect, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


_POLICIES = {
    "AdministratorAccess": _document("Allow", ["*"]),
    "AWSDenyAll": _document("Deny", ["*"]),
    "service-role/AWSBackupServiceRolePolicyForBackup": _document(
        "Allow", ["backup:*", "rds:*", "dynamodb:*", "ec2:*"]
    ),
    "service-role/AWSBackupServiceRolePolicyForRestores": _document(
        "Allow", ["backup:*", "rds:*", "dynamodb:*", "ec2:*"]
    ),
}


def install() -> None:
    for name, document in _POLICIES.items():
        iam._aws_managed_policies[_PREFIX + name] = iam._make_aws_managed_record(name, document)
