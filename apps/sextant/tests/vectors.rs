//! Every vector through `inspect`: what is understood is shown, what is not is a failure that says so, and never a panic.

#![allow(clippy::print_stderr, reason = "how many vectors were inspected is said aloud")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use common::Desk;

const AREAS: [&str; 8] = ["suit", "coswid", "rats", "mud", "corim", "fdo", "lwm2m", "teep"];

#[test]
fn inspects_every_vector_without_a_panic() {
    let mut files = Vec::new();
    for area in AREAS {
        if let Some(folder) = testkit::vectors(area) {
            collect(&folder.canonicalize().expect("the folder exists"), &mut files);
        }
    }
    let (desk, mut shown, mut refused) = (Desk::new(), 0, 0);
    let halves: Vec<&[PathBuf]> = files.chunks(files.len().div_ceil(2).max(1)).collect();
    let counts: Vec<(usize, usize)> = thread::scope(|scope| {
        let workers: Vec<_> = halves.iter().map(|half| scope.spawn(|| inspect_all(&desk, half))).collect();
        workers.into_iter().map(|worker| worker.join().expect("no vector fails")).collect()
    });
    for (yes, no) in counts {
        shown += yes;
        refused += no;
    }
    eprintln!("inspected {} vectors: {shown} shown, {refused} not understood", files.len());
    assert!(files.is_empty() || shown > refused, "most vectors are objects of supported kinds");
}

fn inspect_all(desk: &Desk, files: &[PathBuf]) -> (usize, usize) {
    let (mut shown, mut refused) = (0, 0);
    for file in files {
        let output = desk.command([Path::new("inspect"), file]).output().expect("the binary runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => shown += 1,
            Some(2) if stderr.starts_with("error: ") => refused += 1,
            status => panic!("{}: {status:?}\n{stderr}", file.display()),
        }
    }
    (shown, refused)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a readable folder");
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
    files.sort();
}
