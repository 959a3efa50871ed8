//! Sleep and wake of the computer.
//!
//! A timer alone is not enough: while a computer sleeps, tokio's clock stands
//! still on Linux and macOS, so a sleep of 20 s may end hours late. Whoever
//! waits for a wall-clock instant looks again at each wake.

use crate::Clock;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

/// How often the clocks are compared.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What wall clock and timer may differ by without meaning anything.
const TOLERANCE: Duration = Duration::from_secs(10);

/// Tells that the computer woke up, or that its clock was set: look at the
/// wall clock again. Ends when dropped.
pub struct Wakes {
    sender: broadcast::Sender<()>,
    _tasks: JoinSet<()>,
}

impl Wakes {
    /// Begins to watch. Must be called within a tokio runtime.
    #[must_use]
    pub fn watch(clock: Arc<dyn Clock>) -> Self {
        let (sender, _) = broadcast::channel(16);
        let mut tasks = JoinSet::new();
        tasks.spawn(compare(clock, sender.clone()));
        #[cfg(target_os = "linux")]
        tasks.spawn(logind::listen(sender.clone()));
        Self { sender, _tasks: tasks }
    }

    /// From now on, one message a wake. Two may come for the same one.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<()> {
        self.sender.subscribe()
    }
}

/// Works on every system: after a sleep, or when somebody set the clock, the
/// wall clock has moved by another amount than the timer.
async fn compare(clock: Arc<dyn Clock>, sender: broadcast::Sender<()>) {
    let mut jump = Jump::new(clock.now(), Instant::now());
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if jump.happened(clock.now(), Instant::now()) {
            tracing::info!("the computer woke up, or its clock was set");
            let _ = sender.send(());
        }
    }
}

/// The two clocks at the last look.
struct Jump {
    wall: DateTime<Utc>,
    timer: Instant,
}

impl Jump {
    fn new(wall: DateTime<Utc>, timer: Instant) -> Self {
        Self { wall, timer }
    }

    fn happened(&mut self, wall: DateTime<Utc>, timer: Instant) -> bool {
        let passed = timer.saturating_duration_since(self.timer);
        let walked = wall.signed_duration_since(self.wall);
        self.wall = wall;
        self.timer = timer;
        let apart = walked - chrono::TimeDelta::from_std(passed).unwrap_or(chrono::TimeDelta::MAX);
        // Where the timer goes on during sleep (Windows), the look itself is late.
        apart.abs() > chrono::TimeDelta::seconds(TOLERANCE.as_secs() as i64) || passed > LOOK_EVERY + TOLERANCE
    }
}

/// logind says it at once, where there is one; without it, [`compare`] is enough.
#[cfg(target_os = "linux")]
mod logind {
    use futures::StreamExt;
    use tokio::sync::broadcast;

    #[zbus::proxy(
        interface = "org.freedesktop.login1.Manager",
        default_service = "org.freedesktop.login1",
        default_path = "/org/freedesktop/login1",
        gen_blocking = false
    )]
    trait Manager {
        #[zbus(signal)]
        fn prepare_for_sleep(&self, start: bool) -> zbus::Result<()>;
    }

    pub async fn listen(sender: broadcast::Sender<()>) {
        if let Err(error) = wakes(&sender).await {
            tracing::debug!("logind does not tell about sleep: {error}");
        }
    }

    async fn wakes(sender: &broadcast::Sender<()>) -> zbus::Result<()> {
        let bus = zbus::Connection::system().await?;
        let manager = ManagerProxy::new(&bus).await?;
        let mut signals = manager.receive_prepare_for_sleep().await?;
        while let Some(signal) = signals.next().await {
            if signal.args().is_ok_and(|args| !args.start) {
                tracing::info!("the computer woke up");
                let _ = sender.send(());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_jump_is_told_from_time_that_passes() {
        let (wall, timer) = (DateTime::UNIX_EPOCH, Instant::now());
        let at = |wall_s: i64, timer_s: u64| (wall + TimeDelta::seconds(wall_s), timer + Duration::from_secs(timer_s));
        let mut jump = Jump::new(wall, timer);
        let mut look = |wall_s, timer_s| {
            let (wall, timer) = at(wall_s, timer_s);
            jump.happened(wall, timer)
        };
        assert!(!look(5, 5), "time passes");
        assert!(look(3605, 10), "slept: the timer stood still");
        assert!(!look(3610, 15), "told once");
        assert!(look(3000, 20), "the clock was set back");
        assert!(!look(3008, 25), "a small step means nothing");
        assert!(look(6600, 3617), "slept: the timer went on");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn logind_wakes_are_told() {
        use crate::kit::{Logind, PATIENCE, alone, eventually};
        alone("wake::tests::logind_wakes_are_told", |stage| async move {
            let logind = Logind::start(&stage.bus).await;
            let wakes = Wakes::watch(Arc::new(crate::SystemClock));
            let mut told = wakes.subscribe();
            // Signals before the subscription are lost: say it until it is heard.
            eventually("a wake", async || {
                logind.prepare_for_sleep(false).await;
                told.try_recv().ok()
            })
            .await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            while told.try_recv().is_ok() {}
            logind.prepare_for_sleep(true).await;
            logind.prepare_for_sleep(false).await;
            tokio::time::timeout(PATIENCE, told.recv()).await.unwrap().unwrap();
            assert!(told.try_recv().is_err(), "going to sleep is no wake");
        });
    }
}
