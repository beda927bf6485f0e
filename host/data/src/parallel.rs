//! Work shared out to threads, the results in the order of the items.

use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

/// What `work` makes of each item, on at most `threads` threads, this one among them; each thread keeps
/// one `S` from item to item. Where the system refuses threads there are fewer.
pub(crate) fn each<I, S: Default, T: Send>(
    threads: usize,
    items: impl Iterator<Item = I> + Send,
    work: impl Fn(I, &mut S) -> T + Sync,
) -> Vec<T> {
    let queue = Mutex::new(items.enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || {
        let mut kept = S::default();
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, work(item, &mut kept)));
        }
        done
    };
    let mut done = scope(|scope| {
        let start = || Builder::new().name("nshot-decode".to_owned()).spawn_scoped(scope, run);
        let others: Vec<_> = (1..threads).map_while(|_| start().ok()).collect();
        let mut done = run();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|&(index, _)| index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        for threads in [0, 1, 3, 8] {
            let doubled = each(threads, 0..100_u32, |item, seen: &mut u32| {
                *seen += 1;
                (item * 2, *seen > 0)
            });
            assert_eq!(doubled, (0..100).map(|item| (item * 2, true)).collect::<Vec<_>>());
        }
        assert!(each(2, 0..0_u32, |item, (): &mut ()| item).is_empty());
    }
}
