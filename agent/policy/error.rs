//! Why a set of policies cannot be used. What goes wrong while evaluating is a
//! [`super::engine::Failure`] instead, and becomes a finding.

use std::io;
use std::path::PathBuf;

/// Why policies cannot be built or loaded.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file cannot be read or written.
    #[error("cannot {operation} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The bundle is damaged, or no bundle.
    #[error("`{}` is not a policy bundle: {detail}\n\nhint: `keepwatch policy build` makes one", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The bundle is not what the trusted key signed.
    #[error(
        "`{}` is not trusted: {source}\n\nhint: `keepwatch policy build --signing-key` signs a bundle; `[policies]` \
         in accounts.toml says which key is trusted",
        path.display()
    )]
    Untrusted {
        /// The bundle.
        path: PathBuf,
        /// Why not.
        #[source]
        source: super::bundle::signature::Refusal,
    },
    /// A key is set, and policies come from a folder.
    #[error(
        "`{}` is a folder, which cannot be signed, and accounts.toml sets a `verification_key`\n\nhint: sign a bundle \
         with `keepwatch policy build --signing-key` and name that",
        .0.display()
    )]
    UnsignedFolder(PathBuf),
    /// The key that bundles are verified with cannot be used.
    #[error("cannot verify bundles with `{}`: {detail}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why not.
        detail: String,
    },
    /// `opa sign` refused.
    #[error("cannot sign with `{}` and {algorithm}: {detail}\n\nhint: it takes a PEM file with a private key for {algorithm}", key.display())]
    Sign {
        /// The private key's file.
        key: PathBuf,
        /// The algorithm.
        algorithm: super::bundle::signature::Algorithm,
        /// What `opa` said.
        detail: String,
    },
    /// The folder holds no policies.
    #[error("`{}` is not a policies folder: {missing}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        missing: &'static str,
    },
    /// The folder is laid out as an earlier version had it.
    #[error(
        "`{}` is laid out as for an earlier keepwatch: it has `{former}`\n\nhint: rename the folder `{former}` to \
         `{today}` and the packages in it from `{former}.…` to `{today}.…`, then build again",
        path.display()
    )]
    FormerFolder {
        /// The folder.
        path: PathBuf,
        /// The part of it that is called otherwise today.
        former: &'static str,
        /// What it is called.
        today: &'static str,
    },
    /// There is no `opa` to build with.
    #[error(
        "cannot find `{tried}`, which compiles Rego to wasm\n\nhint: `make tools` installs the pinned version below \
         `.tools`; or set `KEEPWATCH_OPA` to the path of an `opa`"
    )]
    NoCompiler {
        /// The program that was tried last.
        tried: String,
    },
    /// `opa build` refused the policies.
    #[error("the policies in `{}` do not compile\n{detail}{}", folder.display(), super::refused::hint(detail))]
    Compile {
        /// The folder.
        folder: PathBuf,
        /// What `opa` said.
        detail: String,
    },
    /// A rule's example is not a list of documents.
    #[error("`{}` is not a JSON array of documents: {detail}", path.display())]
    Example {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The compiled module cannot be run here.
    #[error("the bundle's `policy.wasm` cannot be run: {0}")]
    Module(String),
    /// A rule calls a builtin that the agent does not have.
    #[error(
        "the bundle calls the builtin `{0}`, which the agent does not have: {why}\n\nhint: {next}, and build it with \
         `policies/capabilities.json`, which lists those it has",
        why = super::refused::refusal(.0)[0],
        next = super::refused::refusal(.0)[1]
    )]
    Builtin(String),
    /// Whoever would use the policies cannot.
    #[error("the agent would refuse these policies: {0}")]
    Refused(String),
    /// A document in the bundle's data is not what the agent reads there.
    #[error(transparent)]
    Data(#[from] super::data::DataError),
    /// A file of the folder is where or named as none is.
    #[error("`{}` {what}\n\nhint: {next}", path.display())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do about it.
        next: String,
    },
    /// A rule's METADATA does not say what the agent must know.
    #[error("rule `{entrypoint}`: {detail}")]
    Rule {
        /// The rule's entry point.
        entrypoint: String,
        /// What is wrong with it.
        detail: String,
    },
}
