//! Runs the real binary in a folder of its own, and compares what it prints with files.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod up;

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crypto::{SignatureAlgorithm, SigningKey};

/// What a run of the binary gave.
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A folder with files for one test; it goes away with the test.
pub(crate) struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path(name), bytes).expect("a file of the test");
        self
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A key that is the same in every run, so that its name is too.
    pub(crate) fn key(&self, name: &str, seed: u8) -> &Self {
        let key = cose::Key::from_secret(fixed_key(seed));
        self.write(name, key.encode_secret().expect("a private key"));
        self.write(&format!("{name}.pub"), key.encode())
    }

    /// Copies a file of `tests/data`.
    pub(crate) fn data(&self, name: &str) -> &Self {
        let bytes =
            fs::read(Path::new("tests/data").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        self.write(name, bytes)
    }

    /// Runs a command line, split at spaces; `'…'` keeps spaces together.
    pub(crate) fn run(&self, line: &str) -> Run {
        self.run_with_input(line, &[])
    }

    pub(crate) fn run_with_input(&self, line: &str, input: &[u8]) -> Run {
        self.run_words(split(line), input)
    }

    fn run_words(&self, words: Vec<String>, input: &[u8]) -> Run {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        // A command that does not read its input closes it, and that is its right.
        let _ = stdin.write_all(input);
        drop(stdin);
        let Output { status, stdout, stderr } = child.wait_with_output().expect("the binary ends");
        Run {
            status: status.code().expect("the binary is not killed by a signal"),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sextant"));
        command.args(words).current_dir(self.folder.path());
        for variable in ["SEXTANT_SERVER", "SEXTANT_CA", "SEXTANT_TOKEN"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs a command line that must succeed.
    pub(crate) fn done(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.status, 0, "{line}\n{}{}", run.stdout, run.stderr);
        run.stdout
    }

    /// Runs a command line whose answer must be no, for this reason.
    pub(crate) fn refused(&self, line: &str, code: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.status, 1, "{line}\n{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains(&format!("[{code}]")), "{line}: expected {code}\n{}", run.stdout);
        run.stdout
    }

    /// Runs a command line that must fail, saying this.
    pub(crate) fn failed(&self, line: &str, words: &str) -> String {
        let run = self.run(line);
        assert_eq!(run.status, 2, "{line}\n{}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains(words), "{line}: expected `{words}`\n{}", run.stderr);
        assert!(run.stdout.is_empty(), "{line} writes data although it failed:\n{}", run.stdout);
        run.stderr
    }

    /// Compares text with a file of `tests/golden`; with SEXTANT_BLESS set, writes the file instead.
    pub(crate) fn golden(&self, name: &str, text: &str) {
        let path = Path::new("tests/golden").join(name);
        let text = text.replace(&format!("{}/", self.folder.path().display()), "");
        if std::env::var_os("SEXTANT_BLESS").is_some() {
            fs::write(&path, text).expect("a golden file");
            return;
        }
        let expected =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text, expected, "{} differs; SEXTANT_BLESS=1 writes it", path.display());
    }
}

/// A private key that is the same in every run.
pub(crate) fn fixed_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(SignatureAlgorithm::Es256, &[seed; 32]).expect("a scalar in range")
}

fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The recipe of a small release without network needs.
pub(crate) const RECIPE: &str = r#"
[release]
vendor = "northlight.example"
class = "welcome-cam"
version = "1.4.0"
sequence = 7
sever = ["coswid", "text"]

[[component]]
id = "app"
image = "app.bin"
invoke = true

[text]
description = "Keeps the time in spring"
vendor = "Northlight"
model = "Welcome Cam"
"#;

/// The network needs of a release, to be added to a recipe.
pub(crate) const NEEDS: &str = r#"
[mud]
file = "welcome-cam.json"
key = "mud.key"
certificate = "mud.pem"
chain = ["ca.pem"]
"#;

/// A desk with keys, images and a recipe with network needs: what an author starts from.
pub(crate) fn author_desk() -> Desk {
    let desk = Desk::new();
    desk.key("author.key", 1).key("operator.key", 2).key("mud.key", 3).key("ca.key", 4).key("other.key", 5);
    desk.data("welcome-cam.json");
    desk.write("app.bin", b"an image of the welcome cam");
    desk.write("recipe.toml", format!("{RECIPE}{NEEDS}")).write("plain.toml", RECIPE);
    desk.done("cert new-ca --key ca.key --subject 'O=Northlight, CN=Northlight CA' -o ca.pem");
    desk.done(
        "cert new-mud-signer --ca ca.pem --ca-key ca.key --key mud.key.pub --subject 'O=Northlight, CN=MUD signer' -o mud.pem",
    );
    desk
}
