//! Signed bundles, both ways between us and real `opa`; keys are made for each test.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair,
};
use base64::Engine as _;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use keepwatch::policy::bundle::Bundle;
use keepwatch::policy::bundle::build::{build, build_signed, opa};
use keepwatch::policy::bundle::signature::{Algorithm, Trust};
use keepwatch::policy::bundle::signing::Signing;
use keepwatch::policy::bundle::source::{PolicyContent, Source};
use keepwatch::policy::engine::compiler::Compiler;
use tempfile::TempDir;

use super::engine_limits::{Fixture, folder_of};
use super::engine_oracle::root;
use crate::support::builders::copy_folder;

const RULE: Fixture =
    Fixture { id: "TST-SIGNED", event: "*", body: r#"findings contains {"message": "<&>\u2028 é", "propose": []}"# };

/// A folder with a key pair, and policies whose data is awkward to hash.
pub struct Signed {
    pub folder: TempDir,
    pub policies: TempDir,
    pub algorithm: Algorithm,
}

impl Signed {
    pub fn new(algorithm: Algorithm) -> Self {
        let policies = folder_of(&[RULE]);
        fs::create_dir(policies.path().join("data")).unwrap();
        let awkward = r#"{"b": 1.0, "a": [1e3, 12345678901234567890123], "<&>": "\u2028\u0001é/\b", "Z": {"y": null, "x": true}}"#;
        fs::write(policies.path().join("data/data.json"), awkward).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => {
                let curve = if algorithm == Algorithm::Es256 {
                    &ECDSA_P256_SHA256_FIXED_SIGNING
                } else {
                    &ECDSA_P384_SHA384_FIXED_SIGNING
                };
                let pair = EcdsaKeyPair::generate(curve).unwrap();
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
                (pair.to_pkcs8v1().unwrap().as_ref().to_vec(), public.as_ref().to_vec())
            }
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
                let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
                (private.as_ref().to_vec(), public.as_ref().to_vec())
            }
        };
        fs::write(folder.path().join("private.pem"), pem("PRIVATE KEY", &private)).unwrap();
        fs::write(folder.path().join("public.pem"), pem("PUBLIC KEY", &public)).unwrap();
        Self { folder, policies, algorithm }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn signing(&self, scope: &str) -> Signing {
        let (key_id, scope) = ("test-key".to_owned(), scope.to_owned());
        Signing { key: self.path("private.pem"), algorithm: self.algorithm, key_id, scope }
    }

    pub fn trust(&self, scope: &str) -> Trust {
        let pem = fs::read(self.path("public.pem")).unwrap();
        Trust::new(&pem, self.algorithm, Some("test-key".to_owned()), scope.to_owned()).unwrap()
    }

    /// A signed bundle of ours.
    fn bundle(&self, scope: &str) -> PathBuf {
        let bundle = self.path("bundle.tar.gz");
        build_signed(self.policies.path(), &bundle, Some(&self.signing(scope))).unwrap();
        bundle
    }

    fn open(&self, bundle: &Path, scope: &str) -> Result<Bundle, String> {
        let packed = fs::read(bundle).unwrap();
        Bundle::open(bundle, &packed, Some(&self.trust(scope))).map_err(|error| error.to_string())
    }

    /// What `opa` says of a signed bundle.
    fn opa_verifies(&self, bundle: &Path, scope: &str) -> Output {
        let mut command = Command::new(opa());
        command.arg("build").arg("--bundle").arg(bundle).args(["--verification-key-id", "test-key"]);
        command.arg("--verification-key").arg(self.path("public.pem"));
        command.args(["--signing-alg", self.algorithm.name(), "--scope", scope]);
        command.arg("--output").arg(self.path("again.tar.gz")).output().unwrap()
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The files of a bundle, as they are written.
fn unpacked(bundle: &Path) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(GzDecoder::new(fs::File::open(bundle).unwrap()));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let (name, mut bytes) = (entry.path().unwrap().to_string_lossy().into_owned(), Vec::new());
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        (name, bytes)
    });
    entries.collect()
}

fn packed(bundle: &Path, files: &[(String, Vec<u8>)]) {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, bytes.as_slice()).unwrap();
    }
    fs::File::create(bundle).unwrap().write_all(&archive.into_inner().unwrap().finish().unwrap()).unwrap();
}

#[test]
fn what_we_sign_opa_verifies_and_so_do_we() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256] {
        let signed = Signed::new(algorithm);
        for scope in ["", "keepwatch"] {
            let bundle = signed.bundle(scope);
            let said = signed.opa_verifies(&bundle, scope);
            assert!(said.status.success(), "{algorithm}: {}", String::from_utf8_lossy(&said.stderr));
            signed.open(&bundle, scope).unwrap();
            // `opa` asked the same question gives the same answer to another scope.
            assert!(!signed.opa_verifies(&bundle, "other").status.success(), "{algorithm}");
            assert!(signed.open(&bundle, "other").unwrap_err().contains("not for `other`"), "{algorithm}");
        }
    }
}

#[test]
fn what_opa_sign_signs_we_verify() {
    for algorithm in [Algorithm::Es256, Algorithm::Rs512] {
        let signed = Signed::new(algorithm);
        let bundle = signed.path("bundle.tar.gz");
        build(signed.policies.path(), &bundle).unwrap();
        assert!(signed.open(&bundle, "").unwrap_err().contains("it is not signed"));
        let mut command = Command::new(opa());
        command.args(["sign", "--signing-alg", algorithm.name(), "--signing-key"]).arg(signed.path("private.pem"));
        command.arg("--output-file-path").arg(signed.folder.path()).arg("--bundle").arg(&bundle);
        let said = command.output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let mut files = unpacked(&bundle);
        files.push(("/.signatures.json".to_owned(), fs::read(signed.path(".signatures.json")).unwrap()));
        packed(&bundle, &files);
        signed.open(&bundle, "").unwrap();
    }
}

#[test]
fn a_bundle_that_was_tampered_with_is_refused_by_both() {
    let signed = Signed::new(Algorithm::Es256);
    let bundle = signed.bundle("");
    let whole = unpacked(&bundle);
    let data = whole.iter().position(|(name, _)| name.ends_with("data.json")).unwrap();
    let mut changed = whole.clone();
    changed[data].1 = b"{}".to_vec();
    let mut more = whole.clone();
    more.push(("/x/data.json".to_owned(), b"{}".to_vec()));
    let mut less = whole.clone();
    less.remove(data);
    let mut stripped = whole.clone();
    stripped.retain(|(name, _)| !name.ends_with(".signatures.json"));
    for (files, said) in [
        (changed, "is not the file that was signed"),
        (more, "is not covered by its signature"),
        (less, "is covered by its signature, and is not in it"),
        (stripped, "it is not signed"),
    ] {
        packed(&bundle, &files);
        let refused = signed.open(&bundle, "").unwrap_err();
        assert!(refused.contains(said) && refused.contains("hint:"), "{refused}");
        assert!(!signed.opa_verifies(&bundle, "").status.success(), "{said}: opa takes it");
    }
    packed(&bundle, &whole);
    signed.open(&bundle, "").unwrap();
}

#[test]
fn a_folder_cannot_be_signed() {
    let signed = Signed::new(Algorithm::Es256);
    let source = Source::Path(signed.policies.path().to_owned());
    let content = || PolicyContent::Path(signed.policies.path().to_owned());
    assert!(content().compile(&source, None, &Compiler::here()).is_ok());
    let refused = content().compile(&source, Some(&signed.trust("")), &Compiler::here()).unwrap_err().to_string();
    assert!(refused.contains("is a folder, which cannot be signed"), "{refused}");
}

#[test]
fn a_bundle_is_the_same_wherever_and_whenever_it_is_built() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    copy_folder(&root().join("policies"), &one.path().join("here"));
    copy_folder(&root().join("policies"), &other.path().join("another/folder/altogether"));
    age(one.path(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    let built = |folder: &Path| {
        let bundle = folder.join("bundle.tar.gz");
        build(folder, &bundle).unwrap();
        (fs::read(&bundle).unwrap(), Bundle::read(&bundle).unwrap().manifest.revision)
    };
    let first = built(&one.path().join("here"));
    assert!(first == built(&other.path().join("another/folder/altogether")), "the bytes differ");
    assert_eq!(first.1.len(), 16);

    let rule = one.path().join("here/events/kms/key_disabled");
    fs::write(rule.join("key_disabled_test.rego"), "package events.kms.key_disabled_test\n").unwrap();
    fs::remove_file(one.path().join("here/bundle.tar.gz")).unwrap();
    assert_eq!(built(&one.path().join("here")).1, first.1, "tests are no part of it");
    let mut text = fs::read_to_string(rule.join("key_disabled.rego")).unwrap();
    text.push_str("\n# another word\n");
    fs::write(rule.join("key_disabled.rego"), text).unwrap();
    assert_ne!(built(&one.path().join("here")).1, first.1);
}

fn age(path: &Path, time: SystemTime) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| age(&entry.unwrap().path(), time));
    } else {
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }
}

/// RSA's older signatures hold no chance; those of ECDSA and RSA-PSS do.
#[test]
fn a_bundle_signed_by_rs256_is_the_same_every_time() {
    let signed = Signed::new(Algorithm::Rs256);
    let first = fs::read(signed.bundle("")).unwrap();
    assert!(first == fs::read(signed.bundle("")).unwrap());
}

#[test]
fn a_key_for_another_algorithm_cannot_sign() {
    let signed = Signed::new(Algorithm::Rs256);
    let wrong = Signing { algorithm: Algorithm::Es256, ..signed.signing("") };
    let refused = build_signed(signed.policies.path(), &signed.path("b.tar.gz"), Some(&wrong)).unwrap_err();
    assert!(refused.to_string().starts_with("cannot sign with `"), "{refused}");
    assert!(!signed.path("b.tar.gz").exists());
}

#[test]
fn the_command_line_signs_and_verifies() {
    let signed = Signed::new(Algorithm::Es256);
    let keepwatch = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keepwatch"));
        command.args(arguments).current_dir(signed.folder.path()).env("KEEPWATCH_OPA", opa()).output().unwrap()
    };
    let policies = signed.policies.path().to_str().unwrap();
    let built = keepwatch(&["policy", "build", policies, "--signing-key", "private.pem", "--key-id", "test-key"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let verify = ["policy", "verify", "bundle.tar.gz", "--verification-key", "public.pem"];
    let verified = keepwatch(&verify);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let refused = keepwatch(&[verify.as_slice(), &["--key-id", "another"]].concat());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("it is signed with the key `test-key`, not with `another`"), "{said}");
}
