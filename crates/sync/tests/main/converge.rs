//! Random histories: several devices, words, poison, crashes at any await,
//! lost calls and answers, outages, cursors that are too old. In the end all
//! have the server's state and each op took effect once.

use crate::device::Device;
use crate::server::*;
use meantime_model::OpId;
use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Clone, Debug)]
enum Step {
    Write {
        device: usize,
        record: u8,
        field: u8,
        value: u32,
    },
    Poison {
        device: usize,
    },
    TooLarge {
        device: usize,
    },
    Delete {
        device: usize,
        record: u8,
    },
    Faults {
        device: usize,
        faults: Vec<Fault>,
    },
    Run {
        device: usize,
        steps: usize,
    },
    RunAll {
        steps: usize,
    },
    Down(bool),
    /// The server forgets tombstones: older cursors are gone.
    Compact,
    /// Someone is taken out of the private feed, or back in.
    Private(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..3_usize;
    let fault =
        prop_oneof![4 => Just(Fault::None), 1 => Just(Fault::Before), 2 => Just(Fault::After), 1 => Just(Fault::Busy)];
    prop_oneof![
        8 => (device.clone(), 0..8_u8, 0..2_u8, any::<u32>()).prop_map(|(device, record, field, value)| Step::Write { device, record, field, value }),
        1 => device.clone().prop_map(|device| Step::Poison { device }),
        1 => device.clone().prop_map(|device| Step::TooLarge { device }),
        1 => (device.clone(), 0..8_u8).prop_map(|(device, record)| Step::Delete { device, record }),
        3 => (device.clone(), prop::collection::vec(fault, 1..12)).prop_map(|(device, faults)| Step::Faults { device, faults }),
        6 => (device, 0..120_usize).prop_map(|(device, steps)| Step::Run { device, steps }),
        3 => (0..200_usize).prop_map(|steps| Step::RunAll { steps }),
        1 => any::<bool>().prop_map(Step::Down),
        1 => Just(Step::Compact),
        1 => any::<bool>().prop_map(Step::Private),
    ]
}

async fn play(steps: Vec<Step>) {
    let server = Server::new();
    let devices: Vec<Device> = (10..13).map(|n| Device::new(&server, n)).collect();
    let (mut good, mut bad) = (HashSet::new(), HashSet::new());
    let mut away: Option<Feed> = None;
    for step in steps {
        match step {
            Step::Write { device, record, field, value } => {
                let scope = if record % 4 == 0 { PRIVATE } else { TEAM };
                let id = devices[device].write(scope, u128::from(record), ["a", "b"][usize::from(field)], value);
                good.insert(id);
            }
            Step::Poison { device } => drop(bad.insert(devices[device].write(TEAM, 1, "poison", 0))),
            Step::TooLarge { device } => drop(bad.insert(devices[device].write(TEAM, 1, "too large", 0))),
            Step::Delete { device, record } => {
                good.insert(devices[device].write(TEAM, u128::from(record), "deleted", 0));
            }
            Step::Faults { device, faults } => devices[device].line.faults.lock().unwrap().extend(faults),
            Step::Run { device, steps } => devices[device].run_for(steps).await,
            Step::RunAll { steps } => {
                futures::future::join_all(devices.iter().map(|d| d.run_for(steps))).await;
            }
            Step::Down(down) => {
                *server.down.lock().unwrap() = down;
                server.poke();
            }
            Step::Compact => {
                let mut state = server.state.lock().unwrap();
                for feed in state.feeds.values_mut() {
                    feed.rows.retain(|_, row| !row.deleted);
                    feed.min_seq = feed.seq;
                }
            }
            Step::Private(there) => {
                let mut state = server.state.lock().unwrap();
                if there {
                    if let Some(feed) = away.take() {
                        state.feeds.insert(PRIVATE, feed);
                    }
                } else if let Some(feed) = state.feeds.remove(&PRIVATE) {
                    away = Some(feed);
                }
            }
        }
    }
    // All is well again: everybody comes to rest.
    *server.down.lock().unwrap() = false;
    devices.iter().for_each(|d| d.line.faults.lock().unwrap().clear());
    settle(&server, &devices).await;

    let refused: HashSet<OpId> =
        devices.iter().flat_map(|d| d.disk.lock().unwrap().refused.clone()).map(|r| r.0).collect();
    let effects = server.state.lock().unwrap().effects.clone();
    assert!(bad.is_subset(&refused), "every refusal is visible");
    for op in &good {
        // Words for a feed that was gone are kept as a refusal instead.
        let count = effects.get(op).copied().unwrap_or(0);
        assert!(count == 1 || (count == 0 && refused.contains(op)), "{op} took effect {count} times");
    }
    assert!(effects.keys().all(|op| good.contains(op)));
}

/// Runs everybody until all have what the server has.
async fn settle(server: &Arc<Server>, devices: &[Device]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runs = devices.iter().map(|d| {
        let mut stopped = stopped.clone();
        d.syncer().0.run(async move { drop(stopped.wait_for(|s| *s).await) })
    });
    let watch = async {
        while !at_rest(server, devices) {
            assert!(Instant::now() < deadline, "they do not converge: {}", difference(server, devices));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.send_replace(true);
    };
    futures::future::join(futures::future::join_all(runs), watch).await;
}

fn at_rest(server: &Server, devices: &[Device]) -> bool {
    difference(server, devices).is_empty()
}

fn difference(server: &Server, devices: &[Device]) -> String {
    for device in devices {
        let disk = device.disk.lock().unwrap();
        if !disk.outbox.is_empty() {
            return format!("{} still has {:?}", device.id, disk.outbox);
        }
        if disk.feeds.keys().copied().collect::<std::collections::BTreeSet<_>>() != scopes(server) {
            return format!("{} follows {:?}", device.id, disk.feeds);
        }
        for (scope, feed) in &server.state.lock().unwrap().feeds {
            let visible = |rows: &Rows| rows.values().filter(|r| !r.deleted).cloned().collect::<Vec<_>>();
            let ours = disk.rows.get(scope).map(visible).unwrap_or_default();
            if ours != visible(&feed.rows) || disk.feeds[scope].1.is_some() {
                return format!("{} has {ours:?} in {scope}, the server {:?}", device.id, feed.rows);
            }
        }
    }
    String::new()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_histories_converge(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
