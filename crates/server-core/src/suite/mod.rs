//! What every backend must pass, unchanged. A backend's tests are one line:
//! `meantime_server_core::suite!(fresh);`, where `fresh()` gives an empty
//! storage and a guard that keeps it alive (a temporary folder, say).
//!
//! The cases go through [`Core`](crate::Core) wherever a client could see the
//! difference, and to the [`Storage`](crate::Storage) only for its own promises.

// A suite is a test, though it is compiled for others' tests: it fails by panicking.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

mod concurrency;
mod conflicts;
mod feeds;
mod later;
mod people;
mod standing;
mod storage;
mod world;
mod writes;

pub use concurrency::*;
pub use conflicts::*;
pub use feeds::*;
pub use later::*;
pub use people::*;
pub use standing::*;
pub use storage::*;
pub use world::{Hands, World, noon};
pub use writes::*;

/// One test a case; `$fresh` is a function that gives an empty storage and a guard.
#[macro_export]
macro_rules! suite {
    ($fresh:path) => {
        $crate::suite!(@ $fresh:
            an_invite_is_good_once, an_invite_lapses, one_of_many_joins_with_one_invite, who_invites,
            the_first_lead_brings_the_agreement, only_a_known_token_is_somebody,
            what_is_refused_blocks_nothing, a_change_is_taken_once, a_number_used_anew_is_refused,
            who_writes_what, fields_are_checked, a_patch_keeps_what_it_does_not_name, own_kinds_are_kept,
            a_text_is_changed_on_what_was_seen, a_device_may_change_its_own_change, an_outcome_is_not_overwritten,
            read_markers_only_move_on,
            pages_follow_each_other, an_unknown_past_starts_over, a_new_device_reads_people_first,
            a_bootstrap_stands_still, big_rows_make_short_pages, others_feeds_are_not_there, deletions_are_told,
            forgotten_deletions_start_over,
            what_is_sent_later_is_its_authors, what_is_due_appears_once, a_draft_taken_back_never_was,
            nothing_appears_before_its_thread, many_release_one_appearance,
            nothing_is_skipped_under_many_writers, one_push_many_times_is_one, many_change_one_record,
            streams_are_told, a_stale_commit_leaves_nothing, a_commit_uses_an_invite_up, counters_have_no_gap,
            teams_are_apart,
            tokens_follow_each_other, decisions_about_people_are_ordered, invites_are_whose_they_are,
            accounts_are_kept, what_was_done_is_noted, old_numbers_are_forgotten_but_not_free,
            rows_of_a_kind_are_listed,
        );
    };
    (@ $fresh:path: $($case:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let (storage, _guard) = $fresh();
                $crate::suite::$case(storage).await;
            }
        )*
    };
}

#[cfg(test)]
mod memory {
    use crate::memory::Memory;
    use meantime_protocol::Epoch;

    fn fresh() -> (Memory, ()) {
        (Memory::new(Epoch(0xfeed)), ())
    }

    crate::suite!(fresh);
}
