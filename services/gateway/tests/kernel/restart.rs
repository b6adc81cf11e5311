//! What is left when the program ends, and what it makes of it when it returns.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use gateway::{Binding, Enforcer, Event, PolicyId, Program, Wanted};
use mud::Protocol;

use crate::lab::{ANSWER, Lab, SILENCE, UPDATE_ONLY, at, binding, id, marks, program, reach};

/// How often the program is killed in the middle of its changes; twenty times without it.
const KILLS: &str = "SEXTANT_TEST_KILLS";
/// Names the namespace in which a copy of this program is to flap a device between two policies for ever.
const FLAP: &str = "SEXTANT_TEST_FLAP";

fn first() -> Program {
    program(vec![reach("203.0.113.10", Protocol::Tcp, 443)])
}

fn second() -> Program {
    program(vec![reach("203.0.113.11", Protocol::Tcp, 443), reach("203.0.113.12", Protocol::Udp, 1)])
}

fn wanted() -> (Wanted, PolicyId) {
    let policy = PolicyId::staged(16).unwrap();
    let wanted = Wanted {
        policies: [(policy, first())].into(),
        devices: vec![(binding(0), policy), (binding(1), UPDATE_ONLY)],
        ..Wanted::default()
    };
    (wanted, policy)
}

#[test]
fn rules_outlive_the_program_and_a_return_leaves_them_alone() {
    let Some(lab) = Lab::new(2) else { return };
    let _servers: Vec<_> =
        ["203.0.113.10", "203.0.113.11"].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (enforcer, _events) = lab.open(wanted().0);
        drop(enforcer);
        assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER));
        assert!(!lab.devices[0].tcp(at("203.0.113.11", 443), SILENCE));

        let generation = || {
            String::from_utf8(
                lab.gw.output("nft", &["-a", "list", "table", "inet", "sextant"]).unwrap().stdout,
            )
            .unwrap()
        };
        let before = generation();
        let (_enforcer, events) = lab.open(wanted().0);
        assert!(events.try_iter().all(|event| !matches!(event, Event::Rebuilt { .. })));
        let handles = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| line.contains("# handle") && !line.contains("counter"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(handles(&generation()), handles(&before), "nothing was made anew");
    });
}

#[test]
fn a_return_applies_what_changed_meanwhile() {
    let Some(lab) = Lab::new(2) else { return };
    let _servers: Vec<_> =
        ["203.0.113.10", "203.0.113.11"].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        drop(lab.open(wanted().0));
        let mut stream = lab.devices[0].connect(at("203.0.113.10", 443), ANSWER).unwrap();
        let (mut changed, policy) = wanted();
        changed.policies.insert(policy, second());
        changed.devices = vec![(binding(0), policy)];
        let (mut enforcer, events) = lab.open(changed);
        assert!(events.try_iter().all(|event| !matches!(event, Event::Rebuilt { .. })));
        assert!(lab.devices[0].tcp(at("203.0.113.11", 443), ANSWER));
        assert!(!lab.devices[0].tcp(at("203.0.113.10", 443), SILENCE));
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        stream.write_all(b"x").unwrap();
        assert!(stream.read(&mut [0; 1]).is_err(), "what was open by the old policy is cut");
        assert_eq!(marks(&lab.gw).len(), 6, "the second device is gone from all maps");
        assert_ne!(enforcer.stage(first()).unwrap(), policy, "numbers are not given twice");
        enforcer.reconcile().unwrap();
    });
}

#[test]
fn a_return_cuts_what_died_with_the_program_between_commit_and_cut() {
    let Some(lab) = Lab::new(2) else { return };
    let _servers: Vec<_> = ["203.0.113.10"].map(|host| lab.wan.echo(at(host, 443)).unwrap()).into();
    lab.gw.enter(|| {
        let (mut wanted, _policy) = wanted();
        drop(lab.open(wanted));
        let mut stream = lab.devices[0].connect(at("203.0.113.10", 443), ANSWER).unwrap();
        // The commit that moves the device, as the kernel would hold it, and nothing after it.
        let Binding { mac, addresses, .. } = binding(0);
        let mut commands = String::new();
        for address in addresses {
            let family = if address.is_ipv4() { 4 } else { 6 };
            for element in
                [format!("dev_from{family} {{ {mac} . {address}"), format!("dev_to{family} {{ {address}")]
            {
                commands += &format!("delete element inet sextant {element} }}\n");
                commands += &format!("add element inet sextant {element} : {:#x} }}\n", UPDATE_ONLY.number());
            }
        }
        let file = std::env::temp_dir().join(format!("sextant-{}.nft", std::process::id()));
        std::fs::write(&file, commands).unwrap();
        let output = lab.gw.output("nft", &["-f", file.to_str().unwrap()]).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        stream.set_read_timeout(Some(ANSWER)).unwrap();
        stream.write_all(b"x").unwrap();
        assert!(stream.read(&mut [0; 1]).is_ok(), "established flows outlive the commit");

        (wanted, _) = self::wanted();
        wanted.devices = vec![(binding(0), UPDATE_ONLY), (binding(1), UPDATE_ONLY)];
        let (_enforcer, events) = lab.open(wanted);
        assert!(events.try_iter().all(|event| !matches!(event, Event::Rebuilt { .. })));
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        stream.write_all(b"x").unwrap();
        assert!(stream.read(&mut [0; 1]).is_err(), "the return cuts it");
    });
}

#[test]
fn interference_is_undone_in_one_transaction() {
    let Some(lab) = Lab::new(2) else { return };
    let _server = lab.wan.echo(at("203.0.113.10", 443)).unwrap();
    lab.gw.enter(|| {
        let (mut enforcer, events) = lab.open(wanted().0);
        let _opening = events.try_iter().count();
        let policy = wanted().1;
        for interference in [
            "flush map inet sextant dev_to4",
            "delete table inet sextant",
            "flush map inet sextant dev_from4 ; flush map inet sextant dev_to4 ; flush map inet sextant dev_from6",
        ] {
            let done = lab.gw.output("nft", &[interference]).unwrap();
            assert!(done.status.success(), "{interference}: {}", String::from_utf8_lossy(&done.stderr));
            enforcer.assign(&[(id(0), UPDATE_ONLY)]).unwrap();
            assert!(events.try_iter().any(|event| matches!(event, Event::Rebuilt { .. })), "{interference}");
            enforcer.assign(&[(id(0), policy)]).unwrap();
            assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER));
            assert_eq!(marks(&lab.gw).len(), 12);
        }
        // Without an operation of ours, the periodic comparison finds it.
        lab.gw.output("nft", &["flush map inet sextant dev_from4"]).unwrap();
        assert!(!lab.devices[0].tcp(at("203.0.113.10", 443), SILENCE));
        enforcer.reconcile().unwrap();
        assert!(lab.devices[0].tcp(at("203.0.113.10", 443), ANSWER));
        assert!(enforcer.status().certain && enforcer.status().bridge_locked);
    });
}

#[test]
fn an_nft_that_dies_is_replaced() {
    let Some(lab) = Lab::new(2) else { return };
    lab.gw.enter(|| {
        let (mut enforcer, events) = lab.open(wanted().0);
        enforcer.assign(&[(id(0), UPDATE_ONLY)]).unwrap();
        let _before = events.try_iter().count();
        // Children of this thread: the one that the enforcer keeps.
        let children = std::fs::read_to_string("/proc/thread-self/children").unwrap();
        let [child] = children.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{children:?}") };
        assert!(Command::new("kill").args(["-9", child]).status().unwrap().success());
        enforcer.assign(&[(id(0), wanted().1)]).unwrap();
        assert!(events.try_iter().any(|event| matches!(event, Event::Rebuilt { .. })));
        let marks = marks(&lab.gw);
        assert!(
            marks.iter().filter(|(_, _, mark)| *mark == u64::from(wanted().1.number())).count() == 6,
            "{marks:?}"
        );
        assert!(enforcer.status().certain);
    });
}

#[test]
fn killed_at_any_moment_the_rules_are_the_old_or_the_new() {
    let Some(lab) = Lab::new(2) else { return };
    let this = std::env::current_exe().unwrap();
    let kills = std::env::var(KILLS).map_or(20, |count| count.parse().unwrap());
    for round in 0..kills {
        let mut child = Command::new("ip")
            .args(["netns", "exec", lab.gw.name()])
            .arg(&this)
            .args(["--exact", "restart::flapping_program", "--nocapture"])
            .env(FLAP, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Another number of changes each time, so that the end comes at another point.
        let changes = 2 + round % 20;
        let seen = lines
            .by_ref()
            .map_while(Result::ok)
            .filter(|line| line.contains("changed"))
            .take(changes)
            .count();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(seen, changes);
        let marks = marks(&lab.gw);
        assert_eq!(marks.len(), 12, "{marks:?}");
        for (address, index) in [("\"10.77.0.11\"", 0), ("2001:db8:77::12", 1)] {
            let of_one: Vec<u64> = marks
                .iter()
                .filter(|(_, key, _)| key.contains(address.trim_matches('"')))
                .map(|(_, _, mark)| *mark)
                .collect();
            assert_eq!(of_one.len(), 2, "device {index}");
            assert_eq!(of_one[0], of_one[1], "both maps of device {index} say the same");
        }
        let all: std::collections::BTreeSet<u64> = marks.iter().map(|(_, _, mark)| *mark).collect();
        assert_eq!(all.len(), 1, "both devices moved in one transaction: {marks:?}");
    }
    lab.gw.enter(|| {
        let (_enforcer, events) = lab.open(wanted().0);
        assert!(events.try_iter().all(|event| !matches!(event, Event::Rebuilt { .. })));
    });
}

/// Not a test by itself: what the one above kills.
#[test]
#[allow(clippy::print_stdout, reason = "the parent counts lines")]
fn flapping_program() {
    if std::env::var_os(FLAP).is_none() {
        return;
    }
    let (sender, _events) = channel();
    let (mut wanted, policy) = wanted();
    wanted.devices = vec![(binding(0), policy), (binding(1), policy)];
    let mut site = gateway::Site::new("lan0").unwrap();
    site.own =
        vec!["10.77.0.1".parse().unwrap(), "2001:db8:77::1".parse().unwrap(), "fe80::1".parse().unwrap()];
    site.ports = ["p0", "p1"].map(|port| gateway::Interface::new(port).unwrap()).into();
    let mut enforcer = Enforcer::open(site, wanted, std::sync::Arc::new(sender)).unwrap();
    let other = enforcer.stage(second()).unwrap();
    for round in 0u64.. {
        let to = if round % 2 == 0 { other } else { policy };
        enforcer.assign(&[(id(0), to), (id(1), to)]).unwrap();
        println!("changed");
    }
}
