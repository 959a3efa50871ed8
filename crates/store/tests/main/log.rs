//! The write-ahead log beside the file stays small, whoever reads.

use crate::kit::*;
use meantime_store::{StoreError, item, setting};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Two who read, each until the other has begun to: there is no moment in
/// which nobody does.
#[test]
fn it_stays_small_under_readers_without_end() {
    let w = world();
    let (stop, begun) = (AtomicBool::new(false), [const { AtomicU64::new(0) }; 2]);
    let log = || std::fs::metadata(w.dir.path().join("meantime.db-wal")).unwrap().len();
    let written = AtomicU64::new(0);
    let write = |_| {
        // What is there already would not be written again.
        let n = written.fetch_add(1, Ordering::SeqCst);
        let value = json!(format!("{n:04}").repeat(50 << 10));
        w.store.write_bulk(|tx| setting::put(tx, &format!("big{}", n % 20), &value)).unwrap();
        log()
    };
    std::thread::scope(|scope| {
        for me in 0..2 {
            let (stop, begun, store) = (&stop, &begun, &w.store);
            scope.spawn(move || {
                let mut other = 0;
                while !stop.load(Ordering::SeqCst) {
                    store
                        .read(|r| {
                            item::get(r, item_id("a"))?;
                            begun[me].fetch_add(1, Ordering::SeqCst);
                            let next = || begun[1 - me].load(Ordering::SeqCst);
                            while next() == other && !stop.load(Ordering::SeqCst) {
                                std::thread::sleep(Duration::from_millis(1));
                            }
                            other = next();
                            Ok::<_, StoreError>(())
                        })
                        .unwrap();
                }
            });
        }
        let biggest = (0..150).map(write).max().unwrap();
        // A view that is held longer than a write would wait: nothing of it is lost.
        let held = w.store.read(|r| {
            item::get(r, item_id("a"))?;
            Ok::<_, StoreError>((0..110).map(write).max().unwrap())
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while write(0) > 16 << 20 && Instant::now() < deadline {}
        stop.store(true, Ordering::SeqCst);
        assert!(biggest < 24 << 20, "{biggest}");
        assert!(held.unwrap() > 17 << 20, "one who looks for long is not waited for");
        assert!(log() < 24 << 20, "{}", log());
    });
    for reads in begun {
        assert!(reads.load(Ordering::SeqCst) > 0);
    }
}
