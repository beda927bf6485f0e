//! How far a long task is: a bar on a terminal, a line every few seconds elsewhere, nothing if quiet. All on standard
//! error; what is said here never shapes a result.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// Between two changes of the bar.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// The rate is that of about so much time past, where nothing else is said.
const WINDOW: Duration = Duration::from_secs(5);

/// The bar on the terminal, if there is one: what else is said there goes above it.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// What is told of a task besides its count. None is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Images since the last call, for the images per second.
    pub images: u64,
    /// The training loss.
    pub loss: Option<f64>,
    /// The learning rate.
    pub lr: Option<f64>,
    /// The best score yet, 0 to 1.
    pub best: Option<f64>,
}

/// The progress of one task.
#[derive(Debug)]
pub struct Progress {
    what: String,
    total: u64,
    done: u64,
    figures: Figures,
    rate: Rate,
    shown: Instant,
    display: Display,
}

#[derive(Debug)]
enum Display {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    /// Starts a task of `total` steps, such as `train`, or subnets, such as `rank`; 0 where that is not known.
    pub fn start(what: &str, total: u64, quiet: bool) -> Self {
        Self::start_at(what, 0, total, quiet)
    }

    /// The same, for a task of which `done` steps were done in an earlier process.
    pub fn start_at(what: &str, done: u64, total: u64, quiet: bool) -> Self {
        let display = if quiet {
            Display::Quiet
        } else if std::io::stderr().is_terminal() {
            Display::Bar(bar(what, done, total))
        } else {
            Display::Lines
        };
        let now = Instant::now();
        let (what, figures) = (what.to_owned(), Figures::default());
        Self { what, total, done, figures, rate: Rate::new(now), shown: now, display }
    }

    /// Lets the rate be that of so much time past: for a task whose steps come in bursts.
    #[must_use]
    pub fn with_rate_over(mut self, window: Duration) -> Self {
        self.rate.window = window;
        self
    }

    /// `steps` more are done.
    pub fn advance(&mut self, steps: u64, figures: &Figures) {
        self.done += steps;
        self.figures = *figures;
        let now = Instant::now();
        self.rate.add(steps, figures.images, now);
        let every = match &self.display {
            Display::Bar(_) => DRAW_EVERY,
            Display::Lines => LINE_EVERY,
            Display::Quiet => return,
        };
        if now.duration_since(self.shown) >= every {
            self.shown = now;
            self.show();
        }
    }

    /// Says something above the bar.
    pub fn say(&self, text: &str) {
        match &self.display {
            Display::Bar(_) | Display::Lines => say(text),
            Display::Quiet => {}
        }
    }

    /// Ends the task with a text, such as `1,000 steps in 12 s`; nothing is said for an empty one.
    pub fn finish(self, text: &str) {
        self.clear();
        if !matches!(self.display, Display::Quiet) && !text.is_empty() {
            say(text);
        }
    }

    fn clear(&self) {
        if let Display::Bar(bar) = &self.display {
            bar.finish_and_clear();
            SHOWN.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    fn show(&self) {
        let left = (self.total > 0).then(|| self.total.saturating_sub(self.done));
        let text = describe(&self.figures, unit(&self.what), &self.rate, left);
        match &self.display {
            Display::Bar(bar) => {
                bar.set_position(self.done);
                bar.set_message(text);
            }
            Display::Lines if left.is_none() => say(&format!("{} {}{text}", self.what, self.done)),
            Display::Lines => say(&format!("{} {}/{}{text}", self.what, self.done, self.total)),
            Display::Quiet => {}
        }
    }
}

/// A task that fails leaves no bar behind.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A line on standard error, above the bar if there is one. That standard error may be closed is nobody's failure.
pub fn say(text: &str) {
    let write = || drop(writeln!(std::io::stderr(), "{text}"));
    match &*SHOWN.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn bar(what: &str, done: u64, total: u64) -> ProgressBar {
    let length = (total > 0).then_some(total);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr()).with_position(done);
    let style = ProgressStyle::with_template(match length {
        Some(_) => "{prefix} {bar:24} {pos}/{len}{wide_msg}",
        None => "{prefix} {pos}{wide_msg}",
    });
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar.set_prefix(what.to_owned());
    *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}

/// What a task counts.
fn unit(what: &str) -> &str {
    match what {
        "rank" | "search" => "subnets",
        "trainings" => what,
        _ => "steps",
    }
}

/// `, 35.2 steps/s, 2253 images/s, loss 2.1034, lr 0.025, 25 s left`
fn describe(figures: &Figures, unit: &str, rate: &Rate, left: Option<u64>) -> String {
    let mut text = String::new();
    let mut add = |part: std::fmt::Arguments| {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {part}");
    };
    if let Some((steps, images)) = rate.per_second() {
        match steps {
            slow if slow < 0.1 => add(format_args!("{} {unit}/h", three_digits(3600.0 * slow))),
            _ => add(format_args!("{} {unit}/s", three_digits(steps))),
        }
        if images > 0.0 {
            add(format_args!("{} images/s", three_digits(images)));
        }
    }
    if let Some(loss) = figures.loss {
        add(format_args!("loss {loss:.4}"));
    }
    if let Some(lr) = figures.lr {
        add(format_args!("lr {}", three_digits(lr)));
    }
    if let Some(best) = figures.best {
        add(format_args!("best {:.2} %", best * 100.0));
    }
    if let (Some((steps, _)), Some(left)) = (rate.per_second(), left)
        && steps > 0.0
    {
        add(format_args!("{} left", duration(left as f64 / steps)));
    }
    text
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 || size == 0.0 => format!("{value:.3}"),
        _ => format!("{value:.2e}"),
    }
}

/// Seconds in words: `8.3 s`, `25 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Steps and images per second of the time just past.
#[derive(Debug)]
struct Rate {
    window: Duration,
    since: Instant,
    steps: u64,
    images: u64,
    known: Option<(f64, f64)>,
    /// Whether what is known is of the window before: it speaks until a fifth of this one is over.
    earlier: bool,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self { window: WINDOW, since: now, steps: 0, images: 0, known: None, earlier: false }
    }

    fn add(&mut self, steps: u64, images: u64, now: Instant) {
        self.steps += steps;
        self.images += images;
        let passed = now.duration_since(self.since);
        if passed < self.window / 5 && self.earlier || passed.is_zero() {
            return;
        }
        let seconds = passed.as_secs_f64();
        self.known = Some((self.steps as f64 / seconds, self.images as f64 / seconds));
        self.earlier = passed >= self.window;
        if self.earlier {
            (self.since, self.steps, self.images) = (now, 0, 0);
        }
    }

    fn per_second(&self) -> Option<(f64, f64)> {
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_rate_and_time_left() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        rate.add(20, 1280, start + Duration::from_secs(2));
        let figures = Figures { loss: Some(2.123_456), lr: Some(0.025), ..Figures::default() };
        assert_eq!(
            describe(&figures, unit("train"), &rate, Some(1000)),
            ", 10.0 steps/s, 640 images/s, loss 2.1235, lr 0.025, 1 min 40 s left"
        );
        assert_eq!(describe(&Figures::default(), "steps", &Rate::new(start), Some(5)), "");
        let mut slow = Rate::new(start);
        slow.add(2, 0, start + Duration::from_secs(400));
        assert_eq!(
            describe(&Figures::default(), unit("trainings"), &slow, Some(3)),
            ", 18.0 trainings/h, 10 min 0 s left"
        );
    }

    #[test]
    fn the_rate_follows_the_time_just_past() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        rate.add(60, 0, start + Duration::from_secs(6));
        rate.add(1, 0, start + Duration::from_millis(6500));
        assert_eq!(rate.per_second(), Some((10.0, 0.0)));
        rate.add(39, 0, start + Duration::from_secs(8));
        assert_eq!(rate.per_second(), Some((20.0, 0.0)));
    }

    #[test]
    fn bursts_do_not_shake_a_long_window() {
        let start = Instant::now();
        let mut rate = Rate { window: Duration::from_mins(10), ..Rate::new(start) };
        let mut burst = |steps, seconds| {
            rate.add(steps, 0, start + Duration::from_secs(seconds));
            rate.per_second()
        };
        assert_eq!(burst(500, 50), Some((10.0, 0.0)));
        assert_eq!(burst(520, 51), Some((20.0, 0.0)));
        assert_eq!(burst(4980, 600), Some((10.0, 0.0)));
        // Of the next window too little is over.
        assert_eq!(burst(500, 601), Some((10.0, 0.0)));
        assert_eq!(burst(1900, 720), Some((20.0, 0.0)));
    }

    #[test]
    fn numbers_are_short() {
        let shown: Vec<String> = [2253.4, 35.24, 0.025, 1e-5, 0.0].map(three_digits).to_vec();
        assert_eq!(shown, ["2253", "35.2", "0.025", "1.00e-5", "0.000"]);
        let shown: Vec<String> = [8.34, 25.0, 200.0, 7500.0].map(duration).to_vec();
        assert_eq!(shown, ["8.3 s", "25 s", "3 min 20 s", "2 h 5 min"]);
    }

    #[test]
    fn quiet_and_empty_tasks_end() {
        let mut progress = Progress::start("train", 0, true);
        progress.advance(1, &Figures::default());
        progress.say("nothing");
        progress.finish("");
    }
}
