//! The interpreter: regorus with a count of steps in place of a clock.

use std::{
    cell::Cell,
    collections::BTreeMap,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use regorus::{
    Engine, PolicyLengthConfig, Value,
    utils::limits::{ExecutionTimerConfig, TimeSource, set_time_source},
};
use trust::MAX_RULES;

/// How many steps rules may take on one case.
pub const MAX_STEPS: u64 = 100_000;

/// The package that rules are in, as in Veraison's policies.
const PACKAGE: &str = "policy";

/// Rules that are kept ready.
const MAX_READY: usize = 32;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// A clock that moves one nanosecond each time that it is looked at, which regorus does at every step.
struct Steps;

impl TimeSource for Steps {
    fn now(&self) -> Option<Duration> {
        STEPS.with(|steps| {
            steps.set(steps.get() + 1);
            Some(Duration::from_nanos(steps.get()))
        })
    }
}

/// Rules that were read, ready to be applied.
pub(crate) struct Engines {
    ready: BTreeMap<String, Engine>,
}

impl Engines {
    pub(crate) fn new() -> Self {
        static STEPS: Steps = Steps;
        // Once for the process; another one was the same.
        let _ = set_time_source(&STEPS);
        Self { ready: BTreeMap::new() }
    }

    /// The names of the rules in a text.
    pub(crate) fn names(&mut self, rules: &str) -> Result<Vec<String>, String> {
        // Applied to nothing, so that what cannot be bound or called is found now and not in the field.
        self.apply(rules, "{}")?;
        let engine = self.engine(rules)?;
        let ast = engine.get_packages().map_err(brief)?;
        if ast.iter().any(|package| package != &format!("data.{PACKAGE}")) {
            return Err(format!("rules are in `package {PACKAGE}`"));
        }
        let mut names = Vec::new();
        for name in crate::ruling::NAMES {
            // A rule that is there and says nothing of an empty case is undefined, one that is not there is an error.
            if engine.eval_rule(format!("data.{PACKAGE}.{name}")).is_ok() {
                names.push((*name).to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// What every rule says of an input.
    pub(crate) fn apply(&mut self, rules: &str, input: &str) -> Result<Value, String> {
        let engine = self.engine(rules)?;
        engine.set_input_json(input).map_err(brief)?;
        let results = engine.eval_query(format!("data.{PACKAGE}"), false).map_err(brief)?;
        let value =
            results.result.into_iter().next().and_then(|result| result.expressions.into_iter().next());
        match value.map(|expression| expression.value) {
            Some(said @ Value::Object(_)) => Ok(said),
            _ => Err(format!("rules are in `package {PACKAGE}`")),
        }
    }

    fn engine(&mut self, rules: &str) -> Result<&mut Engine, String> {
        if rules.len() > MAX_RULES {
            return Err(format!("rules are longer than {MAX_RULES} bytes"));
        }
        if !self.ready.contains_key(rules) {
            if self.ready.len() >= MAX_READY {
                self.ready.clear();
            }
            self.ready.insert(rules.to_owned(), read(rules)?);
        }
        self.ready.get_mut(rules).ok_or_else(|| "rules are gone".to_owned())
    }
}

/// An error on one line, of a length that a reason may have.
fn brief(error: impl ToString) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_ERROR).collect()
}

/// Longest error in characters.
const MAX_ERROR: usize = 300;

const SOURCE: &str = "policy.rego";

fn read(rules: &str) -> Result<Engine, String> {
    let mut engine = Engine::new();
    engine.set_policy_length_config(PolicyLengthConfig {
        max_file_bytes: NonZeroUsize::new(MAX_RULES).unwrap_or(NonZeroUsize::MIN),
        ..PolicyLengthConfig::default()
    });
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: Duration::from_nanos(MAX_STEPS),
        check_interval: NonZeroU32::MIN,
    });
    // What goes wrong in a function makes a rule fail, not silent.
    engine.set_strict_builtin_errors(true);
    engine.add_policy(SOURCE.to_owned(), rules.to_owned()).map_err(brief)?;
    Ok(engine)
}
