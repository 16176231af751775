//! Whose bundle it is: OPA's bundle signatures, checked against a key of our own choice.
//!
//! The key and the algorithm come from our configuration and never from the bundle. With a
//! key there is no way around it: what is not signed, not all signed, or signed by somebody
//! else is refused. It never looks at what a bundle says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{self as crypto, VerificationAlgorithm};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Header, TokenData, Validation};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::archive::Files;
use super::canonical::canonical;

/// The file that holds the signature, and the only one that it does not cover.
pub const SIGNATURES: &str = ".signatures.json";

/// How a bundle is signed, by JWT's names. Shared secrets (`HS256`) are not among them:
/// whoever can verify with one can sign with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// ECDSA on P-256.
    #[default]
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// RSA, PKCS #1 v1.5.
    Rs256,
    /// RSA, PKCS #1 v1.5.
    Rs384,
    /// RSA, PKCS #1 v1.5.
    Rs512,
    /// RSA-PSS.
    Ps256,
    /// RSA-PSS.
    Ps384,
    /// RSA-PSS.
    Ps512,
}

impl Algorithm {
    const ALL: [Self; 8] =
        [Self::Es256, Self::Es384, Self::Rs256, Self::Rs384, Self::Rs512, Self::Ps256, Self::Ps384, Self::Ps512];

    /// JWT's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
        }
    }

    const fn of_token(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Rs512 => jsonwebtoken::Algorithm::RS512,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Ps384 => jsonwebtoken::Algorithm::PS384,
            Self::Ps512 => jsonwebtoken::Algorithm::PS512,
        }
    }

    /// What a key must be one for.
    fn verifier(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Es256 => &crypto::ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &crypto::ECDSA_P384_SHA384_FIXED,
            Self::Rs256 => &crypto::RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &crypto::RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &crypto::RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &crypto::RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &crypto::RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &crypto::RSA_PSS_2048_8192_SHA512,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        let found = Self::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or_else(|| format!("`{text}` is no algorithm for signed bundles: there are {}", known()))
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whom we trust to sign bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    key: SubjectPublicKeyInfoDer<'static>,
    algorithm: Algorithm,
    key_id: Option<String>,
    scope: String,
}

impl Trust {
    /// Trust in the public key of a PEM file; the error says what is wrong with that. With a
    /// key id, a bundle that names another one is refused.
    ///
    /// # Errors
    /// When it holds no public key, or one for another algorithm.
    pub fn new(pem: &[u8], algorithm: Algorithm, key_id: Option<String>, scope: String) -> Result<Self, String> {
        let key = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| {
            "it holds no public key: it must have a PEM block `PUBLIC KEY`, as `openssl pkey -pubout` writes it"
                .to_owned()
        })?;
        crypto::ParsedPublicKey::new(algorithm.verifier(), key.as_ref())
            .map_err(|_| format!("its key is not one for {algorithm}"))?;
        Ok(Self { key, algorithm, key_id, scope })
    }

    fn decoding_key(&self) -> DecodingKey {
        match self.algorithm {
            Algorithm::Es256 | Algorithm::Es384 => DecodingKey::from_ec_der(&self.key),
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => DecodingKey::from_rsa_der(&self.key),
        }
    }

    /// Our algorithm alone, and no claim of JWT's: a bundle has no audience and does not expire.
    fn validation(&self) -> Validation {
        let mut validation = Validation::new(self.algorithm.of_token());
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation
    }
}

/// Why a bundle is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature in it.
    #[error("it is not signed: it has no `{SIGNATURES}`")]
    Unsigned,
    /// The signature is not one that OPA writes.
    #[error("its `{SIGNATURES}` is malformed: {0}")]
    Format(String),
    /// The signature names another algorithm.
    #[error("it is signed with {found}, not with {wanted}")]
    Algorithm {
        /// What the signature says.
        found: String,
        /// What we want.
        wanted: Algorithm,
    },
    /// The signature names another key.
    #[error("it is signed with the key `{found}`, not with `{wanted}`")]
    Key {
        /// What the signature says.
        found: String,
        /// What we want.
        wanted: String,
    },
    /// The signature is not by our key.
    #[error("its signature is not by the key that is trusted")]
    Forged,
    /// The signature is for another purpose.
    #[error("it is signed for the scope `{found}`, not for `{wanted}`")]
    Scope {
        /// What the signature says.
        found: String,
        /// What we want.
        wanted: String,
    },
    /// A file is not signed.
    #[error("`{0}` in it is not covered by its signature")]
    NotCovered(String),
    /// A signed file is not there.
    #[error("`{0}` is covered by its signature, and is not in it")]
    Missing(String),
    /// A file is not the one that was signed.
    #[error("`{0}` in it is not the file that was signed")]
    Changed(String),
    /// A file cannot be compared.
    #[error("`{file}` in it cannot be compared with its signature: {why}")]
    Incomparable {
        /// The file.
        file: String,
        /// Why not.
        why: String,
    },
}

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<String>,
    #[serde(default)]
    plugin: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    files: Vec<Signed>,
    #[serde(default)]
    scope: String,
    keyid: Option<String>,
}

#[derive(Deserialize)]
struct Signed {
    name: String,
    hash: String,
    algorithm: String,
}

/// Proves that every file of a bundle is what the trusted key signed: none is missing, none
/// was added, none was changed.
///
/// # Errors
/// The first reason not to trust it.
pub fn verify(files: &Files, trust: &Trust) -> Result<(), Refusal> {
    let payload = open(files.get(SIGNATURES).ok_or(Refusal::Unsigned)?, trust)?;
    if payload.scope != trust.scope {
        return Err(Refusal::Scope { found: payload.scope, wanted: trust.scope.clone() });
    }
    let mut signed = BTreeMap::new();
    for file in payload.files {
        let name = file.name.clone();
        if signed.insert(name.clone(), file).is_some() {
            return Err(Refusal::Format(format!("it lists `{name}` twice")));
        }
    }
    for (name, bytes) in files.iter().filter(|(name, _)| *name != SIGNATURES) {
        let file = signed.remove(name).ok_or_else(|| Refusal::NotCovered(name.clone()))?;
        if !file.hash.eq_ignore_ascii_case(&digest(name, bytes, &file.algorithm)?) {
            return Err(Refusal::Changed(name.clone()));
        }
    }
    signed.pop_first().map_or(Ok(()), |(name, _)| Err(Refusal::Missing(name)))
}

/// What the trusted key signed. Nothing of the payload is read before its signature holds.
fn open(signatures: &[u8], trust: &Trust) -> Result<Payload, Refusal> {
    let format = |error: &dyn fmt::Display| Refusal::Format(error.to_string());
    let Signatures { signatures, plugin } = serde_json::from_slice(signatures).map_err(|error| format(&error))?;
    if let Some(plugin) = plugin.filter(|plugin| !plugin.is_empty()) {
        return Err(Refusal::Format(format!("it wants the plugin `{plugin}`")));
    }
    let [token] = signatures.as_slice() else {
        return Err(Refusal::Format(format!("it holds {} signatures, not one", signatures.len())));
    };
    fits(&header(token, trust)?, trust)?;
    let opened = jsonwebtoken::decode::<Payload>(token, &trust.decoding_key(), &trust.validation());
    let TokenData { header, claims } = opened
        .map_err(|error| if *error.kind() == ErrorKind::InvalidSignature { Refusal::Forged } else { format(&error) })?;
    is_key(header.kid.as_ref().or(claims.keyid.as_ref()), trust)?;
    Ok(claims)
}

/// A token's header, of which nothing is believed.
fn header(token: &str, trust: &Trust) -> Result<Header, Refusal> {
    jsonwebtoken::decode_header(token).map_err(|error| match unknown_algorithm(token) {
        Some(found) => Refusal::Algorithm { found, wanted: trust.algorithm },
        None => Refusal::Format(error.to_string()),
    })
}

/// The algorithm that a header names, when it is none that JWT knows (`none`, say).
fn unknown_algorithm(token: &str) -> Option<String> {
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    let named = header.get("alg")?.as_str()?;
    jsonwebtoken::Algorithm::from_str(named).is_err().then(|| named.to_owned())
}

/// Says clearly what would fail anyway: our own choice of algorithm is what is used.
fn fits(header: &Header, trust: &Trust) -> Result<(), Refusal> {
    if header.alg != trust.algorithm.of_token() {
        return Err(Refusal::Algorithm { found: format!("{:?}", header.alg), wanted: trust.algorithm });
    }
    if header.crit.is_some() {
        return Err(Refusal::Format("it demands an extension of JWT".to_owned()));
    }
    is_key(header.kid.as_ref(), trust)
}

/// Whether a signature that names its key names ours.
fn is_key(named: Option<&String>, trust: &Trust) -> Result<(), Refusal> {
    match (named, &trust.key_id) {
        (Some(found), Some(wanted)) if found != wanted => {
            Err(Refusal::Key { found: found.clone(), wanted: wanted.clone() })
        }
        (Some(_) | None, _) => Ok(()),
    }
}

/// A file's digest as OPA signs it: of JSON the meaning, of everything else the bytes.
fn digest(name: &str, bytes: &[u8], algorithm: &str) -> Result<String, Refusal> {
    let incomparable = |why: String| Refusal::Incomparable { file: name.to_owned(), why };
    let meaning = match name.rsplit('/').next() {
        Some("data.json" | ".manifest" | SIGNATURES) => Some(canonical(bytes).map_err(incomparable)?),
        Some("data.yaml" | "data.yml") => return Err(incomparable("the agent reads no YAML".to_owned())),
        Some(_) | None => None,
    };
    let hashed = meaning.as_deref().unwrap_or(bytes);
    match algorithm {
        "SHA-256" => Ok(hex::encode(Sha256::digest(hashed))),
        "SHA-384" => Ok(hex::encode(Sha384::digest(hashed))),
        "SHA-512" => Ok(hex::encode(Sha512::digest(hashed))),
        other => Err(incomparable(format!("`{other}` is none of SHA-256, SHA-384 and SHA-512"))),
    }
}

#[cfg(test)]
mod tests;
