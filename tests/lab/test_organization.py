"""What the organisation forbids: by account and by unit, late, and by what guards the entity that a call changes."""

import json

import pytest

from lab.conftest import policy, refusal

PRODUCTION = "111122223333"
DENIED = "AccessDeniedException"


@pytest.fixture
def organizations(own_lab):
    return own_lab.client("organizations", own_lab.root("security"), "us-east-1")


def _policy(organizations, document: str) -> str:
    given = {"Name": "lock", "Description": "x", "Type": "SERVICE_CONTROL_POLICY", "Content": document}
    return organizations.create_policy(**given)["Policy"]["PolicySummary"]["Id"]


def test_a_policy_binds_only_after_it_has_spread(own_lab, organizations):
    own_lab.control("/settings", {"scp_propagation_seconds": 60})
    backup = own_lab.client("backup", own_lab.attacker)
    made = _policy(organizations, policy("Deny", "backup:*"))
    organizations.attach_policy(PolicyId=made, TargetId=PRODUCTION)
    assert made in [
        one["Id"]
        for one in organizations.list_policies_for_target(TargetId=PRODUCTION, Filter="SERVICE_CONTROL_POLICY")[
            "Policies"
        ]
    ]
    assert refusal(backup.list_backup_vaults) == ""
    own_lab.control("/clock", {"advance_seconds": 61})
    assert refusal(backup.list_backup_vaults) == DENIED
    organizations.detach_policy(PolicyId=made, TargetId=PRODUCTION)
    assert refusal(backup.list_backup_vaults) == DENIED
    own_lab.control("/clock", {"advance_seconds": 61})
    assert refusal(backup.list_backup_vaults) == ""


def test_a_policy_of_a_unit_binds_the_accounts_below_it_and_no_others(own_lab, organizations):
    root = organizations.list_roots()["Roots"][0]["Id"]
    upper = organizations.create_organizational_unit(ParentId=root, Name="workloads")["OrganizationalUnit"]["Id"]
    lower = organizations.create_organizational_unit(ParentId=upper, Name="payments")["OrganizationalUnit"]["Id"]
    made = _policy(organizations, policy("Deny", "backup:*"))
    organizations.attach_policy(PolicyId=made, TargetId=upper)
    backup = own_lab.client("backup", own_lab.attacker)
    assert refusal(backup.list_backup_vaults) == ""
    organizations.move_account(AccountId=PRODUCTION, SourceParentId=root, DestinationParentId=lower)
    assert refusal(backup.list_backup_vaults) == DENIED
    assert refusal(own_lab.client("backup", own_lab.root("backup")).list_backup_vaults) == ""
    organizations.move_account(AccountId=PRODUCTION, SourceParentId=lower, DestinationParentId=root)
    assert refusal(backup.list_backup_vaults) == ""


def test_an_account_without_any_policy_may_do_nothing(own_lab, organizations):
    organizations.detach_policy(PolicyId="p-FullAWSAccess", TargetId=PRODUCTION)
    assert refusal(own_lab.client("backup", own_lab.attacker).list_backup_vaults) == DENIED


LOCK = "arn:aws:iam::111122223333:policy/keepwatch-quarantine"


def _lock(*actions: str) -> str:
    return policy("Deny", *actions, condition={"ArnLike": {"iam:PermissionsBoundary": LOCK}})


def test_a_lock_binds_whoever_changes_an_entity_that_carries_the_boundary(own_lab, organizations):
    iam = own_lab.client("iam", own_lab.attacker)
    given = {"PolicyName": "keepwatch-quarantine", "PolicyDocument": policy("Deny", "backup:*")}
    own_lab.client("iam", own_lab.root("production")).create_policy(**given)
    made = _policy(organizations, _lock("iam:*"))
    organizations.attach_policy(PolicyId=made, TargetId=PRODUCTION)
    user, work = {"UserName": "alice"}, {"UserName": "alice", "PolicyName": "x", "PolicyDocument": policy("Allow", "*")}
    assert refusal(iam.put_user_policy, **work) == ""
    # The key holds what the call sets, so the lock also keeps everybody from setting this boundary.
    assert refusal(iam.put_user_permissions_boundary, **user, PermissionsBoundary=LOCK) == "AccessDenied"
    organizations.detach_policy(PolicyId=made, TargetId=PRODUCTION)
    iam.put_user_permissions_boundary(**user, PermissionsBoundary=LOCK)
    organizations.attach_policy(PolicyId=made, TargetId=PRODUCTION)
    for call, more in (
        (iam.put_user_policy, {"PolicyName": "x", "PolicyDocument": policy("Allow", "*")}),
        (iam.delete_user_policy, {"PolicyName": "x"}),
        (iam.detach_user_policy, {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        (iam.delete_user_permissions_boundary, {}),
    ):
        assert refusal(call, **user, **more) == "AccessDenied", call
    # Calls that IAM gives no such key, and a boundary that replaces it, are not held.
    assert refusal(iam.create_access_key, **user) == ""
    assert refusal(iam.tag_user, **user, Tags=[{"Key": "a", "Value": "b"}]) == ""
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert refusal(iam.put_user_permissions_boundary, **user, PermissionsBoundary=administrator) == ""


def test_a_lock_binds_changes_of_a_roles_trust(own_lab):
    iam = own_lab.client("iam", own_lab.root("production"))
    iam.create_policy(PolicyName="keepwatch-quarantine", PolicyDocument=policy("Deny", "backup:*"))
    iam.put_role_permissions_boundary(RoleName="securecart-app", PermissionsBoundary=LOCK)
    name, key = own_lab.user("iam:*")
    iam.put_user_policy(UserName=name, PolicyName="lock", PolicyDocument=_lock("iam:*"))
    trust = json.dumps(iam.get_role(RoleName="securecart-app")["Role"]["AssumeRolePolicyDocument"])
    own = own_lab.client("iam", key)
    given = {"RoleName": "securecart-app", "PolicyDocument": trust}
    assert refusal(own.update_assume_role_policy, **given) == "AccessDenied"
    iam.delete_role_permissions_boundary(RoleName="securecart-app")
    assert refusal(own.update_assume_role_policy, **given) == ""


def test_a_policy_may_allow_only_certain_policies_to_be_attached(own_lab):
    iam = own_lab.client("iam", own_lab.root("production"))
    name, key = own_lab.user("iam:*")
    condition = {"ArnNotEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AWSDenyAll"}}
    document = policy("Deny", "iam:AttachUserPolicy", condition=condition)
    iam.put_user_policy(UserName=name, PolicyName="only", PolicyDocument=document)
    own = own_lab.client("iam", key)
    for arn, expected in (("AdministratorAccess", "AccessDenied"), ("AWSDenyAll", "")):
        given = {"UserName": "alice", "PolicyArn": f"arn:aws:iam::aws:policy/{arn}"}
        assert refusal(own.attach_user_policy, **given) == expected
