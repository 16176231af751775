//! Which parts of its input a rule can look at, found out from OPA's intermediate
//! representation ("Intermediate Representation" in OPA's documentation) when a bundle is built.
//!
//! It may name too much, never too little: a part that it does not name can be left out of a
//! rule's input without the rule saying anything else. What it does not understand of a plan
//! counts as a look at everything.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of the file in a bundle.
pub(in crate::policy) const READS_FILE: &str = "reads.json";
/// The local variable that holds the input in every plan and function.
const INPUT: u64 = 0;
/// Fields of a statement that name no local that it reads: where it stands, what it makes.
const NOT_READ: [&str; 11] =
    ["file", "col", "row", "end_col", "end_row", "index", "Index", "capacity", "target", "block", "blocks"];

/// What each rule reads of its input, by entry point. A rule that is not here may look at
/// everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reads(BTreeMap<String, Parts>);

/// Parts of the input: by root, such as `event`, the fields that are read of it.
pub type Parts = BTreeMap<String, BTreeSet<String>>;

impl Reads {
    /// What a rule reads, if that is known.
    #[must_use]
    pub fn of(&self, entrypoint: &str) -> Option<&Parts> {
        self.0.get(entrypoint)
    }

    /// Reads `plan.json`, as `opa build --target=plan` writes it.
    pub(crate) fn find(plan: &Value) -> Self {
        let strings = plan.pointer("/static/strings").and_then(Value::as_array);
        let strings = strings.into_iter().flatten().map(|entry| entry["value"].as_str().unwrap_or_default()).collect();
        let list = |place: &str| plan.pointer(place).and_then(Value::as_array).into_iter().flatten();
        let named = |one: &'_ Value| Some((one["name"].as_str()?.to_owned(), one["blocks"].clone()));
        let functions = list("/funcs/funcs").filter_map(named).collect();
        let survey = Survey { strings, functions };
        let known = |(name, blocks): (String, Value)| Some((name, survey.plan(&blocks)?));
        Self(list("/plans/plans").filter_map(named).filter_map(known).collect())
    }
}

/// A way from the input downwards: none, one or two steps.
type Path = Vec<String>;

struct Survey<'a> {
    strings: Vec<&'a str>,
    functions: HashMap<String, Value>,
}

/// What one function does with the input.
#[derive(Default)]
struct Walk {
    /// Locals that hold a part of the input at this point. They are used again for other things.
    holds: Holds,
    /// What locals were made to hold since the block around this point began.
    held_since: Holds,
    /// Parts that are looked at.
    reads: BTreeSet<Path>,
    /// Functions that get the input.
    calls: BTreeSet<String>,
}

type Holds = HashMap<u64, BTreeSet<Path>>;

impl Survey<'_> {
    /// What a plan reads, with all that it calls. `None` when that may be everything.
    fn plan(&self, blocks: &Value) -> Option<Parts> {
        let mut reads = BTreeSet::new();
        let mut seen = HashSet::new();
        let mut open = vec![self.walk(blocks)];
        while let Some(walk) = open.pop() {
            reads.extend(walk.reads);
            for function in walk.calls.into_iter().filter(|function| seen.insert(function.clone())) {
                open.push(self.walk(self.functions.get(&function)?));
            }
        }
        let mut parts = Parts::new();
        for path in reads {
            let (root, field) = part(&path)?;
            parts.entry(root.to_owned()).or_default().extend(field.map(str::to_owned));
        }
        Some(parts)
    }

    fn walk(&self, blocks: &Value) -> Walk {
        let mut walk = Walk::default();
        walk.holds.insert(INPUT, BTreeSet::from([Path::new()]));
        self.blocks(blocks, &mut walk);
        walk
    }

    fn blocks(&self, blocks: &Value, walk: &mut Walk) {
        blocks.as_array().into_iter().flatten().for_each(|block| self.block(block, walk));
    }

    /// A block can be left at any of its statements: behind it, a local may hold what it held
    /// before, or whatever it was made to hold inside.
    fn block(&self, block: &Value, walk: &mut Walk) {
        let before = walk.holds.clone();
        let outside = std::mem::take(&mut walk.held_since);
        for statement in block["stmts"].as_array().into_iter().flatten() {
            match (statement["type"].as_str(), &statement["stmt"]) {
                (Some(kind), Value::Object(fields)) => self.statement(kind, fields, walk),
                _ => walk.reads.extend([Path::new()]),
            }
        }
        let inside = std::mem::replace(&mut walk.held_since, outside);
        walk.holds = before;
        for (local, paths) in inside {
            walk.holds.entry(local).or_default().extend(paths.clone());
            walk.held_since.entry(local).or_default().extend(paths);
        }
    }

    fn statement(&self, kind: &str, fields: &Map<String, Value>, walk: &mut Walk) {
        match kind {
            "DotStmt" => self.step(fields, walk),
            "AssignVarStmt" | "AssignVarOnceStmt" => {
                let paths = local(fields.get("source")).map(|from| walk.held(from)).unwrap_or_default();
                walk.hold(fields.get("target"), paths);
            }
            "CallStmt" => self.call(fields, walk),
            "ScanStmt" => self.scan(fields, walk),
            // Numbers of the rule's own, and no locals.
            "MakeNumberIntStmt" | "AssignIntStmt" => walk.hold(fields.get("target"), BTreeSet::new()),
            // It may replace the input itself.
            "WithStmt" => walk.reads.extend([Path::new()]),
            _ => self.other(fields, walk),
        }
    }

    /// Whatever it does with a local, it looks at it.
    fn other(&self, fields: &Map<String, Value>, walk: &mut Walk) {
        for (_, field) in fields.iter().filter(|(name, _)| !NOT_READ.contains(&name.as_str())) {
            walk.look_at(local(Some(field)).or_else(|| field.as_u64()));
        }
        fields.get("block").into_iter().for_each(|block| self.block(block, walk));
        fields.get("blocks").into_iter().for_each(|blocks| self.blocks(blocks, walk));
        walk.hold(fields.get("target"), BTreeSet::new());
    }

    /// One step down from a value.
    fn step(&self, fields: &Map<String, Value>, walk: &mut Walk) {
        let key = fields.get("key");
        walk.look_at(local(key));
        let name = key.filter(|key| key["type"] == "string_index").and_then(|key| key["value"].as_u64());
        let name = name.and_then(|index| self.strings.get(usize::try_from(index).ok()?));
        let mut below = BTreeSet::new();
        for path in local(fields.get("source")).map(|source| walk.held(source)).unwrap_or_default() {
            match name {
                Some(name) if path.len() < 2 => {
                    below.insert([path, vec![(*name).to_owned()]].concat());
                }
                // Deeper than what is distinguished, or at a place that only the event decides.
                Some(_) | None => {
                    walk.reads.insert(path);
                }
            }
        }
        walk.hold(fields.get("target"), below);
    }

    /// A rule's function gets the input as it is; any other call looks at what it gets.
    fn call(&self, fields: &Map<String, Value>, walk: &mut Walk) {
        let function = fields.get("func").and_then(Value::as_str).unwrap_or_default();
        let arguments = fields.get("args").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let ours = self.functions.contains_key(function);
        let rest = match arguments {
            [first, rest @ ..] if ours && local(Some(first)) == Some(INPUT) => {
                walk.calls.insert(function.to_owned());
                rest
            }
            all => all,
        };
        rest.iter().for_each(|argument| walk.look_at(local(Some(argument))));
        walk.hold(fields.get("result"), BTreeSet::new());
    }

    /// A loop, of which the second round sees what the first one left.
    fn scan(&self, fields: &Map<String, Value>, walk: &mut Walk) {
        walk.look_at(fields.get("source").and_then(Value::as_u64));
        for _ in 0..2 {
            walk.hold(fields.get("key"), BTreeSet::new());
            walk.hold(fields.get("value"), BTreeSet::new());
            fields.get("block").into_iter().for_each(|block| self.block(block, walk));
        }
    }
}

impl Walk {
    fn held(&self, local: u64) -> BTreeSet<Path> {
        self.holds.get(&local).cloned().unwrap_or_default()
    }

    fn hold(&mut self, target: Option<&Value>, paths: BTreeSet<Path>) {
        if let Some(target) = target.and_then(Value::as_u64) {
            self.held_since.entry(target).or_default().extend(paths.iter().cloned());
            self.holds.insert(target, paths);
        }
    }

    fn look_at(&mut self, local: Option<u64>) {
        if let Some(local) = local {
            self.reads.extend(self.held(local));
        }
    }
}

/// The local variable that an operand is.
fn local(operand: Option<&Value>) -> Option<u64> {
    let operand = operand?;
    (operand["type"] == "local").then(|| operand["value"].as_u64())?
}

/// A root and a field of it. The moment of evaluation has none.
fn part(path: &[String]) -> Option<(&str, Option<&str>)> {
    match path {
        [root, field] => Some((root, Some(field))),
        [root] if root == "now" => Some((root, None)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reads(statements: Value) -> Option<Parts> {
        let strings = ["event", "name", "x", "now"].map(|value| json!({ "value": value }));
        let plan = json!({"static": {"strings": strings},
            "funcs": {"funcs": [{"name": "g0.f", "blocks": [{"stmts": [dot(0, 0, 2), dot(2, 2, 3), look(3)]}]}]},
            "plans": {"plans": [{"name": "r", "blocks": [{"stmts": statements}]}]}});
        Reads::find(&plan).of("r").cloned()
    }

    fn operand(local: u64) -> Value {
        json!({"type": "local", "value": local})
    }

    fn dot(source: u64, string: u64, target: u64) -> Value {
        let key = json!({"type": "string_index", "value": string});
        json!({"type": "DotStmt", "stmt": {"source": operand(source), "key": key, "target": target}})
    }

    fn look(local: u64) -> Value {
        json!({"type": "IsDefinedStmt", "stmt": {"source": local, "row": 0}})
    }

    fn call(function: &str, argument: u64) -> Value {
        json!({"type": "CallStmt", "stmt": {"func": function, "args": [operand(argument), operand(1)], "result": 9}})
    }

    fn only(root: &str, fields: &[&str]) -> Option<Parts> {
        Some(Parts::from([(root.to_owned(), fields.iter().map(|&field| field.to_owned()).collect())]))
    }

    #[test]
    fn a_rule_reads_what_it_steps_down_to() {
        assert_eq!(reads(json!([])), Some(Parts::new()));
        assert_eq!(reads(json!([dot(0, 0, 2), dot(2, 1, 3), look(3)])), only("event", &["name"]));
        assert_eq!(reads(json!([dot(0, 0, 2), dot(2, 1, 3), dot(3, 2, 4), look(4)])), only("event", &["name"]));
        assert_eq!(reads(json!([dot(0, 3, 2), look(2)])), only("now", &[]));
        assert_eq!(reads(json!([call("g0.f", 0)])), only("event", &["x"]));
    }

    #[test]
    fn what_cannot_be_distinguished_may_be_everything() {
        let by_variable = json!({"type": "DotStmt", "stmt": {"source": operand(2), "key": operand(7), "target": 3}});
        for everything in [
            json!([look(0)]),
            json!([dot(0, 0, 2), look(2)]),
            json!([dot(0, 0, 2), by_variable]),
            json!([call("count", 0)]),
            json!([dot(0, 0, 2), call("g0.f", 2)]),
            json!([{"type": "WithStmt", "stmt": {"block": {"stmts": []}}}]),
            json!([7]),
        ] {
            assert_eq!(reads(everything.clone()), None, "{everything}");
        }
    }

    #[test]
    fn a_local_that_is_used_again_holds_the_new_thing_unless_that_was_skipped() {
        let again = json!({"type": "MakeNullStmt", "stmt": {"target": 2}});
        assert_eq!(reads(json!([dot(0, 0, 2), again, look(2)])), Some(Parts::new()));
        let perhaps = json!({"type": "BlockStmt", "stmt": {"blocks": [{"stmts": [again]}]}});
        assert_eq!(reads(json!([dot(0, 0, 2), perhaps, look(2)])), None);
        let inside = json!({"type": "NotStmt", "stmt": {"block": {"stmts": [dot(0, 0, 2)]}}});
        assert_eq!(reads(json!([inside, look(2)])), None);
        let round = json!({"type": "ScanStmt", "stmt": {"source": 8, "key": 5, "value": 6,
            "block": {"stmts": [look(2), dot(0, 0, 2)]}}});
        assert_eq!(reads(json!([round])), None);
    }
}
