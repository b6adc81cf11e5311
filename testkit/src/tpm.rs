//! A TPM 2.0 in software (`swtpm`), driven by `tpm2-tools`.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::skipped;

/// A TPM of its own for one test, on a socket in a folder that goes with it.
#[derive(Debug)]
pub struct Tpm {
    server: Child,
    folder: tempfile::TempDir,
}

impl Tpm {
    /// Starts one, or says aloud that it cannot be had.
    pub fn start() -> Option<Self> {
        for program in ["swtpm", "tpm2_quote"] {
            let found =
                Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if found.is_err() {
                skipped(format_args!("no `{program}` to make quotes with (make setup installs it)"));
                return None;
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::create_dir(path("state")).expect("a folder for the state");
        let server = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .args(["--tpmstate", &format!("dir={}", path("state"))])
            .args(["--server", &format!("type=unixio,path={}", path("tpm"))])
            .args(["--ctrl", &format!("type=unixio,path={}", path("tpm.ctrl"))])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm starts");
        let tpm = Self { server, folder };
        while !tpm.path("tpm").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(tpm)
    }

    /// Where it is, as its users are told.
    pub fn address(&self) -> String {
        format!("swtpm:path={}", self.socket().display())
    }

    /// The socket that it listens on.
    pub fn socket(&self) -> PathBuf {
        self.path("tpm")
    }

    /// Runs a tool against the TPM in the TPM's folder, and drops what it left in the TPM's memory.
    pub fn run(&self, tool: &str, arguments: &str) {
        self.tool(tool, arguments);
        self.tool("tpm2_flushcontext", "-t");
    }

    /// A file that a tool wrote.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// A file for a tool.
    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap_or_else(|e| panic!("{name}: {e}"));
    }

    /// Runs a tool that must fail, and gives what it said.
    pub fn fails(&self, tool: &str, arguments: &str) -> String {
        let (is_done, said) = self.try_tool(tool, arguments);
        assert!(!is_done, "{tool} {arguments}");
        self.tool("tpm2_flushcontext", "-t");
        said
    }

    /// Makes an attestation key: the context `NAME.ctx` for tools, its public area `NAME.pub`, its name `NAME.name`, its
    /// qualified name `NAME.qname` and its public key in PEM, `NAME.pem`.
    pub fn attestation_key(&self, name: &str, algorithm: &str, scheme: &str) {
        self.run("tpm2_createek", &format!("-c ek.ctx -G {algorithm} -u ek.pub"));
        self.run(
            "tpm2_createak",
            &format!(
                "-C ek.ctx -c {name}.ctx -G {algorithm} -g sha256 -s {scheme} -f tss -u {name}.pub -n {name}.name \
                 -q {name}.qname"
            ),
        );
        self.run("tpm2_readpublic", &format!("-c {name}.ctx -f pem -o {name}.pem"));
    }

    /// Quotes PCRs (`sha256:0,4,7`) with a key made before: `quote` is the TPMS_ATTEST, `quote.sig` the TPMT_SIGNATURE,
    /// `quote.pcrs` the values.
    pub fn quote(&self, name: &str, nonce: &[u8], pcrs: &str, scheme: &str) {
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        self.run(
            "tpm2_quote",
            &format!(
                "-c {name}.ctx -l {pcrs} -q {nonce} -g sha256 --scheme {scheme} -m quote -s quote.sig \
                 -o quote.pcrs -F values"
            ),
        );
    }

    /// The values of PCRs (`sha256:0,4,7`), one after the other.
    pub fn values(&self, pcrs: &str) -> Vec<u8> {
        self.run("tpm2_pcrread", &format!("{pcrs} -o pcrs"));
        self.read("pcrs")
    }

    /// Extends a PCR by a digest in hexadecimal digits.
    pub fn extend(&self, pcr: u8, sha256: &str) {
        self.run("tpm2_pcrextend", &format!("{pcr}:sha256={sha256}"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, tool: &str, arguments: &str) {
        let (is_done, said) = self.try_tool(tool, arguments);
        assert!(is_done, "{tool} {arguments}: {said}");
    }

    fn try_tool(&self, tool: &str, arguments: &str) -> (bool, String) {
        let output = Command::new(tool)
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env("TPM2TOOLS_TCTI", self.address())
            .output()
            .unwrap_or_else(|e| panic!("{tool}: {e}"));
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.server.kill().expect("swtpm is ours to end");
        self.server.wait().expect("swtpm ended");
    }
}
