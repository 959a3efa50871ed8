//! What every backend must pass, unchanged. A backend's tests are one line:
//! `meantime_server_core::suite!(fresh);`, where `fresh()` gives an empty
//! storage and a guard that keeps it alive (a temporary folder, say).
//!
//! The cases go through [`Core`](crate::Core) wherever a client could see the
//! difference, and to the [`Storage`](crate::Storage) only for its own promises.

// A suite is a test, though it is compiled for others' tests: it fails by panicking.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

mod accounts;
mod attachments;
mod circles;
mod concurrency;
mod conflicts;
mod devices;
mod feeds;
mod gone;
mod later;
mod members;
mod people;
mod standing;
mod storage;
mod world;
mod writes;

pub use accounts::*;
pub use attachments::*;
pub use circles::*;
pub use concurrency::*;
pub use conflicts::*;
pub use devices::*;
pub use feeds::*;
pub use gone::*;
pub use later::*;
pub use members::*;
pub use people::*;
pub use standing::*;
pub use storage::*;
pub use world::{Hands, Someone, World, noon};
pub use writes::*;

/// One test a case; `$fresh` is a function that gives an empty storage and a guard.
#[macro_export]
macro_rules! suite {
    ($fresh:path) => {
        $crate::suite!(@ $fresh:
            an_invite_is_good_once, an_invite_lapses, one_of_many_joins_with_one_invite, who_invites,
            the_first_lead_brings_the_agreement, only_a_known_token_is_somebody,
            what_is_refused_blocks_nothing, a_change_is_taken_once, a_number_used_anew_is_refused,
            who_writes_what, fields_are_checked, a_patch_keeps_what_it_does_not_name, a_push_looks_at_so_much,
            own_kinds_are_kept,
            a_text_is_changed_on_what_was_seen, the_same_twice_is_no_conflict, a_device_may_change_its_own_change, an_outcome_is_not_overwritten,
            read_markers_only_move_on,
            pages_follow_each_other, an_unknown_past_starts_over, a_new_device_reads_people_first,
            a_bootstrap_stands_still, big_rows_make_short_pages, big_threads_make_short_pages,
            rows_of_many_values_make_short_pages, others_feeds_are_not_there, deletions_are_told,
            forgotten_deletions_start_over,
            what_is_sent_later_is_its_authors, what_is_due_appears_once, a_draft_taken_back_never_was,
            nothing_appears_before_its_thread, many_release_one_appearance, who_was_removed_says_nothing_later,
            who_left_a_circle_says_nothing_later, nothing_appears_in_a_thread_that_is_gone,
            nothing_is_skipped_under_many_writers, one_push_many_times_is_one, many_change_one_record,
            what_is_committed_is_told_whoever_listens, a_device_that_was_ended_does_nothing_more,
            streams_are_told, a_stale_commit_leaves_nothing, a_commit_uses_an_invite_up, counters_have_no_gap,
            feeds_are_listed, teams_are_apart, a_try_to_write_changes_nothing,
            tokens_follow_each_other, decisions_about_people_are_ordered, invites_are_whose_they_are,
            accounts_are_kept, failures_are_counted, what_was_done_is_noted, old_numbers_are_forgotten_but_not_free,
            rows_of_a_kind_are_listed,
            a_token_is_replaced, a_token_shown_too_late_ends_its_device, nobody_asks_for_tokens_without_end,
            a_link_adds_a_device, devices_are_listed_and_ended, an_ended_device_leaves_no_way_back,
            there_are_limits, many_links_at_once_are_counted, a_stream_ends_with_its_device,
            the_newest_streams_of_a_device_go_on,
            a_password_adds_a_device, whatever_is_wrong_is_answered_alike, failures_have_to_wait_but_not_for_good,
            an_address_that_tries_many_names_waits, a_stranger_keeps_nobody_out, each_has_a_count_of_their_own,
            a_password_change_ends_the_other_devices,
            a_sign_in_does_not_outrun_a_password_change, a_hash_is_renewed_when_its_costs_change,
            an_authenticator_is_asked_for, an_authenticators_secret_is_kept_sealed,
            a_lost_password_is_taken_away,
            who_changes_roles, two_owners_do_not_unmake_each_other, a_role_that_is_gone_allows_nothing,
            an_owner_who_has_not_joined_does_nothing, who_is_removed_is_out, who_comes_back_is_who_they_were,
            nobody_becomes_somebody_who_is_there,
            nothing_binds_across_teams, owners_read_what_was_done,
            a_circle_is_its_members_alone, people_come_and_go, what_a_circle_is_made_of,
            nobody_is_in_circles_without_end, many_circles_at_once_are_counted, a_guest_sees_who_they_are_with,
            messages_refer_to_what_is_whole, strangers_and_guests_have_no_attachments,
            a_team_has_so_much_and_no_more, what_nobody_refers_to_is_forgotten,
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
