//! Whether a rule has tests that run, and whether the libraries that rules share are described.

use serde_json::Value;

use super::Lint;
use super::ast::{self, Module};
use super::style::name;

/// What is wrong with the tests of a rule or of a library, which stand in these files.
pub(super) fn lints(place: &str, tests: &[&Module]) -> Vec<Lint> {
    let mut lints: Vec<Lint> = tests.iter().flat_map(|module| misnamed(module)).collect();
    let runs = |rule: &Value| name(rule).is_some_and(|name| name.starts_with("test_"));
    if !tests.iter().any(|module| module.rules().any(runs)) {
        let last = place.rsplit('/').next().unwrap_or(place);
        lints.push(Lint {
            file: format!("{place}/{last}_test.rego"),
            line: 1,
            column: 1,
            lint: "no-tests".to_owned(),
            what: "no test".to_owned(),
            why: "nothing shows what the rule finds, or that a change of it changes nothing else".to_owned(),
            next: "write one for each thing that it must find, and one for what looks like it and is harmless"
                .to_owned(),
        });
    }
    lints
}

/// Tests that never run, or that run as one.
fn misnamed(module: &Module) -> Vec<Lint> {
    let mut lints = Vec::new();
    let package = ast::at(&module.tree, "/package");
    if !module.package().ends_with("_test") {
        let what = format!("tests in package `{}`", module.package().replace('/', "."));
        let why = "they see what the rule keeps to itself, and are built into it".to_owned();
        let next = format!("say `package {}_test`", module.package().replace('/', "."));
        lints.push(Lint::of(module, package, "test-package", [what, why, next]));
    }
    let mut seen = std::collections::BTreeSet::new();
    for rule in module.rules().filter(|rule| ast::at(rule, "/head/args").is_null()) {
        let Some(own) = name(rule) else { continue };
        let next = |next: String| [format!("`{own}`"), next];
        if own.starts_with("test_") && !seen.insert(own) {
            let [what, next] = next("give each its own name".to_owned());
            let why = "two rules of one name are one test, which passes when either holds".to_owned();
            lints.push(Lint::of(module, rule, "test-name", [format!("a second {what}"), why, next]));
        }
        let near = own.trim_start_matches('_');
        let looks = ["test", "tset", "tests_", "tesst", "tst_"].iter().any(|start| near.starts_with(start));
        if looks && !own.starts_with("test_") {
            let [what, next] =
                next(format!("call it `test_{}`", near.trim_start_matches(|c| c != '_').trim_matches('_')));
            let why = "only a rule whose name begins with `test_` is run".to_owned();
            lints.push(Lint::of(module, rule, "test-name", [format!("{what} is no test"), why, next]));
        }
    }
    lints
}

/// A test beside rules, where nobody runs it.
pub(super) fn outside(module: &Module) -> Vec<Lint> {
    let tests = module.rules().filter(|rule| name(rule).is_some_and(|name| name.starts_with("test_")));
    let said = |rule| {
        let what = format!("`{}` is not in a file of tests", name(rule).unwrap_or_default());
        let why = "only files that end in `_test.rego` are left out of what the agent loads".to_owned();
        [what, why, "move it into the rule's `_test.rego`".to_owned()]
    };
    tests.map(|rule| Lint::of(module, rule, "test-package", said(rule))).collect()
}

/// What a library does not say about itself: whoever writes the next rule reads it first.
pub(super) fn described(module: &Module) -> Vec<Lint> {
    let says = |annotation: &&Value| {
        ["title", "description"].iter().any(|key| annotation[key].as_str().is_some_and(|text| !text.trim().is_empty()))
    };
    let described: Vec<&Value> = module.annotations().iter().filter(says).collect();
    let mut lints = Vec::new();
    let mut miss = |node: &Value, what: String, next: &str| {
        let why = "whoever writes the next rule looks here for what there is".to_owned();
        lints.push(Lint::of(module, node, "undescribed", [what, why, next.to_owned()]));
    };
    let package = ast::at(&module.tree, "/package");
    let expected = module.file.trim_end_matches(".rego");
    if module.package() != expected {
        let next = format!("say `package {}`: a library is found by its place", expected.replace('/', "."));
        miss(package, format!("package `{}` in `{}`", module.package().replace('/', "."), module.file), &next);
    }
    if !described.iter().any(|annotation| annotation["scope"] == "package") {
        miss(package, "the package has no METADATA".to_owned(), "put `# METADATA` and `# title:` above `package`");
    }
    let own = |rule: &Value| {
        let blocks = ast::list(&rule["annotations"]);
        blocks.iter().any(|block| says(&block))
    };
    let mut known: Vec<&str> = module.rules().filter(|rule| own(rule)).filter_map(name).collect();
    for rule in module.rules() {
        let Some(public) = name(rule).filter(|name| !name.starts_with('_') && !known.contains(name)) else { continue };
        known.push(public);
        miss(
            rule,
            format!("`{public}` has no METADATA"),
            "say in a `title` what it is, and in a `description` what is odd",
        );
    }
    lints
}
