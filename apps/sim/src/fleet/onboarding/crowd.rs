//! A bounded number of threads that do one thing for many.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::Error;

/// How often progress is told.
const LOOK: Duration = Duration::from_millis(100);

pub(super) struct Crowd<'c> {
    /// How many things are done at once.
    pub(super) threads: usize,
    /// Ends it early.
    pub(super) stop: &'c AtomicBool,
}

impl Crowd<'_> {
    /// Does `work` for each item, and gives what came of it in their order. `hear` is told now and then how many are done.
    /// An error of one ends it for all, and so does an interrupt.
    pub(super) fn each<I: Sync, T: Send>(
        &self,
        items: &[I],
        hear: &mut dyn FnMut(u64),
        work: impl Fn(&I) -> Result<T, Error> + Sync,
    ) -> Result<Vec<T>, Error> {
        let (next, done, ended) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let results: Vec<Mutex<Option<Result<T, Error>>>> = items.iter().map(|_| Mutex::new(None)).collect();
        let is_over = || ended.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed);
        let toil = || {
            while !is_over() {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let (Some(item), Some(place)) = (items.get(number), results.get(number)) else { break };
                let result = work(item);
                if result.is_err() {
                    ended.store(true, Ordering::Relaxed);
                }
                *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            let mut workers = Vec::new();
            for number in 0..self.threads.clamp(1, items.len().max(1)) {
                let worker = thread::Builder::new().name(format!("crowd-{number}")).spawn_scoped(scope, toil);
                workers.push(worker.map_err(|error| {
                    // The scope waits for those that began.
                    ended.store(true, Ordering::Relaxed);
                    Error::io("starting a thread")(error)
                })?);
            }
            while workers.iter().any(|worker| !worker.is_finished()) {
                thread::sleep(LOOK);
                hear(done.load(Ordering::Relaxed) as u64);
            }
            Ok(())
        })?;
        let results = results.into_iter().map(|one| one.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut all = Vec::with_capacity(items.len());
        let mut is_whole = true;
        for result in results {
            match result {
                Some(result) => all.push(result?),
                None => is_whole = false,
            }
        }
        if is_whole { Ok(all) } else { Err(Error::Interrupted) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once_and_comes_back_in_order_by_no_more_threads_than_may_be() {
        let (now, most, stop) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        let crowd = Crowd { threads: 3, stop: &stop };
        let items: Vec<usize> = (0..100).collect();
        let mut heard = 0;
        let done = crowd.each(&items, &mut |count| heard = count, |item| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            thread::yield_now();
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(item * 2)
        });
        assert_eq!(done.unwrap(), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(heard, 100);
        let none: Vec<u8> = crowd.each(&[], &mut |_| {}, |item: &u8| Ok(*item)).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn an_error_or_an_interrupt_ends_it_for_all() {
        let stop = AtomicBool::new(false);
        let crowd = Crowd { threads: 2, stop: &stop };
        let items: Vec<usize> = (0..10_000).collect();
        let began = AtomicUsize::new(0);
        let failed = crowd.each(&items, &mut |_| {}, |item| {
            began.fetch_add(1, Ordering::Relaxed);
            if *item == 3 { Err(Error::object("the fourth")("it does not work")) } else { Ok(()) }
        });
        assert_eq!(failed.unwrap_err().chain(), "the fourth: it does not work");
        assert!(began.load(Ordering::Relaxed) < items.len());
        let stopped = crowd.each(&items, &mut |_| {}, |item| {
            stop.store(*item == 5, Ordering::Relaxed);
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        assert!(stopped.is_ok() || matches!(stopped, Err(Error::Interrupted)));
        assert!(matches!(crowd.each(&items, &mut |_| {}, |_| Ok(())), Err(Error::Interrupted)));
    }
}
