//! Runs rules for whoever holds the other ends of its pipes.

fn main() -> std::io::Result<()> {
    sextant_rules::work(std::io::stdin().lock(), std::io::stdout().lock())
}
