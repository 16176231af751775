"""Completes the emulator's CloudFormation where our templates need more.

Pseudo parameters in conditions, and the policy of an event bus.
"""

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation, eventbridge
from ministack.services.cloudformation import changesets, engine, handlers, provisioners, stacks

_BUS = "AWS::Events::EventBus"
_USERS_OF_CONDITIONS = (cloudformation, changesets, engine, handlers, stacks)

_evaluate = engine._evaluate_conditions


def install() -> None:
    for module in _USERS_OF_CONDITIONS:
        if hasattr(module, "_evaluate_conditions"):
            module._evaluate_conditions = _evaluate_with_pseudo_parameters
    create = provisioners._RESOURCE_HANDLERS[_BUS]["create"]

    def create_with_policy(logical_id, properties, stack_name):
        name, attributes = create(logical_id, properties, stack_name)
        if properties.get("Policy"):
            eventbridge._event_bus_policies[name] = properties["Policy"]
        return name, attributes

    provisioners._RESOURCE_HANDLERS[_BUS]["create"] = create_with_policy


def _evaluate_with_pseudo_parameters(template: dict, parameters: dict) -> dict:
    pseudo = {
        "AWS::Region": get_region(),
        "AWS::AccountId": get_account_id(),
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
    }
    known = {name: {"Value": value} for name, value in pseudo.items()}
    return _evaluate(template, {**known, **parameters})
