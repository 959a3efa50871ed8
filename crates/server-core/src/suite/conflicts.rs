//! How changes of the same thing meet.

use super::world::{World, fields, object};
use crate::Storage;
use meantime_protocol::http::{Op, PushOutcome};
use meantime_protocol::kinds::Role;
use meantime_protocol::{Code, Kind};
use serde_json::json;
use uuid::Uuid;

pub async fn a_text_is_changed_on_what_was_seen<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let laptop = world.someone("Ana", Role::Owner).await;
    let phone = world.second_device(&laptop).await;
    let thread = world.thread(&laptop, "Texts").await;
    let op = laptop.message(&team, thread, "one");
    let (id, first) = (op.id, world.put(&laptop, op).await);
    let text = |text: &str| fields(&[("text", text.into())]);
    let edit = |who: &super::world::Someone, words: &str, base| Op {
        base_seq: base,
        ..who.change(&team, Kind::MESSAGE, id, text(words))
    };

    let second = world.put(&phone, edit(&phone, "two", Some(first))).await;
    for base in [Some(first), None, Some(0), Some(second + 1), Some(u64::MAX)] {
        assert_eq!(world.refused(&laptop, edit(&laptop, "three", base)).await, Code::Conflict, "{base:?}");
    }
    assert_eq!(world.see(&laptop, id).await.unwrap().fields["text"], "two");
    world.put(&laptop, edit(&laptop, "three", Some(second))).await;
    // Other fields are not a text: the last arrival wins.
    world.put(&phone, phone.change(&team, Kind::MESSAGE, id, fields(&[("mood", "fine".into())]))).await;
    let row = world.see(&laptop, id).await.unwrap();
    assert_eq!((&row.fields["text"], &row.fields["mood"]), (&json!("three"), &json!("fine")));
    let moved = object(json!({"thread": Uuid::now_v7()}));
    assert_eq!(world.refused(&laptop, laptop.change(&team, Kind::MESSAGE, id, moved)).await, Code::Invalid);
}

pub async fn a_device_may_change_its_own_change<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let laptop = world.someone("Ana", Role::Owner).await;
    let phone = world.second_device(&laptop).await;
    let thread = world.thread(&laptop, "Offline").await;
    let change = |who: &super::world::Someone, id, words: &str, base| Op {
        base_seq: base,
        ..who.change(&team, Kind::MESSAGE, id, fields(&[("text", words.into())]))
    };
    // Written and changed twice before the first answer came.
    let op = laptop.message(&team, thread, "one");
    let id = op.id;
    let outcomes = world.push(&laptop, vec![op, change(&laptop, id, "two", None)]).await;
    assert!(outcomes.iter().all(|o| matches!(o, PushOutcome::Applied { .. })), "{outcomes:?}");
    let seen = world.put(&laptop, change(&laptop, id, "three", None)).await;
    // Both changes stand on what was seen before the first of them.
    let both = vec![change(&laptop, id, "four", Some(seen)), change(&laptop, id, "five", Some(seen))];
    let outcomes = world.push(&laptop, both).await;
    assert!(outcomes.iter().all(|o| matches!(o, PushOutcome::Applied { .. })), "{outcomes:?}");
    world.put(&laptop, change(&laptop, id, "six", Some(seen))).await;
    // The phone steps in: from then on the laptop's old view is old.
    let row = world.see(&phone, id).await.unwrap();
    world.put(&phone, change(&phone, id, "seven", Some(row.seq))).await;
    assert_eq!(world.refused(&laptop, change(&laptop, id, "eight", Some(seen))).await, Code::Conflict);
    // Even after the laptop changed something else on top of it.
    world.put(&laptop, laptop.change(&team, Kind::MESSAGE, id, fields(&[("mood", "fine".into())]))).await;
    assert_eq!(world.refused(&laptop, change(&laptop, id, "eight", Some(seen))).await, Code::Conflict);
    assert_eq!(world.see(&phone, id).await.unwrap().fields["text"], "seven");
}

pub async fn the_same_twice_is_no_conflict<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let laptop = world.someone("Ana", Role::Owner).await;
    let phone = world.second_device(&laptop).await;
    let thread = world.thread(&laptop, "Twice").await;
    // Both had it when the server was put back to before it.
    let lost = laptop.message(&team, thread, "one");
    let id = lost.id;
    let seq = world.put(&laptop, lost.clone()).await;
    let again = |fields| phone.change(&team, Kind::MESSAGE, id, fields);
    let outcome = world.push(&phone, vec![again(lost.fields.clone())]).await.remove(0);
    assert!(!matches!(outcome, PushOutcome::Rejected { .. }), "{outcome:?}");
    assert_eq!(world.see(&phone, id).await.unwrap().seq, seq, "and nothing was written");
    assert_eq!(world.refused(&phone, again(fields(&[("text", "other".into())]))).await, Code::Conflict);
    let decide = |who: &super::world::Someone, words: &str| {
        who.change(&team, Kind::THREAD, thread, fields(&[("outcome", words.into())]))
    };
    world.put(&laptop, decide(&laptop, "A")).await;
    let outcome = world.push(&phone, vec![decide(&phone, "A")]).await.remove(0);
    assert!(!matches!(outcome, PushOutcome::Rejected { .. }), "{outcome:?}");
    assert_eq!(world.refused(&phone, decide(&phone, "B")).await, Code::Conflict);
}

pub async fn an_outcome_is_not_overwritten<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let team = world.scope();
    let (ana, kofi) = (world.someone("Ana", Role::Owner).await, world.someone("Kofi", Role::Member).await);
    let id = world.thread(&ana, "Decide").await;
    let decide = |who: &super::world::Someone, words: &str, base| Op {
        base_seq: base,
        ..who.change(&team, Kind::THREAD, id, fields(&[("outcome", words.into())]))
    };
    let seq = world.put(&kofi, decide(&kofi, "A", None)).await;
    assert_eq!(world.refused(&ana, decide(&ana, "B", None)).await, Code::Conflict);
    world.put(&ana, decide(&ana, "B", Some(seq))).await;
    assert_eq!(world.see(&kofi, id).await.unwrap().fields["outcome"], "B");
}

pub async fn read_markers_only_move_on<S: Storage>(storage: S) {
    let world = World::new(storage).await;
    let ana = world.someone("Ana", Role::Owner).await;
    let (own, item) = (ana.scope(), Uuid::now_v7());
    for (sent, kept) in [
        (json!({"read_at": "2026-11-23T10:00:00Z"}), json!("2026-11-23T10:00:00Z")),
        (json!({"read_at": "2026-11-23T09:00:00Z", "muted": true}), json!("2026-11-23T10:00:00Z")),
        // An offset is not an order of letters.
        (json!({"read_at": "2026-11-23T11:30:00+02:00"}), json!("2026-11-23T10:00:00Z")),
        (json!({"read_at": "2026-11-23T10:30:00.5Z"}), json!("2026-11-23T10:30:00.5Z")),
        (json!({"read_at": null}), json!(null)),
        (json!({"read_at": "2026-11-23T08:00:00Z"}), json!("2026-11-23T08:00:00Z")),
    ] {
        world.put(&ana, ana.change(&own, Kind::MARK, item, object(sent.clone()))).await;
        let rows = world.all(&ana, own).await;
        assert_eq!(rows[0].fields.get("read_at").cloned().unwrap_or_default(), kept, "{sent}");
    }
    assert_eq!(world.all(&ana, own).await[0].fields["muted"], true);
}
