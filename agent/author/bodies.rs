//! What makes a rule slow or silent, seen in its expressions.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Lint;
use super::ast;
use super::ast::{Module, list};

/// How many constants a literal may hold before it belongs into data.
const LITERAL_ITEMS: usize = 10;

/// Builtins that compile a pattern at each evaluation.
const PATTERNS: [&str; 6] =
    ["glob.match", "regex.match", "regex.find_n", "regex.replace", "regex.split", "regex.find_all_string_submatch_n"];

/// Tests that cost next to nothing.
const CHEAP: [&str; 3] = ["equal", "eq", "internal.member_2"];

/// The lints in the rules of a file.
pub(super) fn lints(module: &Module) -> Vec<Lint> {
    let mut found = LintCollector { module, parameters: parameters(module), lints: Vec::new() };
    for rule in module.rules() {
        found.literals(rule);
        found.within(rule, &BTreeSet::new());
    }
    found.lints
}

/// What the file calls `data.lib.event.parameters`.
fn parameters(module: &Module) -> Option<String> {
    let imports = module.imports();
    let name = imports.iter().find(|(_, path)| *path == "lib.event").map(|(name, _)| name)?;
    Some(format!("{name}.parameters"))
}

struct LintCollector<'a> {
    module: &'a Module,
    parameters: Option<String>,
    lints: Vec<Lint>,
}

impl<'a> LintCollector<'a> {
    fn push(&mut self, line: u64, lint: &str, [what, why, next]: [String; 3]) {
        let (file, lint) = (self.module.file.clone(), lint.to_owned());
        self.lints.push(Lint { file, line, column: 1, lint, what, why, next });
    }

    fn literals(&mut self, rule: &Value) {
        let mut large = Vec::new();
        ast::walk(rule, &mut |node| {
            let items = constants(node).unwrap_or_default();
            if items > LITERAL_ITEMS {
                large.push((ast::line(node), items));
            }
            items <= LITERAL_ITEMS
        });
        for (line, items) in large {
            let what = format!("a literal of {items} constants");
            let why = "wasm builds it again at each evaluation: a hundred strings cost thirty microseconds, data none";
            let next = "move it into `data/<name>/data.json` and say `data.<name>`";
            self.push(line, "large-literal", [what, why.to_owned(), next.to_owned()]);
        }
    }

    /// Every body in a node. `proven` are references that must be defined to come this far.
    fn within(&mut self, node: &'a Value, proven: &BTreeSet<String>) {
        let mut bodies = Vec::new();
        ast::walk(node, &mut |inner| {
            let body = ast::is_body(inner);
            if body {
                bodies.push(inner);
            }
            !body
        });
        for body in bodies {
            self.body(list(body), proven);
        }
    }

    fn body(&mut self, body: &'a [Value], outer: &BTreeSet<String>) {
        self.pattern_before_test(body);
        let mut proven = outer.clone();
        for expression in body.iter().filter(|expression| expression["negated"] != true) {
            proven.extend(self.input_references(&expression["terms"]));
        }
        for expression in body {
            if expression["negated"] == true {
                self.silenced(expression, &proven);
            }
            self.within(&expression["terms"], &proven);
        }
    }

    /// OPA reads the arguments of a call before it negates the call: where one is undefined,
    /// so is the whole body.
    fn silenced(&mut self, expression: &Value, proven: &BTreeSet<String>) {
        let Some(reference) = self.at_risk(expression).into_iter().find(|reference| !proven.contains(reference)) else {
            return;
        };
        let what = format!("`not` before a call with `{reference}`");
        let why =
            format!("where `{reference}` is missing the body is undefined, `not` or no `not`: the rule is silent");
        let next = "put the call into a rule of its own and negate that, as `not event.approved(\"…\")` does; or test \
                    first that the field is there";
        self.push(ast::line(expression), "silenced-not", [what, why, next.to_owned()]);
    }

    /// The input that the calls of an expression read. `not a == b` alone reads no argument
    /// beforehand.
    fn at_risk(&self, expression: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let calls = ast::call(expression).filter(|(operator, _)| operator != "equal" && operator != "eq");
        for argument in calls.iter().flat_map(|(_, arguments)| *arguments) {
            found.extend(self.input_references(argument));
        }
        ast::walk(&expression["terms"], &mut |node| {
            if node["type"] == "call" {
                found.extend(self.input_references(&node["value"]));
            }
            !ast::is_body(node)
        });
        found
    }

    /// References to the input, but none of inner bodies.
    fn input_references(&self, node: &Value) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        ast::walk(node, &mut |inner| {
            let path = if inner["type"] == "ref" { ast::path(inner) } else { None };
            let ours = |path: &String| {
                let below = self.parameters.as_ref().and_then(|name| path.strip_prefix(name.as_str()));
                path.starts_with("input.") || below.is_some_and(|below| below.starts_with('.'))
            };
            found.extend(path.filter(ours));
            !ast::is_body(inner)
        });
        found
    }

    fn pattern_before_test(&mut self, body: &[Value]) {
        let Some((at, expression, pattern)) = body.iter().enumerate().find_map(|(at, expression)| {
            let pattern = pattern_in(expression)?;
            Some((at, expression, pattern))
        }) else {
            return;
        };
        let mut bound = variables(expression);
        for later in body.iter().skip(at + 1) {
            let names = variables(later);
            let cheap = ast::call(later).is_some_and(|(operator, _)| CHEAP.contains(&operator.as_str()));
            if cheap && pattern_in(later).is_none() && names.is_disjoint(&bound) {
                let what = format!("`{pattern}` before the cheap test on line {}", ast::line(later));
                let why = "the pattern is compiled at each evaluation, some twenty microseconds; a test before it \
                           spares most of them";
                let next = "put the test first, or use `startswith`, `endswith` or `contains`";
                self.push(ast::line(expression), "pattern-first", [what, why.to_owned(), next.to_owned()]);
                return;
            }
            bound.extend(names);
        }
    }
}

/// The pattern builtin that an expression calls.
fn pattern_in(expression: &Value) -> Option<String> {
    let mut found = None;
    ast::walk(expression, &mut |node| {
        let called = ast::call(node).map(|(operator, _)| operator);
        found = found.take().or(called.filter(|called| PATTERNS.contains(&called.as_str())));
        found.is_none()
    });
    found
}

/// The variables that an expression binds or reads; not `input`, `data` or what it calls.
fn variables(expression: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    ast::walk(expression, &mut |node| {
        if node["type"] == "var" {
            found.extend(node["value"].as_str().map(str::to_owned));
        }
        true
    });
    let operator = ast::call(expression).and_then(|(operator, _)| operator.split('.').next().map(str::to_owned));
    for known in ["input", "data", "internal"].map(str::to_owned).into_iter().chain(operator) {
        found.remove(&known);
    }
    found
}

/// How many constants a literal holds; nothing of a literal that also holds something else.
fn constants(node: &Value) -> Option<usize> {
    let values = list(&node["value"]);
    match node["type"].as_str()? {
        "string" | "number" | "boolean" | "null" => Some(1),
        "array" | "set" => values.iter().map(constants).sum(),
        "object" => {
            let entry = |entry: &Value| list(entry).last().and_then(constants);
            values.iter().map(entry).sum()
        }
        _ => None,
    }
}
