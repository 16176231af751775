//! Why a set of policies cannot be used. What goes wrong while judging is a
//! [`super::engine::Failure`] instead, and becomes a finding.

use std::io;
use std::path::PathBuf;

/// Why policies cannot be built or loaded.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A file cannot be read or written.
    #[error("cannot {deed} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        deed: &'static str,
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
    /// The folder holds no policies.
    #[error("`{}` is not a policies folder: it has {missing}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What it lacks.
        missing: &'static str,
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
    #[error("the policies in `{}` do not compile\n{detail}", folder.display())]
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
        "the bundle calls the builtin `{0}`, which the agent does not have\n\nhint: build it with \
         `policies/capabilities.json`, which lists those it has"
    )]
    Builtin(String),
    /// A rule's METADATA does not say what the agent must know.
    #[error("rule `{entrypoint}`: {detail}")]
    Rule {
        /// The rule's entry point.
        entrypoint: String,
        /// What is wrong with it.
        detail: String,
    },
}
