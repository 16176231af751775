//! S3's lifecycle rules, theirs and ours. Nothing is lost either way: what is restored
//! replaces all there is.

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    AbortIncompleteMultipartUpload, ExpirationStatus, LifecycleExpiration, LifecycleRule as SdkRule,
    LifecycleRuleAndOperator, LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition, Tag,
    Transition as SdkTransition, TransitionStorageClass,
};

use crate::domain::resource::bucket::{LifecycleRule, Transition};

/// Our form of S3's rule. Its prefix may stand in the rule itself (the old form), in the
/// filter, or among the filter's conditions.
pub fn ours(rule: &SdkRule) -> LifecycleRule {
    let expiration = rule.expiration();
    let noncurrent = rule.noncurrent_version_expiration();
    LifecycleRule {
        id: rule.id().unwrap_or_default().to_owned(),
        status: rule.status().as_str().to_owned(),
        expiration_days: expiration.and_then(LifecycleExpiration::days),
        expiration_date: expiration.and_then(LifecycleExpiration::date).map(rfc3339),
        expired_delete_markers: expiration.and_then(LifecycleExpiration::expired_object_delete_marker),
        noncurrent_days: noncurrent.and_then(NoncurrentVersionExpiration::noncurrent_days),
        newer_noncurrent_versions: noncurrent.and_then(NoncurrentVersionExpiration::newer_noncurrent_versions),
        transitions: rule.transitions().iter().map(our_transition).collect(),
        noncurrent_transitions: rule.noncurrent_version_transitions().iter().map(our_noncurrent).collect(),
        abort_incomplete_days: rule
            .abort_incomplete_multipart_upload()
            .and_then(AbortIncompleteMultipartUpload::days_after_initiation),
        ..conditions(rule)
    }
}

/// Which objects a rule is for; the rest of the answer is empty.
fn conditions(rule: &SdkRule) -> LifecycleRule {
    let filter = rule.filter();
    let and = filter.and_then(LifecycleRuleFilter::and);
    #[expect(deprecated, reason = "old rules have their prefix here")]
    let old = rule.prefix();
    let prefix = old
        .or_else(|| filter.and_then(LifecycleRuleFilter::prefix))
        .or_else(|| and.and_then(LifecycleRuleAndOperator::prefix));
    let tags = filter.and_then(LifecycleRuleFilter::tag).into_iter().chain(and.iter().flat_map(|and| and.tags()));
    LifecycleRule {
        prefix: prefix.unwrap_or_default().to_owned(),
        tags: tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect(),
        larger_than: filter
            .and_then(LifecycleRuleFilter::object_size_greater_than)
            .or_else(|| and.and_then(LifecycleRuleAndOperator::object_size_greater_than)),
        smaller_than: filter
            .and_then(LifecycleRuleFilter::object_size_less_than)
            .or_else(|| and.and_then(LifecycleRuleAndOperator::object_size_less_than)),
        ..LifecycleRule::default()
    }
}

fn our_transition(transition: &SdkTransition) -> Transition {
    Transition {
        days: transition.days(),
        date: transition.date().map(rfc3339),
        newer_versions: None,
        storage_class: transition.storage_class().map_or_else(String::new, |class| class.as_str().to_owned()),
    }
}

fn our_noncurrent(transition: &NoncurrentVersionTransition) -> Transition {
    Transition {
        days: transition.noncurrent_days(),
        date: None,
        newer_versions: transition.newer_noncurrent_versions(),
        storage_class: transition.storage_class().map_or_else(String::new, |class| class.as_str().to_owned()),
    }
}

/// S3's form of our rule. The error says what is wrong with it.
pub fn theirs(rule: &LifecycleRule) -> Result<SdkRule, String> {
    let transitions = rule.transitions.iter().map(their_transition).collect::<Result<Vec<_>, _>>()?;
    let noncurrent = rule.noncurrent_transitions.iter().map(their_noncurrent).collect::<Vec<_>>();
    let abort = rule
        .abort_incomplete_days
        .map(|days| AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build());
    SdkRule::builder()
        .set_id(Some(rule.id.clone()).filter(|id| !id.is_empty()))
        .status(ExpirationStatus::from(rule.status.as_str()))
        .filter(filter(rule)?)
        .set_expiration(expiration(rule)?)
        .set_noncurrent_version_expiration(noncurrent_expiration(rule))
        .set_transitions(some(transitions))
        .set_noncurrent_version_transitions(some(noncurrent))
        .set_abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(|error| error.to_string())
}

/// Conditions as S3 wants them: one stands alone, several stand in an `And`, and none is an
/// empty prefix.
fn filter(rule: &LifecycleRule) -> Result<LifecycleRuleFilter, String> {
    let prefix = Some(rule.prefix.clone()).filter(|prefix| !prefix.is_empty());
    let mut tags = rule.tags.iter().map(self::tag).collect::<Result<Vec<_>, _>>()?;
    let sizes = usize::from(rule.larger_than.is_some()) + usize::from(rule.smaller_than.is_some());
    let filter = LifecycleRuleFilter::builder();
    if usize::from(prefix.is_some()) + tags.len() + sizes > 1 {
        let and = LifecycleRuleAndOperator::builder()
            .set_prefix(prefix)
            .set_tags(some(tags))
            .set_object_size_greater_than(rule.larger_than)
            .set_object_size_less_than(rule.smaller_than);
        return Ok(filter.and(and.build()).build());
    }
    let tag = tags.pop();
    let prefix = if tag.is_none() && sizes == 0 { Some(prefix.unwrap_or_default()) } else { None };
    Ok(filter
        .set_prefix(prefix)
        .set_tag(tag)
        .set_object_size_greater_than(rule.larger_than)
        .set_object_size_less_than(rule.smaller_than)
        .build())
}

fn tag((key, value): (&String, &String)) -> Result<Tag, String> {
    Tag::builder().key(key).value(value).build().map_err(|error| error.to_string())
}

fn expiration(rule: &LifecycleRule) -> Result<Option<LifecycleExpiration>, String> {
    let date = rule.expiration_date.as_deref().map(date_time).transpose()?;
    let any = date.is_some() || rule.expiration_days.is_some() || rule.expired_delete_markers.is_some();
    let whole = LifecycleExpiration::builder()
        .set_date(date)
        .set_days(rule.expiration_days)
        .set_expired_object_delete_marker(rule.expired_delete_markers);
    Ok(any.then(|| whole.build()))
}

fn noncurrent_expiration(rule: &LifecycleRule) -> Option<NoncurrentVersionExpiration> {
    let any = rule.noncurrent_days.is_some() || rule.newer_noncurrent_versions.is_some();
    let whole = NoncurrentVersionExpiration::builder()
        .set_noncurrent_days(rule.noncurrent_days)
        .set_newer_noncurrent_versions(rule.newer_noncurrent_versions);
    any.then(|| whole.build())
}

fn their_transition(transition: &Transition) -> Result<SdkTransition, String> {
    Ok(SdkTransition::builder()
        .set_days(transition.days)
        .set_date(transition.date.as_deref().map(date_time).transpose()?)
        .storage_class(TransitionStorageClass::from(transition.storage_class.as_str()))
        .build())
}

fn their_noncurrent(transition: &Transition) -> NoncurrentVersionTransition {
    NoncurrentVersionTransition::builder()
        .set_noncurrent_days(transition.days)
        .set_newer_noncurrent_versions(transition.newer_versions)
        .storage_class(TransitionStorageClass::from(transition.storage_class.as_str()))
        .build()
}

/// A list, or nothing where it is empty: S3 tells an empty element from none.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn rfc3339(time: &DateTime) -> String {
    time.fmt(DateTimeFormat::DateTime).unwrap_or_default()
}

fn date_time(text: &str) -> Result<DateTime, String> {
    DateTime::from_str(text, DateTimeFormat::DateTime).map_err(|error| format!("`{text}` is no moment: {error}"))
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::option::of;
    use proptest::prelude::*;

    use super::*;

    fn date() -> impl Strategy<Value = String> {
        (2000..2100, 1..=12, 1..=28).prop_map(|(year, month, day)| format!("{year}-{month:02}-{day:02}T00:00:00Z"))
    }

    fn class() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["GLACIER", "DEEP_ARCHIVE", "STANDARD_IA", "A_CLASS_OF_TOMORROW"])
            .prop_map(str::to_owned)
    }

    fn transition() -> impl Strategy<Value = Transition> {
        (of(0..9999), of(date()), class()).prop_map(|(days, date, storage_class)| Transition {
            days,
            date,
            newer_versions: None,
            storage_class,
        })
    }

    fn noncurrent() -> impl Strategy<Value = Transition> {
        (of(0..9999), of(1..100), class()).prop_map(|(days, newer_versions, storage_class)| Transition {
            days,
            date: None,
            newer_versions,
            storage_class,
        })
    }

    prop_compose! {
        fn any_conditions()(
            prefix in "[a-z/]{0,4}",
            tags in btree_map("[a-z]{1,3}", "[a-z]{0,3}", 0..3),
            larger_than in of(0..1_i64 << 40),
            smaller_than in of(0..1_i64 << 40),
        ) -> LifecycleRule {
            LifecycleRule { prefix, tags, larger_than, smaller_than, ..LifecycleRule::default() }
        }
    }

    prop_compose! {
        fn any_rule()(
            conditions in any_conditions(),
            id in "[a-z-]{1,8}",
            status in prop::sample::select(vec!["Enabled", "Disabled"]),
            (expiration_days, expiration_date, expired_delete_markers) in (of(1..9999), of(date()), of(any::<bool>())),
            (noncurrent_days, newer_noncurrent_versions) in (of(1..9999), of(1..100)),
            transitions in vec(transition(), 0..3),
            noncurrent_transitions in vec(noncurrent(), 0..3),
            abort_incomplete_days in of(1..99),
        ) -> LifecycleRule {
            LifecycleRule {
                id, status: status.to_owned(), expiration_days, expiration_date, expired_delete_markers, noncurrent_days,
                newer_noncurrent_versions, transitions, noncurrent_transitions, abort_incomplete_days, ..conditions
            }
        }
    }

    proptest! {
        #[test]
        fn a_rule_comes_back_whole(rule in any_rule()) {
            prop_assert_eq!(ours(&theirs(&rule).unwrap()), rule);
        }

        #[test]
        fn a_filter_holds_one_condition_or_an_and(rule in any_conditions()) {
            let filter = filter(&rule).unwrap();
            let alone = [
                filter.prefix().is_some(),
                filter.tag().is_some(),
                filter.object_size_greater_than().is_some(),
                filter.object_size_less_than().is_some(),
                filter.and().is_some(),
            ];
            prop_assert_eq!(alone.into_iter().filter(|is| *is).count(), 1);
        }
    }

    #[test]
    fn a_prefix_in_the_old_place_is_read() {
        #[expect(deprecated, reason = "that is the old place")]
        let old = SdkRule::builder().status(ExpirationStatus::Enabled).prefix("logs/").build().unwrap();
        assert_eq!(ours(&old).prefix, "logs/");
    }

    #[test]
    fn a_date_that_is_none_is_refused() {
        let rule = LifecycleRule { expiration_date: Some("soon".into()), ..LifecycleRule::default() };
        assert!(theirs(&rule).unwrap_err().contains("`soon`"));
    }
}
