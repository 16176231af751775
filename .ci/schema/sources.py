"""Which event sources AWS has: `keepwatch policy check` refuses a rule that asks for another.

`python .ci/schema/sources.py FILE` writes them, one on each line: those of botocore's services, by the names that they
are reached and signed under, and those that write events and have no API of their own.
"""

import argparse
from pathlib import Path

from botocore.loaders import Loader

# They stand in real records, or in AWS's pages about what CloudTrail records of a service.
WITHOUT_API = (
    "aws-portal",
    "billing",
    "billingconsole",
    "cloudshell",
    "codewhisperer",
    "consoleapp",
    "customer-verification",
    "ec2-instance-connect",
    "ec2messages",
    "iotdeviceadvisor",
    "macie",
    "mobilehub",
    "q",
    "s3express",
    "servicecatalog-appregistry",
    "signin",
    "sqlworkbench",
    "sso-directory",
    "ssmmessages",
    "sustainability",
    "tax",
    "trustedadvisor",
    "user-subscriptions",
)


def sources() -> list[str]:
    loader = Loader()
    names = set(WITHOUT_API)
    for service in loader.list_available_services("service-2"):
        metadata = loader.load_service_model(service, "service-2")["metadata"]
        names.add(service)
        names.update(metadata[key].rpartition(".")[2] for key in ("endpointPrefix", "signingName") if key in metadata)
    return [f"{name}.amazonaws.com" for name in sorted({name.lower() for name in names})]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", type=Path)
    arguments.parse_args().file.write_text("".join(f"{source}\n" for source in sources()))


if __name__ == "__main__":
    main()
