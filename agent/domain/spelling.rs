//! What somebody meant who misspelt a name. It guesses, and never decides.

/// The name that a misspelt one most likely means.
#[must_use]
pub fn nearest<'a>(misspelt: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = misspelt.to_lowercase();
    let far = match misspelt.chars().count() {
        ..=4 => 1, // most short words are two letters from each other
        letters => (letters / 3).max(2),
    };
    let near = names.map(|name| (strsim::osa_distance(&lower, &name.to_lowercase()), name));
    near.filter(|(distance, _)| *distance <= far).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        let names = ["backupVaultName", "recoveryPointArn", "tags"];
        assert_eq!(nearest("recoverypointArn", names.into_iter()), Some("recoveryPointArn"));
        assert_eq!(nearest("backupVaultNmae", names.into_iter()), Some("backupVaultName"));
        assert_eq!(nearest("bucketPolicy", names.into_iter()), None);
    }
}
