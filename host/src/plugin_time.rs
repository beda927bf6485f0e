//! Where a thread's time goes beside forward and backward passes: into calls of plugins and into graphs of subnets.
//!
//! At any moment the time goes to one component, the innermost that is being called, so that none is counted twice. What
//! the host does for a component within a call is the component's, but for the optimizer's arithmetic on tensors.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The manifest's tables of components.
const TABLES: [&str; 6] = ["space", "sampler", "state", "scheduler", "optimizer", "search"];

/// Time that was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    plugins: [Duration; TABLES.len()],
    arithmetic: Duration,
    graphs: Duration,
}

/// Who the time goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    Nobody,
    Plugin(usize),
    Arithmetic,
}

#[derive(Clone, Copy)]
struct Clock {
    spent: Spent,
    account: Account,
    /// Since when.
    since: Option<Instant>,
    in_graphs: bool,
}

thread_local! {
    static CLOCK: Cell<Clock> = const {
        let nothing = Duration::ZERO;
        let spent = Spent { plugins: [nothing; TABLES.len()], arithmetic: nothing, graphs: nothing };
        Cell::new(Clock { spent, account: Account::Nobody, since: None, in_graphs: false })
    };
}

/// Puts the account back that was before.
struct Back(Account);

impl Drop for Back {
    fn drop(&mut self) {
        switch(self.0);
    }
}

/// A call of the component of a table.
pub(crate) fn in_plugin<T>(table: &str, call: impl FnOnce() -> T) -> T {
    let index = TABLES.iter().position(|known| *known == table);
    let _back = Back(switch(index.map_or(Account::Nobody, Account::Plugin)));
    call()
}

/// Arithmetic on tensors that a component asks for within a call.
pub(crate) fn in_arithmetic<T>(call: impl FnOnce() -> T) -> T {
    let _back = Back(switch(Account::Arithmetic));
    call()
}

/// Describing a subnet, checking it, or a pass over its graph. Calls of the space in it count here, too.
pub(crate) fn in_graphs<T>(call: impl FnOnce() -> T) -> T {
    struct Leave(Instant);
    impl Drop for Leave {
        fn drop(&mut self) {
            change(|clock| {
                clock.spent.graphs += self.0.elapsed();
                clock.in_graphs = false;
            });
        }
    }
    if CLOCK.get().in_graphs {
        return call();
    }
    change(|clock| clock.in_graphs = true);
    let _leave = Leave(Instant::now());
    call()
}

/// What this thread spent until now.
pub(crate) fn spent() -> Spent {
    CLOCK.get().spent
}

impl Spent {
    /// What was spent after an earlier moment.
    pub(crate) fn since(mut self, earlier: Self) -> Self {
        for (now, before) in self.plugins.iter_mut().zip(earlier.plugins) {
            *now -= before;
        }
        self.arithmetic -= earlier.arithmetic;
        self.graphs -= earlier.graphs;
        self
    }

    /// Seconds in calls of plugins, by table, of those that were called.
    pub fn plugins(&self) -> BTreeMap<&'static str, f64> {
        let seconds = TABLES.into_iter().zip(self.plugins.map(|spent| spent.as_secs_f64()));
        seconds.filter(|(_, seconds)| *seconds > 0.0).collect()
    }

    /// Seconds of the optimizer's arithmetic.
    pub fn arithmetic(&self) -> f64 {
        self.arithmetic.as_secs_f64()
    }

    /// Seconds on graphs of subnets, calls of the space included.
    pub fn graphs(&self) -> f64 {
        self.graphs.as_secs_f64()
    }
}

/// Lets the time go to another account; returns the one before.
fn switch(account: Account) -> Account {
    let now = Instant::now();
    change(|clock| {
        let passed = clock.since.map_or(Duration::ZERO, |since| now - since);
        match clock.account {
            Account::Nobody => {}
            Account::Plugin(index) => clock.spent.plugins[index] += passed,
            Account::Arithmetic => clock.spent.arithmetic += passed,
        }
        clock.since = Some(now);
        std::mem::replace(&mut clock.account, account)
    })
}

fn change<T>(change: impl FnOnce(&mut Clock) -> T) -> T {
    let mut clock = CLOCK.get();
    let result = change(&mut clock);
    CLOCK.set(clock);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait() {
        std::thread::sleep(Duration::from_millis(5));
    }

    #[test]
    fn time_goes_to_the_innermost_call_alone() {
        let before = spent();
        let begun = Instant::now();
        in_plugin("sampler", || {
            wait();
            in_plugin("space", wait);
        });
        in_plugin("optimizer", || in_arithmetic(wait));
        let (passed, spent) = (begun.elapsed().as_secs_f64(), spent().since(before));
        let plugins = spent.plugins();
        assert_eq!(plugins.keys().copied().collect::<Vec<_>>(), ["optimizer", "sampler", "space"]);
        assert!(plugins["sampler"] >= 0.005 && plugins["space"] >= 0.005 && spent.arithmetic() >= 0.005);
        assert!(plugins.values().sum::<f64>() + spent.arithmetic() <= passed);
    }

    #[test]
    fn graphs_within_graphs_count_once_and_a_panic_ends_its_account() {
        let before = spent();
        let begun = Instant::now();
        in_graphs(|| in_graphs(wait));
        assert!(spent().since(before).graphs() <= begun.elapsed().as_secs_f64());
        let panicked = std::panic::catch_unwind(|| in_graphs(|| in_plugin("space", || panic!("on purpose"))));
        assert!(panicked.is_err());
        let after = spent();
        wait();
        in_graphs(|| ());
        assert_eq!(spent().since(after).plugins(), BTreeMap::new());
    }
}
