//! From which country and network an address is, by databases in MaxMind's format.
//!
//! CloudTrail does not say it. The databases are read once, at the start; nobody is asked.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{Reader, geoip2};

use crate::domain::enrichment::Origin;

/// A database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use `{}`, which `ip_database` in accounts.toml names: it must be a file in MaxMind's format", path.display())]
pub struct UnusableDatabase {
    path: PathBuf,
    source: maxminddb::MaxMindDbError,
}

/// The databases; none of them knows nothing.
#[derive(Default)]
pub struct Origins(Vec<Reader<Vec<u8>>>);

impl Origins {
    /// Reads databases of countries and of networks, in any order.
    ///
    /// # Errors
    /// When one is missing or broken.
    pub fn open(paths: &[PathBuf]) -> Result<Self, UnusableDatabase> {
        let open = |path: &Path| {
            Reader::open_readfile(path).map_err(|source| UnusableDatabase { path: path.to_owned(), source })
        };
        paths.iter().map(|path| open(path)).collect::<Result<_, _>>().map(Self)
    }

    /// What the databases know of an address. CloudTrail puts a service's name where a service
    /// made the call: of that they know nothing.
    #[must_use]
    pub fn find(&self, address: &str) -> Option<Origin> {
        let address: IpAddr = address.parse().ok()?;
        let mut origin = Origin::default();
        for reader in &self.0 {
            let Ok(found) = reader.lookup(address) else { continue };
            if let Ok(Some(known)) = found.decode::<geoip2::Country<'_>>() {
                origin.country = known.country.iso_code.map(ToOwned::to_owned).or(origin.country);
            }
            if let Ok(Some(known)) = found.decode::<geoip2::Asn<'_>>() {
                origin.asn = known.autonomous_system_number.or(origin.asn);
                let organisation = known.autonomous_system_organization.map(ToOwned::to_owned);
                origin.organisation = organisation.or(origin.organisation);
            }
        }
        (origin != Origin::default()).then_some(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(files: &[&str]) -> Result<Origins, UnusableDatabase> {
        let paths: Vec<PathBuf> = files.iter().map(|file| Path::new("tests/fixtures").join(file)).collect();
        Origins::open(&paths)
    }

    fn found(origins: &Origins, address: &str) -> Option<String> {
        origins.find(address).map(|origin| origin.to_string())
    }

    #[test]
    fn an_address_is_located_as_far_as_the_databases_know_it() {
        let both = origins(&["asn.mmdb", "country.mmdb"]).expect("readable");
        assert_eq!(found(&both, "198.51.100.7").as_deref(), Some("NL, AS64500 Example"));
        assert_eq!(found(&both, "203.0.113.1"), None);
        for other in ["2001:db8::1", "backup.amazonaws.com", "AWS Internal", ""] {
            assert_eq!(found(&both, other), None, "{other}");
        }
        let country = origins(&["country.mmdb"]).expect("readable");
        assert_eq!(found(&country, "198.51.100.7").as_deref(), Some("NL"));
        assert_eq!(found(&Origins::default(), "198.51.100.7"), None);
    }

    #[test]
    fn a_database_that_is_missing_or_none_is_named() {
        for bad in ["nowhere.mmdb", "README.md"] {
            let error = origins(&[bad]).map(drop).expect_err("unusable").to_string();
            assert!(error.contains(bad) && error.contains("`ip_database`"), "{error}");
        }
    }
}
