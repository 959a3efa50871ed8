//! Every store passes the same cases: memory, a folder, and a real S3 server
//! (s3s-fs, in this process, over TCP, checking signatures).

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod cases;
mod folder;
mod full;
mod s3;

use meantime_server_blobs::Blobs;

macro_rules! suite {
    ($store:ident, $fresh:path: $($case:ident),* $(,)?) => {
        mod $store {
            $(
                #[tokio::test]
                async fn $case() {
                    let (blobs, _guard) = $fresh().await;
                    crate::cases::$case(blobs).await;
                }
            )*
        }
    };
    ($($store:ident: $fresh:path),* $(,)?) => {
        $(
            suite!($store, $fresh:
                pieces_make_a_whole, one_piece_is_enough, nothing_is_something, other_bytes_leave_nothing,
                a_piece_that_does_not_fit_is_none, two_make_the_same, teams_and_devices_are_apart,
                what_does_not_go_on_is_forgotten, a_team_is_forgotten, it_answers, it_is_copied_there_and_back,
            );
        )*
    };
}

suite!(in_memory: crate::memory, in_a_folder: crate::folder::fresh, in_s3: crate::s3::fresh);

async fn memory() -> (Blobs, ()) {
    (Blobs::memory(), ())
}
