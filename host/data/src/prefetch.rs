//! Batches prepared ahead on background threads, in order, so that the executor does not wait for them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::batch::{Batch, Layout};
use crate::data::{Data, Seeds};
use crate::error::{Error, Result};

/// Batches that one thread may be ahead.
const AHEAD: usize = 3;

/// What is made of a batch before it is served.
type Prepare<T> = Arc<dyn Fn(Batch) -> T + Send + Sync>;

/// An iterator over training batches from any (epoch, batch) on to the end of the last epoch.
///
/// It gives what [`Data::batch`] gives, or what is made of it, in the same order, however many threads there are. After
/// an error it ends. Dropping it stops and joins its threads.
pub struct Prefetch<T = Batch> {
    walk: Walk,
    prepare: Prepare<T>,
    /// Thread k prepares every so many-th batch, from the k-th on; they are asked in turn.
    workers: Vec<Worker<T>>,
    turn: usize,
}

/// A way through epochs and batches.
#[derive(Clone, Debug)]
struct Walk {
    data: Arc<Data>,
    seeds: Seeds,
    layout: Layout,
    epoch: usize,
    index: usize,
    epochs: usize,
}

struct Worker<T> {
    /// None once the iterator is being dropped.
    batches: Option<Receiver<Result<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl Prefetch {
    /// Starts at batch `from.1` of epoch `from.0` (both from 0; an index at or beyond the epoch's end is
    /// the next epoch's beginning) and goes on to the end of epoch `epochs − 1`.
    ///
    /// With `threads` 0, or where the system refuses threads, batches are prepared when asked for.
    pub fn new(
        data: Arc<Data>,
        seeds: Seeds,
        layout: Layout,
        from: (usize, usize),
        epochs: usize,
        threads: usize,
    ) -> Self {
        Self::prepared(data, seeds, layout, from, epochs, threads, |batch| batch)
    }
}

impl<T: Send + 'static> Prefetch<T> {
    /// As [`Prefetch::new`]; the threads make of each batch what `prepare` says.
    pub fn prepared(
        data: Arc<Data>,
        seeds: Seeds,
        layout: Layout,
        from: (usize, usize),
        epochs: usize,
        threads: usize,
        prepare: impl Fn(Batch) -> T + Send + Sync + 'static,
    ) -> Self {
        let mut walk = Walk { data, seeds, layout, epoch: from.0, index: from.1, epochs };
        walk.forward(0);
        let mut prefetch = Self { walk, prepare: Arc::new(prepare), workers: Vec::new(), turn: 0 };
        for first in 0..threads {
            let mut own = prefetch.walk.clone();
            own.forward(first);
            let Ok(worker) = Worker::start(own, threads, Arc::clone(&prefetch.prepare)) else {
                prefetch.workers.clear();
                break;
            };
            prefetch.workers.push(worker);
        }
        prefetch
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Result<T>> {
        if self.walk.ended() {
            return None;
        }
        let (epoch, index) = (self.walk.epoch, self.walk.index);
        let batch = match self.workers.get(self.turn) {
            None => self.walk.batch().map(|batch| (self.prepare)(batch)),
            Some(worker) => {
                let received = worker.batches.as_ref().and_then(|batches| batches.recv().ok());
                received.unwrap_or(Err(Error::WorkerStopped { epoch, index }))
            }
        };
        self.turn = (self.turn + 1) % self.workers.len().max(1);
        self.walk.forward(1);
        if batch.is_err() {
            self.walk.epoch = self.walk.epochs;
        }
        Some(batch)
    }
}

impl Walk {
    fn ended(&self) -> bool {
        self.epoch >= self.epochs
    }

    fn batch(&self) -> Result<Batch> {
        self.data.batch(self.seeds, self.layout, self.epoch, self.index)
    }

    fn forward(&mut self, steps: usize) {
        let per_epoch = self.data.batches_per_epoch();
        self.index += steps;
        self.epoch += self.index / per_epoch;
        self.index %= per_epoch;
    }
}

impl<T: Send + 'static> Worker<T> {
    fn start(mut walk: Walk, stride: usize, prepare: Prepare<T>) -> std::io::Result<Self> {
        let (sender, batches) = sync_channel(AHEAD);
        let thread = Builder::new().name("nshot-data".to_owned()).spawn(move || {
            while !walk.ended() && sender.send(walk.batch().map(&*prepare)).is_ok() {
                walk.forward(stride);
            }
        })?;
        Ok(Self { batches: Some(batches), thread: Some(thread) })
    }
}

impl<T> Drop for Worker<T> {
    fn drop(&mut self) {
        // Without a receiver the thread's next send fails, and it ends.
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been told as a stopped worker.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SEEDS: Seeds = Seeds { data: 3, augmentation: 4 };

    fn data() -> Arc<Data> {
        let config = toml::from_str("batch_size = 200\naugment = { crop = 1 }").unwrap();
        Arc::new(Data::open(&config, Path::new(".")).unwrap())
    }

    fn fetched(data: &Arc<Data>, from: (usize, usize), epochs: usize, threads: usize) -> Vec<Batch> {
        let batches = Prefetch::new(data.clone(), SEEDS, Layout::Nhwc, from, epochs, threads);
        batches.map(|batch| batch.unwrap()).collect()
    }

    #[test]
    fn any_number_of_threads_gives_the_same_batches_in_order() {
        let data = data();
        let plain = fetched(&data, (0, 0), 3, 0);
        assert_eq!(plain.len(), 18);
        assert!(plain.iter().enumerate().all(|(n, batch)| (batch.epoch, batch.index) == (n / 6, n % 6)));
        for threads in 1..=3 {
            assert_eq!(fetched(&data, (0, 0), 3, threads), plain);
        }
    }

    #[test]
    fn what_is_made_of_batches_comes_in_their_order() {
        let data = data();
        for threads in 0..=2 {
            let place = |batch: Batch| (batch.epoch, batch.index);
            let made = Prefetch::prepared(data.clone(), SEEDS, Layout::Nhwc, (0, 4), 2, threads, place);
            let made: Vec<_> = made.map(|place| place.unwrap()).collect();
            assert_eq!(made[..3], [(0, 4), (0, 5), (1, 0)]);
        }
    }

    #[test]
    fn it_starts_anywhere() {
        let data = data();
        let plain = fetched(&data, (0, 0), 3, 0);
        for (from, skipped) in [((1, 4), 10), ((0, 6), 6), ((2, 5), 17), ((3, 0), 18)] {
            assert_eq!(fetched(&data, from, 3, 2), plain[skipped..]);
        }
    }

    #[test]
    fn dropping_it_joins_its_threads() {
        let data = data();
        let mut batches = Prefetch::new(data.clone(), SEEDS, Layout::Nchw, (0, 0), 1_000_000, 2);
        assert!(batches.next().is_some());
        drop(batches);
        assert_eq!(Arc::strong_count(&data), 1);
    }
}
