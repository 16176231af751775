"""The few AWS-managed policies that the agent and the world attach, under their real ARNs.

Only what they decide is kept: AWS's own documents of the long ones list every action by name.
"""

import json

from ministack.services import iam

_PREFIX = "arn:aws:iam::aws:policy/"


def _document(effect: str, actions: list[str]) -> str:
    statement = {"Effect": effect, "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


_READS = ["*:Get*", "*:List*", "*:Describe*", "*:Lookup*", "*:BatchGet*", "*:Search*"]
_QUARANTINED = [
    "ec2:RunInstances",
    "ec2:RequestSpotInstances",
    "ec2:StartInstances",
    "iam:AddUserToGroup",
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:ChangePassword",
    "iam:CreateAccessKey",
    "iam:CreateInstanceProfile",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:CreateRole",
    "iam:CreateUser",
    "iam:DetachUserPolicy",
    "iam:PassRole",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPermissionsBoundary",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAccessKey",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
    "lambda:CreateFunction",
    "organizations:CreateAccount",
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:GetObject",
    "sts:GetFederationToken",
    "sts:GetSessionToken",
]
_POLICIES = {
    "AdministratorAccess": _document("Allow", ["*"]),
    "PowerUserAccess": _document("Allow", ["*"]),
    "ReadOnlyAccess": _document("Allow", _READS),
    "job-function/ViewOnlyAccess": _document("Allow", ["*:List*", "*:Describe*"]),
    "SecurityAudit": _document("Allow", _READS),
    "AWSDenyAll": _document("Deny", ["*"]),
    "AWSCompromisedKeyQuarantineV2": _document("Deny", _QUARANTINED),
    "AWSCompromisedKeyQuarantineV3": _document("Deny", _QUARANTINED),
    "AmazonS3FullAccess": _document("Allow", ["s3:*", "s3-object-lambda:*"]),
    "AmazonSQSFullAccess": _document("Allow", ["sqs:*"]),
    "AWSBackupFullAccess": _document("Allow", ["backup:*", "iam:PassRole", "kms:*", "rds:Describe*", "dynamodb:*"]),
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
