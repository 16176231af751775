//! Every way to tamper with a signed bundle, with keys made for each test. That real `opa`
//! signs and verifies the same is shown in `tests/policy_trust.rs`.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::*;

struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn public_pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64_STANDARD.encode(der.as_ref()))
    }

    fn trust(&self) -> Trust {
        let key_id = Some("k1".to_owned());
        Trust::new(self.public_pem().as_bytes(), Algorithm::Es256, key_id, "keepwatch".to_owned()).unwrap()
    }

    fn token(&self, header: &Value, payload: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(payload));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k1"})
}

fn files() -> Files {
    let files: [(&str, &[u8]); 4] = [
        ("data.json", b"{\"b\": 1.0, \"a\": \"<x>\"}"),
        ("policy.wasm", b"\0asm"),
        (".manifest", b"{}"),
        ("events/x.rego", b"package x"),
    ];
    files.map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).into()
}

fn payload(files: &Files) -> Value {
    let signed = files.iter().map(
        |(name, bytes)| json!({"name": name, "hash": digest(name, bytes, "SHA-256").unwrap(), "algorithm": "SHA-256"}),
    );
    json!({"files": signed.collect::<Vec<_>>(), "scope": "keepwatch", "iat": 1})
}

/// The files with a signature in them.
fn with(mut files: Files, tokens: &[String]) -> Files {
    files.insert(SIGNATURES.to_owned(), json!({"signatures": tokens, "plugin": ""}).to_string().into_bytes());
    files
}

fn signed(signer: &Signer) -> Files {
    with(files(), &[signer.token(&header(), &payload(&files()))])
}

/// What is said of a signature with another payload.
fn refused_payload(change: impl Fn(&mut Value)) -> Refusal {
    let signer = Signer::new();
    let mut payload = payload(&files());
    change(&mut payload);
    verify(&with(files(), &[signer.token(&header(), &payload)]), &signer.trust()).unwrap_err()
}

#[test]
fn what_the_trusted_key_signed_is_trusted() {
    let signer = Signer::new();
    assert_eq!(verify(&signed(&signer), &signer.trust()), Ok(()));
}

#[test]
fn json_may_be_written_otherwise_and_nothing_else_may() {
    let signer = Signer::new();
    let mut other = signed(&signer);
    other.insert("data.json".to_owned(), b"{\"a\":\"<x>\",\"b\":1.0}".to_vec());
    assert_eq!(verify(&other, &signer.trust()), Ok(()));
    other.insert("events/x.rego".to_owned(), b"package  x".to_vec());
    assert_eq!(verify(&other, &signer.trust()), Err(Refusal::Changed("events/x.rego".to_owned())));
}

#[test]
fn a_changed_file_a_new_one_and_a_lost_one_are_named() {
    let signer = Signer::new();
    for name in ["policy.wasm", "data.json", ".manifest", "events/x.rego"] {
        let mut changed = signed(&signer);
        changed.insert(name.to_owned(), b"[1]".to_vec());
        assert_eq!(verify(&changed, &signer.trust()), Err(Refusal::Changed(name.to_owned())));
        let mut lost = signed(&signer);
        lost.remove(name);
        assert_eq!(verify(&lost, &signer.trust()), Err(Refusal::Missing(name.to_owned())));
    }
    for name in ["x/policy.wasm", "patch.json", "x/.signatures.json", ".manifest2", "events/x/data.json"] {
        let mut more = signed(&signer);
        more.insert(name.to_owned(), b"{}".to_vec());
        assert_eq!(verify(&more, &signer.trust()), Err(Refusal::NotCovered(name.to_owned())));
    }
}

/// GHSA-g2pf-6v5v-qcc8: OPA took a bundle without a signature where verification was set up
/// without a key id, and looked at no signature of a delta bundle, which `patch.json` makes.
#[test]
fn no_way_leads_around_the_signature() {
    let signer = Signer::new();
    let pem = signer.public_pem();
    let without_id = Trust::new(pem.as_bytes(), Algorithm::Es256, None, "keepwatch".to_owned()).unwrap();
    for trust in [signer.trust(), without_id] {
        assert_eq!(verify(&signed(&signer), &trust), Ok(()));
        assert_eq!(verify(&files(), &trust), Err(Refusal::Unsigned));
        assert_eq!(verify(&Files::new(), &trust), Err(Refusal::Unsigned));
        let delta = Files::from([("patch.json".to_owned(), b"{\"data\":[]}".to_vec())]);
        assert_eq!(verify(&delta, &trust), Err(Refusal::Unsigned));
        for empty in ["{}", "{\"signatures\":[]}", "null", "", "[]"] {
            let mut stripped = files();
            stripped.insert(SIGNATURES.to_owned(), empty.as_bytes().to_vec());
            let refusal = verify(&stripped, &trust).unwrap_err();
            assert!(matches!(refusal, Refusal::Format(_)), "{empty}: {refusal}");
        }
    }
    let nothing = refused_payload(|payload| payload["files"] = json!([]));
    assert!(matches!(nothing, Refusal::NotCovered(_)), "{nothing}");
}

#[test]
fn one_signature_and_no_more() {
    let signer = Signer::new();
    let token = signer.token(&header(), &payload(&files()));
    let twice = verify(&with(files(), &[token.clone(), token.clone()]), &signer.trust()).unwrap_err();
    assert_eq!(twice.to_string(), "its `.signatures.json` is malformed: it holds 2 signatures, not one");
    let mut plugged = files();
    plugged.insert(SIGNATURES.to_owned(), json!({"signatures": [token], "plugin": "evil"}).to_string().into_bytes());
    let refusal = verify(&plugged, &signer.trust()).unwrap_err();
    assert!(refusal.to_string().ends_with("it wants the plugin `evil`"), "{refusal}");
}

#[test]
fn another_key_is_refused_whatever_it_calls_itself() {
    let (ours, theirs) = (Signer::new(), Signer::new());
    assert_eq!(verify(&signed(&theirs), &ours.trust()), Err(Refusal::Forged));
}

#[test]
fn the_header_chooses_nothing() {
    let signer = Signer::new();
    let of = |header: Value| {
        let token = signer.token(&header, &payload(&files()));
        verify(&with(files(), &[token]), &signer.trust()).unwrap_err()
    };
    for alg in ["none", "HS256", "RS256", "es256"] {
        let wanted = Algorithm::Es256;
        assert_eq!(of(json!({"alg": alg, "kid": "k1"})), Refusal::Algorithm { found: alg.to_owned(), wanted });
    }
    let other = Refusal::Key { found: "k2".to_owned(), wanted: "k1".to_owned() };
    assert_eq!(of(json!({"alg": "ES256", "kid": "k2"})), other);
    assert!(matches!(of(json!({"alg": "ES256", "crit": ["b64"], "b64": false})), Refusal::Format(_)));
    assert!(matches!(of(json!({"kid": "k1"})), Refusal::Format(_)));
    assert_eq!(
        refused_payload(|payload| payload["scope"] = json!("")).to_string(),
        "it is signed for the scope ``, not for `keepwatch`"
    );
}

#[test]
fn a_token_that_is_cut_or_bent_is_refused() {
    let signer = Signer::new();
    let token = signer.token(&header(), &payload(&files()));
    let parts: Vec<&str> = token.split('.').collect();
    let other = BASE64_URL_SAFE_NO_PAD.encode(payload(&Files::new()).to_string());
    let none = [parts[0], parts[1], ""].join(".");
    for bent in [none, [parts[0], &other, parts[2]].join(".")] {
        assert_eq!(verify(&with(files(), &[bent]), &signer.trust()), Err(Refusal::Forged));
    }
    for bent in [String::new(), parts[..2].join("."), format!("{token}.x"), token.replace('.', "!")] {
        let refusal = verify(&with(files(), &[bent]), &signer.trust()).unwrap_err();
        assert!(matches!(refusal, Refusal::Format(_)), "{refusal}");
    }
}

#[test]
fn files_are_listed_once_and_by_a_hash_that_holds() {
    let twice = refused_payload(|payload| {
        let again = payload["files"][0].clone();
        payload["files"].as_array_mut().unwrap().push(again);
    });
    assert!(twice.to_string().contains("twice"), "{twice}");
    for weak in ["MD5", "SHA-1", ""] {
        let refusal = refused_payload(|payload| payload["files"][0]["algorithm"] = json!(weak));
        assert!(matches!(refusal, Refusal::Incomparable { .. }), "{refusal}");
    }
}

#[test]
fn a_key_must_be_a_public_one_for_the_algorithm() {
    let of = |pem: &str, algorithm| Trust::new(pem.as_bytes(), algorithm, None, String::new());
    let pem = Signer::new().public_pem();
    assert!(of(&pem, Algorithm::Es256).is_ok());
    for other in [Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps512] {
        assert_eq!(of(&pem, other).unwrap_err(), format!("its key is not one for {other}"));
    }
    for none in ["", "no PEM", &pem.replace("PUBLIC", "PRIVATE"), &pem.replace("PUBLIC KEY", "CERTIFICATE")] {
        assert!(of(none, Algorithm::Es256).unwrap_err().starts_with("it holds no public key"));
    }
}
