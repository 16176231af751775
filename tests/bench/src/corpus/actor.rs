//! Who makes the calls of one file: a few identities that come back again and again.

use std::fmt::Write as _;

use super::account::Account;
use super::calls::By;
use super::random::Random;

/// An identity with the client that it uses.
pub struct Actor {
    /// `userIdentity`, as JSON.
    pub identity: String,
    pub address: String,
    pub agent: &'static str,
    /// Whether the call came over TLS from a client; AWS's own have no `tlsDetails`.
    pub client: bool,
}

const AGENTS: [&str; 7] = [
    "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0-1024-aws md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/E,b,Z cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#ec2.describe-instances",
    "Boto3/1.40.21 md/Botocore#1.40.21 ua/2.1 os/linux#5.10.245-241.978.amzn2.x86_64 md/arch#x86_64 lang/python#3.12.11 md/pyimpl#CPython exec-env/AWS_Lambda_python3.12 m/Z,b,D cfg/retry-mode#legacy Botocore/1.40.21",
    "aws-sdk-go-v2/1.38.3 ua/2.1 os/linux lang/go#1.24.6 md/GOARCH#arm64 md/GOOS#linux api/ec2#1.247.0 m/E,g",
    "APN/1.0 HashiCorp/1.0 Terraform/1.13.1 (+https://www.terraform.io) terraform-provider-aws/6.11.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.38.3 ua/2.1 os/linux lang/go#1.24.6 md/GOOS#linux md/GOARCH#amd64 api/iam#1.47.3 m/n",
    "aws-sdk-java/2.33.4 md/io#sync md/http#Apache ua/2.1 api/S3#2.33.x os/Linux#6.1.147-172.266.amzn2023.aarch64 lang/java#21.0.8 md/OpenJDK_64-Bit_Server_VM#21.0.8+9-LTS md/vendor#Amazon.com_Inc. md/en_US m/D,C cfg/auth-source#containers",
    "[Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36]",
    "amazon-ssm-agent/3.3.2958.0 aws-sdk-go/1.55.5 (go1.24.6; linux; amd64)",
];
const SERVICES: [&str; 5] = [
    "ec2.amazonaws.com",
    "ecs-tasks.amazonaws.com",
    "lambda.amazonaws.com",
    "config.amazonaws.com",
    "autoscaling.amazonaws.com",
];

impl Actor {
    pub fn new(by: By, account: &Account, random: &mut Random) -> Self {
        match by {
            By::Person if random.below(3) == 0 => user(account, random),
            By::Person | By::Role => session(account, random),
            By::Service => service(random.pick(&SERVICES).copied().unwrap_or("ec2.amazonaws.com")),
            By::Lifecycle => lifecycle(account, random),
        }
    }
}

fn user(Account { id: account, users, .. }: &Account, random: &mut Random) -> Actor {
    let name = random.pick(users).map_or("", String::as_str);
    let (mut unique, mut key) = (String::new(), String::new());
    random.id(17, &mut unique);
    random.id(16, &mut key);
    let identity = format!(
        r#"{{"type":"IAMUser","principalId":"AIDA{unique}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"AKIA{key}","userName":"{name}"}}"#
    );
    Actor { identity, address: address(random), agent: agent(random), client: true }
}

fn session(account: &Account, random: &mut Random) -> Actor {
    let role = random.pick(&account.roles).map_or("", String::as_str);
    let mut session = String::new();
    if random.below(2) == 0 {
        session.push_str("i-0");
        random.hex(16, &mut session);
    } else {
        session = format!("{role}-{}", random.below(1 << 32));
    }
    let identity = assumed(&account.id, role, "", &session, random);
    Actor { identity, address: address(random), agent: agent(random), client: true }
}

/// AWS Backup in its service-linked role.
fn lifecycle(account: &Account, random: &mut Random) -> Actor {
    let path = "aws-service-role/backup.amazonaws.com/";
    let mut identity = assumed(&account.id, "AWSServiceRoleForBackup", path, "AWSBackup-Lifecycle", random);
    identity.truncate(identity.len() - 1);
    identity.push_str(r#","invokedBy":"backup.amazonaws.com"}"#);
    let service = "backup.amazonaws.com";
    Actor { identity, address: service.to_owned(), agent: service, client: false }
}

fn service(name: &'static str) -> Actor {
    let identity = format!(r#"{{"type":"AWSService","invokedBy":"{name}"}}"#);
    Actor { identity, address: name.to_owned(), agent: name, client: false }
}

fn assumed(account: &str, role: &str, path: &str, session: &str, random: &mut Random) -> String {
    let (mut unique, mut key) = (String::new(), String::new());
    random.id(17, &mut unique);
    random.id(16, &mut key);
    let (hour, minute) = (random.below(3), random.below(60));
    format!(
        r#"{{"type":"AssumedRole","principalId":"AROA{unique}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{role}/{session}","accountId":"{account}","accessKeyId":"ASIA{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROA{unique}","arn":"arn:aws:iam::{account}:role/{path}{role}","accountId":"{account}","userName":"{role}"}},"webIdFederationData":{{}},"attributes":{{"creationDate":"2026-11-01T{hour:02}:{minute:02}:00Z","mfaAuthenticated":"false"}},"ec2RoleDelivery":"2.0"}},"inScopeOf":{{"sourceArn":"arn:aws:ec2:eu-west-1:{account}:instance/{session}","sourceAccount":"{account}","issuerType":"AWS::EC2::Instance","credentialsIssuedTo":"arn:aws:ec2:eu-west-1:{account}:instance/{session}"}}}}"#
    )
}

fn address(random: &mut Random) -> String {
    let mut text = String::new();
    let prefix = random.pick(&["10.0", "203.0", "198.51", "52.94"]).copied().unwrap_or("10.0");
    let _ = write!(text, "{prefix}.{}.{}", random.below(256), random.below(256));
    text
}

fn agent(random: &mut Random) -> &'static str {
    random.pick(&AGENTS).copied().unwrap_or("aws-cli")
}
