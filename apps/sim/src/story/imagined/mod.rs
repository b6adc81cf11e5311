//! The same ten steps without a kernel: devices in memory, and MUD's packet oracle in place of the packet filter.
//!
//! The signed objects and whoever makes, verifies and decides are the real ones. What is not tried here are processes,
//! sockets and the kernel's rules.

mod attacks;
mod onboarding;
mod steps;
mod world;

use std::time::Instant;

use self::world::World;
use super::{Script, Step, steps::STEPS};
use crate::Error;

type Tell = fn(&mut World, &mut Script) -> Result<(), Error>;

/// How each step goes, in the order of [`STEPS`].
const TOLD: [Tell; 10] = [
    onboarding::make,
    steps::join,
    steps::attest,
    steps::update,
    steps::tamper,
    steps::repair,
    steps::revoke,
    steps::override_flow,
    steps::violate,
    attacks::attack,
];

/// Tells the story in this process; `hear` is told each step when it is over. Needs no rights and no programs.
pub fn imagine(hear: &mut dyn FnMut(&Step)) -> Result<Vec<Step>, Error> {
    let mut world = World::new()?;
    let mut told = Vec::new();
    for (number, ((title, _), tell)) in (1..).zip(STEPS.iter().zip(TOLD)) {
        let begun = Instant::now();
        let mut script = Script(Vec::new());
        if let Err(error) = tell(&mut world, &mut script) {
            script.check("the step can be carried out", false, error.chain());
        }
        let step = script.finish(number, title, begun);
        hear(&step);
        told.push(step);
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_holds_without_a_kernel() {
        let steps = imagine(&mut |_| {}).unwrap();
        assert_eq!(steps.len(), 10);
        for step in steps {
            let broken: Vec<_> = step.checks.iter().filter(|check| !check.held).collect();
            assert!(step.held && broken.is_empty(), "{}: {broken:#?}", step.title);
        }
    }
}
