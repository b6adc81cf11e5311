//! The step of docs/ci.md, run as it stands there.

mod common;

use std::path::Path;

use common::{Desk, author_desk};

const PAGE: &str = include_str!("../../../docs/ci.md");

fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    PAGE.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// What a job begins with.
fn job() -> Desk {
    let desk = author_desk();
    let text = format!("{}{}", common::RECIPE, common::NEEDS);
    let text = text.replace("\"1.4.0\"", "\"@VERSION@\"").replace("sequence = 7", "sequence = @SEQUENCE@");
    desk.write("release.toml", text);
    std::fs::copy(desk.path("author.key.pub"), desk.path("author.pub")).expect("a copy");
    desk
}

/// Runs the step; its status.
fn step(desk: &Desk, sequence: &str, more: &[(&str, &str)]) -> Option<i32> {
    let [script] = blocks("sh").try_into().expect("one step");
    let binary = Path::new(env!("CARGO_BIN_EXE_sextant")).parent().expect("a folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script]).current_dir(desk.path(".")).env("PATH", path);
    command
        .env("VERSION", "1.5.0")
        .env("SEQUENCE", sequence)
        .env("SIGNING_KEY", "author.key")
        .env_remove("WIDER_NEEDS");
    more.iter().for_each(|(name, value)| {
        command.env(name, value);
    });
    command.output().expect("a shell").status.code()
}

#[test]
fn the_step_makes_a_release_that_is_believed() {
    let desk = job();
    assert_eq!(step(&desk, "41", &[]), Some(0));
    let told = desk.done("suit verify release.suit --key author.pub");
    assert!(told.contains("sequence number: 41") && told.contains("1.5.0"), "{told}");
    desk.done("suit verify for-gateways.suit --key author.pub --without-images");
    let sums = String::from_utf8(desk.read("SHA256SUMS")).expect("text");
    assert_eq!(sums.lines().count(), 2, "{sums}");
}

#[test]
fn the_step_ends_when_something_says_no() {
    let desk = job();
    assert_eq!(step(&desk, "41", &[("SIGNING_KEY", "other.key")]), Some(1), "the wrong key");
    assert_eq!(step(&desk, "41", &[]), Some(0));
    std::fs::copy(desk.path("release.suit"), desk.path("previous.suit")).expect("a copy");
    assert_eq!(step(&desk, "41", &[]), Some(1), "a number that was used");
    assert_eq!(step(&desk, "42", &[]), Some(0));
    let needs = String::from_utf8(desk.read("welcome-cam.json")).expect("JSON is text");
    desk.write("welcome-cam.json", needs.replace("443", "8443"));
    assert_eq!(step(&desk, "43", &[]), Some(1), "the network is asked for more");
    assert_eq!(step(&desk, "43", &[("WIDER_NEEDS", "approved")]), Some(0));
    std::fs::remove_file(desk.path("app.bin")).expect("it is there");
    assert_eq!(step(&desk, "44", &[]), Some(2), "there is no image");
}

#[test]
fn the_page_names_what_there_is() {
    let workflows = blocks("yaml");
    assert!(workflows.len() == 2 && workflows.iter().all(|text| text.contains("sh ci/release.sh")));
    for variable in ["VERSION", "SEQUENCE", "SIGNING_KEY", "SEXTANT_PKCS11_PIN"] {
        assert!(workflows[0].contains(variable), "{variable}");
    }
}
