//! The register of threats names tests; each must exist, and each threat must have some.

use std::path::Path;

/// Rows of the register: every number up to these must be there, but for those of protocols that are not here yet.
const CHAPTERS: [(char, usize); 3] = [('U', 21), ('N', 20), ('O', 12)];
/// A bootstrap server of LwM2M that is another's.
const NOT_YET: [(char, usize); 1] = [('O', 9)];

#[test]
fn every_threat_is_held_by_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let register = std::fs::read_to_string(root.join("docs/threats.md")).expect("docs/threats.md");
    let mut faults = Vec::new();
    let mut threats: Vec<(String, usize)> = Vec::new();
    let (mut file, mut source) = (String::new(), String::new());
    for line in register.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            threats.push((title.split(' ').next().unwrap_or_default().to_owned(), 0));
            source.clear();
        }
        // Names in backticks: a path begins an item, and the tests in it follow, over several lines at need.
        if !line.starts_with("- `") && !line.starts_with("  `") {
            continue;
        }
        for name in line.split('`').skip(1).step_by(2) {
            if name.contains('/') {
                name.clone_into(&mut file);
                source = std::fs::read_to_string(root.join(name)).unwrap_or_default();
            } else if source.contains(&format!("fn {name}(")) {
                threats.last_mut().expect("a threat before its tests").1 += 1;
            } else {
                faults.push(format!("{file} has no test {name}"));
            }
        }
    }
    for (letter, count) in CHAPTERS {
        for number in (1..=count).filter(|number| !NOT_YET.contains(&(letter, *number))) {
            let name = format!("{letter}{number}");
            let held = threats.iter().filter(|(threat, tests)| *threat == name && *tests > 0).count();
            if held != 1 {
                faults.push(format!("{name} is not held by tests, or is there twice"));
            }
        }
    }
    assert!(faults.is_empty(), "docs/threats.md: {}", faults.join("\n"));
}
