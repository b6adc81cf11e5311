//! A rotation of authorities over real binaries on loopback: the roots change the list, the server relays it, the device obeys
//! the new author and no longer the old one. Needs the binaries of the workspace beside this test, and no root.

mod loopback;

use std::fs;

use loopback::{Bench, wait_until};

#[test]
fn roots_replace_an_author_and_the_fleet_follows_them_and_not_the_server() {
    let bench = Bench::start();
    for name in ["alice", "bob", "old", "new", "stranger"] {
        bench.done(&format!("key new --alg ES256 -o {name}.key"));
    }
    bench.done("authority new --roots 2 -o first.cbor");
    for (key, role) in [("alice", "root"), ("bob", "root"), ("old", "author")] {
        bench.done(&format!("authority add first.cbor --key {key}.key --role {role} --name {key}"));
    }
    bench.done("authority publish first.cbor");

    bench.make_device("first.cbor", &[]);

    let first = bench.release(1, "old");
    let agent = bench.run_agent();
    bench.roll_out(&first);
    wait_until("the first release", || bench.status()["sequence"] == 1);

    // The roots sign apart; the server cannot make a change of its own, nor can the author.
    fs::copy(bench.path("first.cbor"), bench.path("second.cbor")).expect("a copy");
    bench.done("authority remove second.cbor --name old");
    bench.done("authority add second.cbor --key new.key --role author --name new");
    bench.done("authority update new --from first.cbor --to second.cbor -o change");
    for name in ["alice", "bob", "old"] {
        bench.done(&format!("authority update sign change --key {name}.key -o by-{name}"));
    }
    bench.refused("authority update publish by-alice", "authority-root-signatures-missing");
    bench.done("authority update merge by-alice by-old -o by-both");
    bench.refused("authority update publish by-both", "authority-not-root");
    assert_eq!(bench.status()["authorities_version"], 1);
    bench.done("authority update merge by-alice by-bob -o signed");
    bench.done("authority update verify signed --authorities first.cbor -o after.cbor");
    bench.done("authority update publish signed");
    wait_until("the new list on the device", || bench.status()["authorities_version"] == 2);

    // The old author is refused by the server, and by the device itself.
    let by_old = bench.release(2, "old");
    bench.refused(&format!("release publish {by_old}"), "unknown-signer");
    drop(agent);
    let refused = bench.agent(&["install", &by_old]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("unknown-signer"), "{told}");

    // After a restart the device does not start what the old author signed, and takes what the new one did.
    let _agent = bench.run_agent();
    let by_new = bench.release(3, "new");
    bench.roll_out(&by_new);
    wait_until("the release of the new author", || {
        let status = bench.status();
        status["sequence"] == 3 && status["running"]["sequence"] == 3 && status["authorities_version"] == 2
    });
}
