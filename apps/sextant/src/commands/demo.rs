use std::{env, sync::atomic::Ordering, thread, time::Duration};

use clap::Args;
use sim::story::{self, Programs, Step};

use crate::{
    failure::{Answer, Failure},
    interrupt,
    printer::Printer,
};

/// Tell the whole story on this machine: virtual networks, real programs, the real packet filter.
///
/// Each step is checked from packets that arrive or do not, and from signed objects. Without --exit everything goes on
/// afterwards, for looking around, until it is interrupted.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// End after the story; the status says whether every step held
    #[arg(long)]
    exit: bool,
    /// How many devices there are
    #[arg(long, value_name = "N", default_value_t = story::MIN_DEVICES)]
    devices: usize,
}

pub(crate) fn run(command: Demo, printer: &Printer) -> Result<Answer, Failure> {
    let failed = |error: &dyn std::error::Error| Failure::new("the story cannot be told").because(error);
    let stop = interrupt::raised_by_signals().map_err(|error| failed(&error))?;
    let mut hear = |step: &Step| {
        if !printer.is_json() {
            printer.data(describe(step).as_bytes());
        }
    };
    if !sim::netns::is_possible() {
        printer.warning(
            "virtual networks need root, ip, bridge and nft: the story is told in this process instead",
        );
        printer.warning(
            "MUD's packet oracle stands for the kernel; no process, socket or packet filter is tried",
        );
        let steps = story::imagine(&mut hear).map_err(|error| failed(&error))?;
        show_all(&steps, printer)?;
        return Ok(steps.iter().all(|step| step.held).into());
    }
    let programs = env::current_exe().map_err(|error| failed(&error))?;
    let programs = Programs::beside(&programs).map_err(|error| failed(&error))?;
    let told = story::tell(&programs, command.devices, &stop, &mut hear).map_err(|error| failed(&error))?;
    show_all(&told.steps, printer)?;
    if !command.exit {
        printer.note(format_args!("everything goes on: {}", told.page()));
        printer.note("interrupt to end it");
        while !stop.load(Ordering::Relaxed) {
            thread::sleep(POLL);
        }
    }
    Ok(told.held().into())
}

/// All steps at once, for programs.
fn show_all(steps: &[Step], printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        let text = serde_json::to_vec_pretty(steps);
        let mut text = text.map_err(|error| Failure::new("the steps cannot be written").because(&error))?;
        text.push(b'\n');
        printer.data(&text);
    }
    Ok(())
}

/// How soon an interrupt is noticed.
const POLL: Duration = Duration::from_millis(100);

/// A step in one line, and a line for each check.
fn describe(step: &Step) -> String {
    let word = |held: bool| if held { "held" } else { "BROKEN" };
    let mut text = format!("{} {} ({}, {} ms)\n", step.step, step.title, word(step.held), step.millis);
    for check in &step.checks {
        let mark = if check.held { ' ' } else { '!' };
        text.push_str(&format!(
            "  {mark} {}: {}\n",
            check.claim,
            check.observed.trim().replace('\n', "\n      ")
        ));
    }
    text
}
