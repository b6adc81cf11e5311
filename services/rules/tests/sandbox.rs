//! Rules in the real worker process: what they may say, and what they must not be able to do.

use crypto::{Digest, HashAlgorithm};
use eat::{Category, TrustVector};
use sextant_rules::{MAX_STEPS, Sandbox};
use trust::{Appraised, Case, Code, Measured, Reason, RulesEngine, Ruling};

fn sandbox() -> Sandbox {
    Sandbox::new([env!("CARGO_BIN_EXE_sextant-rules-worker").into()])
}

/// Applies rules to a device that runs 1.2.0 of one component.
fn rule(sandbox: &mut Sandbox, rules: &str) -> Result<Ruling, String> {
    let digest = Digest::of(HashAlgorithm::Sha256, b"app");
    let components = [Measured { name: "app".into(), digest: Some(digest), size: Some(3) }];
    let appraised = Appraised {
        vector: TrustVector::new().with(Category::Executables, 2),
        release: Some(Digest::of(HashAlgorithm::Sha256, b"release")),
        reasons: vec![Reason::new(Code::DebugOpen)],
    };
    let case = Case {
        profile: "urn:example",
        device: &[1; 16],
        vendor: Some([2; 16]),
        class: Some([3; 16]),
        debug: Some(eat::DebugStatus::Enabled),
        bootcount: Some(7),
        sequence_number: Some(4),
        components: &components,
        version: Some("1.2.0"),
        appraised: &appraised,
    };
    sandbox.rule(rules, &case)
}

#[test]
fn rules_say_claims_and_reasons_about_what_they_see() {
    let mut sandbox = sandbox();
    type Row<'a> = (&'a str, &'a [(Category, i8)], &'a [&'a str]);
    let rows: [Row<'_>; 9] = [
        ("executables := 33", &[(Category::Executables, 33)], &[]),
        ("executables := \"UNSAFE_RT\" if input.version == \"1.2.0\"", &[(Category::Executables, 32)], &[]),
        ("executables := \"UNSAFE_RT\" if input.version == \"1.3.0\"", &[], &[]),
        ("runtime_opaque := -40", &[(Category::RuntimeOpaque, -40)], &[]),
        ("hardware := 2 if input.vector.executables == 2", &[(Category::Hardware, 2)], &[]),
        (
            "reasons contains \"old\" if semver.compare(input.version, \"1.10.0\") < 0\nreasons contains \"again\"",
            &[],
            &["again", "old"],
        ),
        (
            "reasons contains sprintf(\"%s of %d\", [c.name, c.size]) if some c in input.components",
            &[],
            &["app of 3"],
        ),
        ("reasons contains code if some code in input.reasons", &[], &["debug-open"]),
        (
            "fits if input.class == \"03030303030303030303030303030303\"\nconfiguration := 96 if { fits; input.debug == \"enabled\"; input.bootcount < 9 }",
            &[(Category::Configuration, 96)],
            &[],
        ),
    ];
    for (rules, claims, reasons) in rows {
        let said = rule(&mut sandbox, &format!("package policy\nimport rego.v1\n{rules}\n"));
        let expected =
            Ruling { claims: claims.to_vec(), reasons: reasons.iter().map(ToString::to_string).collect() };
        assert_eq!(said, Ok(expected), "{rules}");
    }
}

#[test]
fn what_rules_must_not_do_ends_in_an_error_and_not_in_the_verifier() {
    let mut sandbox = sandbox();
    let rows = [
        ("executables := true", "is no claim"),
        ("executables := 128", "is no claim"),
        ("executables := \"FINE\"", "is no claim"),
        ("executables := 2.5", "is no claim"),
        ("executables := 1 if true\nexecutables := 2 if true", "conflicts"),
        ("reasons := \"word\"", "`reasons` is no set"),
        ("reasons contains 7", "no short text"),
        ("reasons contains x if some x in numbers.range(1, 20)", "`reasons` is no set"),
        // What would read a clock, chance, files or the network is not there.
        ("executables := time.now_ns()", "time.now_ns"),
        ("executables := rand.intn(\"x\", 90)", "rand.intn"),
        ("executables := count(opa.runtime())", "opa.runtime"),
        ("executables := http.send({\"url\": \"http://127.0.0.1\"}).status", "http.send"),
        ("executables := count(io.jwt.decode(\"a.b.c\"))", "io.jwt.decode"),
        // Too many steps, by a product of ranges.
        (
            "executables := 96 if { some a in numbers.range(1, 900); some b in numbers.range(1, 900); a * b == -1 }",
            "limit",
        ),
        // Too deep, too large, too long in one step.
        ("f(n) := f(n) + 1\nexecutables := f(1)", "brought"),
        ("executables := count(numbers.range(1, 100000000))", "brought"),
        ("executables := count(numbers.range(1, 9000000000000))", "brought"),
        ("executables := count(sprintf(\"%999999999d\", [1]))", ""),
    ];
    for (rules, expected) in rows {
        let error = rule(&mut sandbox, &format!("package policy\nimport rego.v1\n{rules}\n")).unwrap_err();
        assert!(error.contains(expected), "{rules}\n gives {error}");
        // The next case is none the worse for it.
        assert!(rule(&mut sandbox, "package policy\nexecutables := 33").is_ok(), "after {rules}");
    }
    for (rules, expected) in [
        ("", ""),
        ("package other\nexecutables := 33", "package policy"),
        ("package policy\nexecutables :=", "expect"),
        (&format!("package policy\nexecutables := 33\n{}", "# long\n".repeat(10_000)), "longer"),
    ] {
        let error = rule(&mut sandbox, rules).unwrap_err();
        assert!(error.contains(expected), "{rules:.60}\n gives {error}");
    }
}

#[test]
fn values_that_double_end_with_the_worker() {
    // Each step is cheap, and what it makes is twice as long: no count of steps sees it coming.
    let doubling: String =
        (1..60).map(|n| format!("x{n} := concat(\"\", [x{m}, x{m}])\n", m = n - 1)).collect();
    let shared: String = (1..60).map(|n| format!("x{n} := [x{m}, x{m}]\n", m = n - 1)).collect();
    let mut sandbox = sandbox();
    for (first, rest) in [("x0 := \"0123456789abcdef\"\n", doubling), ("x0 := [1, 2]\n", shared)] {
        let rules = format!("package policy\n{first}{rest}executables := count(x59)\n");
        let error = rule(&mut sandbox, &rules).unwrap_err();
        assert!(error.contains("brought") || error.contains("more than"), "{error}");
    }
    assert!(rule(&mut sandbox, "package policy\nexecutables := 33").is_ok());
}

#[test]
fn steps_are_counted_alike_each_time() {
    // Rules that take nearly all steps succeed each time, also beside others; a few more never do.
    let within = |n: usize| {
        format!(
            "package policy\nimport rego.v1\nexecutables := 33 if count([a | some a in numbers.range(1, {n}); a > 0]) == {n}"
        )
    };
    let mut sandbox = sandbox();
    let (mut low, mut high) = (1, MAX_STEPS as usize);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if rule(&mut sandbox, &within(middle)).is_ok() { low = middle } else { high = middle }
    }
    for _ in 0..5 {
        let mut other = self::sandbox();
        assert!(rule(&mut other, &within(low)).is_ok());
        assert!(rule(&mut other, &within(high)).is_err());
        assert!(rule(&mut sandbox, &within(low)).is_ok());
        assert!(rule(&mut sandbox, &within(high)).is_err());
    }
}

#[test]
fn rules_are_checked_before_they_count() {
    let mut sandbox = sandbox();
    let says = |sandbox: &mut Sandbox, rules: &str| {
        sandbox.check(&format!("package policy\nimport rego.v1\n{rules}")).map(|check| check.says)
    };
    let rules = "executables := 33 if input.version == \"1\"\nreasons contains \"x\" if old\nold if input.bootcount > 3\n";
    assert_eq!(says(&mut sandbox, rules), Ok(vec!["executables".to_owned(), "reasons".to_owned()]));
    assert!(says(&mut sandbox, "executable := 33").unwrap_err().contains("no rule is one of"));
    assert!(says(&mut sandbox, "executables := unknown_function(1)").is_err());
    assert!(says(&mut sandbox, "executables := wrong_name").is_err());
    assert!(says(&mut sandbox, "executables := ").is_err());
    assert!(sandbox.check("package other\nexecutables := 33").unwrap_err().contains("package policy"));
}

#[test]
fn without_a_worker_rules_fail() {
    for command in [vec![], vec!["/nowhere/worker".into()], vec!["/bin/true".into()]] {
        assert!(rule(&mut Sandbox::new(command), "package policy\nexecutables := 33").is_err());
    }
}

#[test]
fn the_example_in_the_documentation_says_what_it_says() {
    let text = include_str!("../../../docs/rules.md");
    let example = text.split("```rego\n").nth(1).unwrap().split("```").next().unwrap();
    let mut sandbox = sandbox();
    assert_eq!(sandbox.check(example).unwrap().says, ["executables", "hardware", "reasons"]);
    let ruling = rule(&mut sandbox, example).unwrap();
    assert_eq!(ruling.claims, [(Category::Executables, 32)]);
    assert_eq!(ruling.reasons, ["1.4.0 mends CVE-2026-1234"]);
}
