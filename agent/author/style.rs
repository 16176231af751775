//! What leads readers of a rule astray: hidden builtins, assignments by `=`, forgotten prints, dead rules.
//!
//! It looks at one file at a time and at nothing that OPA's own check refuses. Each lint must be right
//! wherever it speaks: a wrong one teaches authors to pass over all of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Lint;
use super::ast::{self, Module, list};

/// How long a line may be; tests may hold longer ones.
const LINE_CHARACTERS: usize = 150;

/// How long the file of a rule may be: what is longer is several rules.
const RULE_LINES: usize = 90;

/// Builtins that take a regular expression, and which argument that is.
const PATTERNS: [(&str, usize); 7] = [
    ("regex.match", 0),
    ("regex.find_n", 0),
    ("regex.find_all_string_submatch_n", 0),
    ("regex.is_valid", 0),
    ("regex.replace", 1),
    ("regex.split", 0),
    ("regex.template_match", 0),
];

/// The lints in a file. `builtins` are the names that rules may call.
pub(super) fn lints(module: &Module, builtins: &BTreeSet<String>) -> Vec<Lint> {
    let mut style = Style { module, lints: Vec::new() };
    style.calls();
    style.hiding(builtins);
    style.assignments();
    style.unfinished();
    if !module.is_test() {
        style.lengths();
    }
    style.lints
}

struct Style<'a> {
    module: &'a Module,
    lints: Vec<Lint>,
}

impl Style<'_> {
    fn push(&mut self, node: &Value, lint: &str, said: [String; 3]) {
        self.lints.push(Lint::of(self.module, node, lint, said));
    }

    /// Prints that were forgotten, and patterns that are hard to read.
    fn calls(&mut self) {
        let mut found = Vec::new();
        for rule in self.module.rules() {
            ast::walk(rule, &mut |node| {
                if let Some((name, arguments)) = ast::call(node) {
                    found.push((name, node, arguments));
                }
                true
            });
        }
        for (name, node, arguments) in found {
            if name == "print" {
                let why = "the agent's engine prints nothing, and computes what would be printed at each evaluation";
                self.push(node, "print-call", ["a call of `print`", why, "delete it"].map(str::to_owned));
            }
            let at = PATTERNS.iter().find(|(builtin, _)| *builtin == name).and_then(|(_, at)| arguments.get(*at));
            if let Some(pattern) = at.filter(|pattern| self.is_escaped(pattern)) {
                let what = format!("a pattern of `{name}` with doubled backslashes");
                let why = "a pattern is hard enough to read without them".to_owned();
                self.push(pattern, "non-raw-regex", [what, why, "put it between backticks".to_owned()]);
            }
        }
    }

    /// Whether a literal is written between quotes and holds a backslash.
    fn is_escaped(&self, literal: &Value) -> bool {
        let quoted = self.module.text_at(literal).starts_with('"');
        quoted && literal["type"] == "string" && literal["value"].as_str().is_some_and(|text| text.contains('\\'))
    }

    /// Names of the author's that hide something else of that name.
    fn hiding(&mut self, builtins: &BTreeSet<String>) {
        let imports = self.module.imports();
        let rules: BTreeSet<String> = self.module.rules().filter_map(|rule| name(rule).map(str::to_owned)).collect();
        let mut hidden = Vec::new();
        for rule in self.module.rules() {
            if let Some(own) = name(rule).filter(|own| builtins.contains(*own)) {
                hidden.push((rule, own.to_owned(), "a builtin"));
            }
            for variable in declared(rule) {
                let Some(own) = variable["value"].as_str() else { continue };
                let what = match own {
                    _ if builtins.contains(own) => "a builtin",
                    _ if imports.contains_key(own) => "an import",
                    _ if rules.contains(own) => "a rule of this file",
                    _ => continue,
                };
                hidden.push((variable, own.to_owned(), what));
            }
        }
        for (node, own, what) in hidden {
            let what = format!("`{own}` hides {what} of the same name");
            let why = "from here on the name means something else than the reader thinks".to_owned();
            self.push(node, "hides-name", [what, why, "give it another name".to_owned()]);
        }
    }

    /// `=`, which compares or assigns, whichever is possible.
    fn assignments(&mut self) {
        let mut found = Vec::new();
        for rule in self.module.rules() {
            let head = &rule["head"];
            let value = &head["value"];
            let implied = value["type"] == "boolean" && value["value"] == true;
            if rule["default"] != true && head["assign"] != true && head.get("value").is_some() && !implied {
                found.push((head, "`:=`"));
            }
            ast::walk(rule, &mut |node| {
                let unifies = node.get("index").is_some() && ast::call(node).is_some_and(|(name, _)| name == "eq");
                if unifies {
                    found.push((node, "`:=` to assign, `==` to compare"));
                }
                true
            });
        }
        for (node, instead) in found {
            let why = "it assigns or compares, whichever happens to be possible";
            self.push(node, "unification", ["`=`".to_owned(), why.to_owned(), format!("say {instead}")]);
        }
    }

    /// Comments about work that is still to be done, and tests that are put off.
    fn unfinished(&mut self) {
        let lines = self.module.text.lines().zip(1..);
        let todo = |line: &str| line.split_once('#').is_some_and(|(_, comment)| is_todo(comment));
        let found: Vec<u64> = lines.filter(|(line, _)| todo(line)).map(|(_, number)| number).collect();
        for line in found {
            let said = ["a comment about work to be done", "what is unfinished is not in force", "do it, or file it"];
            self.lints.push(Lint { line, ..Lint::of(self.module, &Value::Null, "todo", said.map(str::to_owned)) });
        }
        for rule in self.module.rules().filter(|rule| name(rule).is_some_and(|name| name.starts_with("todo_test_"))) {
            let said = ["a test that is put off", "what it would show nobody knows", "finish it, or delete it"];
            self.push(rule, "todo", said.map(str::to_owned));
        }
    }

    fn lengths(&mut self) {
        let long: Vec<(u64, usize)> =
            self.module.text.lines().zip(1..).map(|(line, number)| (number, line.chars().count())).collect();
        for (line, characters) in long.iter().filter(|(_, characters)| *characters > LINE_CHARACTERS) {
            let what = format!("a line of {characters} characters, the most is {LINE_CHARACTERS}");
            let said = [what, "nobody reads its end".to_owned(), "give a part of it a name".to_owned()];
            let at = Lint::of(self.module, &Value::Null, "line-length", said);
            self.lints.push(Lint { line: *line, column: LINE_CHARACTERS as u64 + 1, ..at });
        }
        if long.len() > RULE_LINES && !self.module.is_library() {
            let what = format!("a rule of {} lines, the most is {RULE_LINES}", long.len());
            let why = "a rule has one severity, and a long one is about harms of several".to_owned();
            let next = "split it by harm, and put the facts that its parts share into `lib/`".to_owned();
            self.push(&Value::Null, "rule-length", [what, why, next]);
        }
    }
}

/// Private rules of a package that nothing in it refers to.
pub(super) fn unused(package: &[&Module]) -> Vec<Lint> {
    let mut used = BTreeSet::new();
    for rule in package.iter().flat_map(|module| module.rules()) {
        uses(rule, &mut used);
    }
    let mut lints = Vec::new();
    for module in package {
        let private = |rule: &&Value| name(rule).is_some_and(|own| own.starts_with('_') && !used.contains(own));
        for rule in module.rules().filter(private) {
            let what = format!("nothing refers to `{}`", name(rule).unwrap_or_default());
            let why = "what is never asked is not in force, whatever it looks like".to_owned();
            lints.push(Lint::of(module, rule, "unused-rule", [what, why, "use it, or delete it".to_owned()]));
        }
    }
    lints
}

/// The names that a node refers to. The name that a rule has is no use of it.
fn uses<'a>(node: &'a Value, into: &mut BTreeSet<&'a str>) {
    match node {
        Value::Array(items) => items.iter().for_each(|item| uses(item, into)),
        Value::Object(fields) => {
            into.extend(node["value"].as_str().filter(|_| node["type"] == "var"));
            let inner = fields.iter().filter(|(key, _)| !["annotations", "location", "ref"].contains(&key.as_str()));
            inner.for_each(|(_, field)| uses(field, into));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The name that a rule has.
pub(super) fn name(rule: &Value) -> Option<&str> {
    ast::at(rule, "/head/ref/0/value").as_str()
}

/// The variables that a rule declares: arguments, `some`, `every` and what is assigned.
pub(super) fn declared(rule: &Value) -> Vec<&Value> {
    let mut found = Vec::new();
    list(ast::at(rule, "/head/args")).iter().for_each(|argument| variables(argument, &mut found));
    ast::walk(rule, &mut |node| {
        for symbol in list(&node["symbols"]) {
            match ast::call(symbol) {
                // The last argument is what the others are taken from.
                Some((_, [names @ .., _])) => names.iter().for_each(|name| variables(name, &mut found)),
                Some((_, [])) | None => variables(symbol, &mut found),
            }
        }
        if node.get("domain").is_some() {
            [&node["key"], &node["value"]].into_iter().for_each(|name| variables(name, &mut found));
        }
        if let Some((operator, [target, _])) = ast::call(node)
            && operator == "assign"
        {
            variables(target, &mut found);
        }
        true
    });
    found
}

/// The variables in a pattern such as `[a, b]`.
fn variables<'a>(pattern: &'a Value, into: &mut Vec<&'a Value>) {
    match pattern["type"].as_str() {
        Some("var") => into.push(pattern),
        Some("array") => list(&pattern["value"]).iter().for_each(|item| variables(item, into)),
        Some("object") => {
            let values = list(&pattern["value"]).iter().filter_map(|entry| list(entry).last());
            values.for_each(|value| variables(value, into));
        }
        Some(_) | None => {}
    }
}

fn is_todo(comment: &str) -> bool {
    let first = comment.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default();
    ["TODO", "FIXME", "XXX", "HACK"].contains(&first)
}
