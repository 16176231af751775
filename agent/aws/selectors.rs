//! CloudTrail's event selectors, theirs and ours.

use std::collections::BTreeMap;

use aws_sdk_cloudtrail::error::BuildError;
use aws_sdk_cloudtrail::types::{
    AdvancedEventSelector, AdvancedFieldSelector, DataResource, EventSelector as SdkSelector, ReadWriteType,
};

use crate::domain::resource::trail::{AdvancedSelector, EventSelector, FieldSelector, Selectors};

/// Our form of a trail's selectors; `None` when there are none at all.
pub fn ours(basic: &[SdkSelector], advanced: &[AdvancedEventSelector]) -> Option<Selectors> {
    let any = !basic.is_empty() || !advanced.is_empty();
    any.then(|| Selectors {
        basic: basic.iter().map(our_basic).collect(),
        advanced: advanced.iter().map(our_advanced).collect(),
    })
}

/// What CloudTrail leaves out it takes for `All`, management events included.
fn our_basic(selector: &SdkSelector) -> EventSelector {
    let data = |resource: &DataResource| (resource.r#type().unwrap_or_default().to_owned(), resource.values().to_vec());
    EventSelector {
        read_write: selector.read_write_type().unwrap_or(&ReadWriteType::All).as_str().to_owned(),
        management: selector.include_management_events().unwrap_or(true),
        exclude: selector.exclude_management_event_sources().to_vec(),
        data: selector.data_resources().iter().map(data).collect(),
    }
}

fn our_advanced(selector: &AdvancedEventSelector) -> AdvancedSelector {
    AdvancedSelector {
        name: selector.name().unwrap_or_default().to_owned(),
        fields: selector.field_selectors().iter().map(our_field).collect(),
    }
}

fn our_field(field: &AdvancedFieldSelector) -> FieldSelector {
    let all = [
        ("Equals", field.equals()),
        ("NotEquals", field.not_equals()),
        ("StartsWith", field.starts_with()),
        ("NotStartsWith", field.not_starts_with()),
        ("EndsWith", field.ends_with()),
        ("NotEndsWith", field.not_ends_with()),
    ];
    let set = all.into_iter().filter(|(_, values)| !values.is_empty());
    let is = set.map(|(operator, values)| (operator.to_owned(), values.to_vec())).collect::<BTreeMap<_, _>>();
    FieldSelector { field: field.field().to_owned(), is }
}

/// CloudTrail's form of our basic selectors.
pub fn their_basic(selectors: &Selectors) -> Vec<SdkSelector> {
    selectors.basic.iter().map(basic).collect()
}

fn basic(selector: &EventSelector) -> SdkSelector {
    let data = |(kind, values): (&String, &Vec<String>)| {
        DataResource::builder().r#type(kind).set_values(Some(values.clone())).build()
    };
    SdkSelector::builder()
        .read_write_type(ReadWriteType::from(selector.read_write.as_str()))
        .include_management_events(selector.management)
        .set_exclude_management_event_sources(Some(selector.exclude.clone()))
        .set_data_resources(Some(selector.data.iter().map(data).collect()))
        .build()
}

/// CloudTrail's form of our advanced selectors.
pub fn their_advanced(selectors: &Selectors) -> Result<Vec<AdvancedEventSelector>, BuildError> {
    selectors.advanced.iter().map(advanced).collect()
}

fn advanced(selector: &AdvancedSelector) -> Result<AdvancedEventSelector, BuildError> {
    AdvancedEventSelector::builder()
        .set_name(Some(selector.name.clone()).filter(|name| !name.is_empty()))
        .set_field_selectors(Some(selector.fields.iter().map(field).collect::<Result<_, _>>()?))
        .build()
}

fn field(selector: &FieldSelector) -> Result<AdvancedFieldSelector, BuildError> {
    let is = |operator: &str| selector.is.get(operator).cloned();
    AdvancedFieldSelector::builder()
        .field(&selector.field)
        .set_equals(is("Equals"))
        .set_not_equals(is("NotEquals"))
        .set_starts_with(is("StartsWith"))
        .set_not_starts_with(is("NotStartsWith"))
        .set_ends_with(is("EndsWith"))
        .set_not_ends_with(is("NotEndsWith"))
        .build()
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn values() -> impl Strategy<Value = Vec<String>> {
        vec("[a-z:/]{1,6}", 1..3)
    }

    fn any_basic() -> impl Strategy<Value = EventSelector> {
        let read_write = prop::sample::select(vec!["All", "ReadOnly", "WriteOnly"]);
        (read_write, any::<bool>(), vec("[a-z.]{1,6}", 0..2), btree_map("[A-Z:]{1,6}", values(), 0..3)).prop_map(
            |(read_write, management, exclude, data)| EventSelector {
                read_write: read_write.to_owned(),
                management,
                exclude,
                data,
            },
        )
    }

    fn any_advanced() -> impl Strategy<Value = AdvancedSelector> {
        let operators = vec!["Equals", "NotEquals", "StartsWith", "NotStartsWith", "EndsWith", "NotEndsWith"];
        let is = btree_map(prop::sample::select(operators).prop_map(str::to_owned), values(), 1..4);
        let fields = vec(("[a-z]{1,6}", is).prop_map(|(field, is)| FieldSelector { field, is }), 1..3);
        ("[a-z]{0,6}", fields).prop_map(|(name, fields)| AdvancedSelector { name, fields })
    }

    proptest! {
        #[test]
        fn selectors_come_back_whole(basic in vec(any_basic(), 0..3), advanced in vec(any_advanced(), 0..3)) {
            let selectors = Selectors { basic, advanced };
            let back = ours(&their_basic(&selectors), &their_advanced(&selectors).unwrap());
            prop_assert_eq!(back.unwrap_or_default(), selectors);
        }
    }

    #[test]
    fn no_selectors_are_none() {
        assert_eq!(ours(&[], &[]), None);
    }

    #[test]
    fn what_cloudtrail_leaves_out_is_its_default() {
        let read = ours(&[SdkSelector::builder().build()], &[]).unwrap();
        assert_eq!((read.basic[0].read_write.as_str(), read.basic[0].management), ("All", true));
    }
}
