//! Runs rules for the server under test.

fn main() -> std::io::Result<()> {
    rules::work(std::io::stdin().lock(), std::io::stdout().lock())
}
