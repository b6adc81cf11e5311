//! The schema of recipes says what the reader reads: for editors, and for whoever writes recipes by program.

mod common;

use std::collections::BTreeSet;

use common::author_desk;
use serde_json::Value;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/recipe.schema.json")).expect("JSON")
}

/// Every recipe of the documentation.
fn examples() -> Vec<&'static str> {
    let page = include_str!("../../../docs/recipes.md");
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Checks a value against the part of JSON Schema that ours uses; any other keyword fails.
fn check(schema: &Value, value: &Value, at: &str, wrong: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema") {
        let holds = match keyword.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match rule.as_str().expect("a type") {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "integer" => value.is_i64() || value.is_u64(),
                "boolean" => value.is_boolean(),
                other => panic!("type {other} is not checked"),
            },
            "enum" => rule.as_array().expect("values").contains(value),
            "minimum" => value.as_i64() >= rule.as_i64(),
            "maximum" => value.as_i64() <= rule.as_i64(),
            "minItems" => value.as_array().map(Vec::len) >= rule.as_u64().map(|count| count as usize),
            "required" => rule
                .as_array()
                .expect("names")
                .iter()
                .all(|name| value.get(name.as_str().expect("a name")).is_some()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{at}[{index}]"), wrong);
                }
                true
            }
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = rule.get(name) {
                        check(rule, member, &format!("{at}.{name}"), wrong);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties");
                let others = value.as_object().into_iter().flatten();
                let others: Vec<_> =
                    others.filter(|(name, _)| known.is_none_or(|known| known.get(name).is_none())).collect();
                if rule.is_object() {
                    others
                        .iter()
                        .for_each(|(name, member)| check(rule, member, &format!("{at}.{name}"), wrong));
                }
                rule.is_object() || others.is_empty()
            }
            other => panic!("keyword {other} is not checked"),
        };
        if !holds {
            wrong.push(format!("{at}: {keyword}"));
        }
    }
}

fn faults(toml: &str) -> Vec<String> {
    let recipe: Value = toml::from_str(toml).expect("TOML");
    let mut wrong = Vec::new();
    check(&schema(), &recipe, "", &mut wrong);
    wrong
}

#[test]
fn every_recipe_of_the_documentation_fits() {
    let examples = examples();
    assert!(examples.len() >= 3, "{} examples", examples.len());
    for example in examples {
        assert_eq!(faults(example), Vec::<String>::new(), "{example}");
    }
    assert_eq!(faults(common::RECIPE), Vec::<String>::new());
}

#[test]
fn what_does_not_fit_is_found() {
    let wrong = |from: &str, to: &str| faults(&common::RECIPE.replace(from, to));
    assert_eq!(wrong("sequence = 7", "sequence = -1"), [".release.sequence: minimum"]);
    assert_eq!(wrong("sequence = 7", "sequence = \"7\"").len(), 2);
    assert_eq!(wrong("sequence = 7", ""), [".release: required"]);
    assert_eq!(
        wrong("vendor = \"northlight.example\"", "vendor = \"x\"\ncolour = 1"),
        [".release: additionalProperties"]
    );
    assert_eq!(wrong("\"coswid\", \"text\"", "\"manifest\""), [".release.sever[0]: enum"]);
}

/// The names that the reader would have taken in the place of one that it does not know.
fn names_of_the_reader(table: &str) -> BTreeSet<String> {
    let desk = author_desk();
    desk.write("x.toml", format!("{table}no-such-member = 1\n"));
    let told = desk.failed("suit build x.toml -o x.suit", "unknown field `no-such-member`");
    let line = told.lines().next().expect("a line");
    let (_, expected) = line.split_once("expected").expect("what is expected");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_member_known_to_one_is_known_to_the_other() {
    let schema = schema();
    let component = "[[component]]\nid = \"app\"\n";
    let mut tables = 0;
    for (path, table) in [
        ("", String::new()),
        ("/properties/release", "[release]\n".to_owned()),
        ("/properties/component/items", "[[component]]\n".to_owned()),
        (
            "/properties/component/items/properties/variant/items",
            format!("{component}[[component.variant]]\n"),
        ),
        ("/properties/component/items/properties/metadata", format!("{component}[component.metadata]\n")),
        ("/properties/dependency/items", "[[dependency]]\n".to_owned()),
        ("/properties/conditions", "[conditions]\n".to_owned()),
        ("/properties/wait", "[wait]\n".to_owned()),
        ("/properties/encryption", "[encryption]\n".to_owned()),
        ("/properties/reporting", "[reporting]\n".to_owned()),
        ("/properties/mud", "[mud]\n".to_owned()),
        ("/properties/text", "[text]\n".to_owned()),
    ] {
        let members = schema.pointer(&format!("{path}/properties")).and_then(Value::as_object);
        let members: BTreeSet<String> = members.unwrap_or_else(|| panic!("{path}")).keys().cloned().collect();
        assert_eq!(names_of_the_reader(&table), members, "{path}");
        tables += 1;
    }
    let text = schema.to_string();
    assert_eq!(text.matches("\"additionalProperties\":false").count(), tables, "a table is missing above");
}
