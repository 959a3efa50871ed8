//! The small tables.

use crate::kit::*;
use meantime_store::{StoreError, account, draft, notice, setting, undo};
use serde_json::json;

#[test]
fn accounts_keep_their_error_until_they_are_read_again() {
    let w = world();
    w.store.write(|tx| account::set_error(tx, w.mail, "auth", "The password was refused.")).unwrap();
    let read = || w.store.read(|r| account::get(r, w.mail)).unwrap().unwrap();
    assert_eq!(read().error, Some(("auth".into(), "The password was refused.".into())));
    w.store.write(|tx| account::set_checked(tx, w.mail, at(5))).unwrap();
    assert_eq!((read().error, read().checked_at), (None, Some(at(5))));
    let found = w.store.read(|r| account::by_identity(r, IDENTITY)).unwrap().unwrap();
    assert_eq!(found, read());
    let mut twin = read();
    twin.id = meantime_model::AccountId::new();
    assert!(w.store.write(|tx| account::put(tx, &twin)).is_err(), "one account an identity");
}

#[test]
fn an_empty_draft_is_none() {
    let w = world();
    w.store.write(|tx| draft::put(tx, Some(item_id("a")), "text", at(1))).unwrap();
    w.store.write(|tx| draft::put(tx, None, "new thread", at(1))).unwrap();
    w.store.write(|tx| draft::put(tx, Some(item_id("a")), "", at(2))).unwrap();
    assert_eq!(w.store.read(|r| draft::get(r, Some(item_id("a")))).unwrap(), None);
    assert_eq!(w.store.read(|r| draft::get(r, None)).unwrap().as_deref(), Some("new thread"));
}

#[test]
fn a_new_thread_is_kept_with_all_it_is_to_be() {
    let w = world();
    let more = json!({"title": "Which day?", "asked": []});
    w.store.write(|tx| draft::put_chosen(tx, None, Some(&more), at(1))).unwrap();
    assert_eq!(w.store.read(|r| draft::chosen(r, None)).unwrap(), Some(more), "without a word of text");
    w.store.write(|tx| draft::put(tx, None, "", at(2))).unwrap();
    assert!(w.store.read(|r| draft::chosen(r, None)).unwrap().is_some(), "an empty text is not the end of it");
    w.store.write(|tx| draft::put_chosen(tx, None, None, at(3))).unwrap();
    assert_eq!(w.store.read(|r| draft::chosen(r, None)).unwrap(), None);
    w.store.write(|tx| draft::put(tx, None, "text", at(4))).unwrap();
    assert_eq!(w.store.read(|r| draft::chosen(r, None)).unwrap(), None);
}

#[test]
fn settings_come_back_typed() {
    let w = world();
    w.store.write(|tx| setting::put(tx, "focus_minutes", &50)).unwrap();
    assert_eq!(w.store.read(|r| setting::get::<u32>(r, "focus_minutes")).unwrap(), Some(50));
    assert!(matches!(w.store.read(|r| setting::get::<String>(r, "focus_minutes")), Err(StoreError::Broken { .. })));
    w.store.write(|tx| setting::remove(tx, "focus_minutes")).unwrap();
    assert_eq!(w.store.read(|r| setting::get::<u32>(r, "focus_minutes")).unwrap(), None);
}

#[test]
fn steps_are_taken_back_once_the_last_first() {
    let w = world();
    let push = |what: &str| {
        let (forward, back) = (json!({"do": what}), json!({"undo": what}));
        let step = undo::NewStep { what, item: None, forward: &forward, back: &back, at: at(0) };
        w.store.write(|tx| undo::push(tx, &step)).unwrap()
    };
    for n in 0..150 {
        push(&format!("step {n}"));
    }
    let last = w.store.read(undo::last).unwrap().unwrap();
    assert_eq!((last.what.as_str(), &last.back), ("step 149", &json!({"undo": "step 149"})));
    assert!(w.store.write(|tx| undo::set_used(tx, last.id)).unwrap());
    assert!(!w.store.write(|tx| undo::set_used(tx, last.id)).unwrap());
    assert_eq!(w.store.read(undo::last).unwrap().unwrap().what, "step 148");
}

#[test]
fn a_notice_is_made_and_closed_once() {
    let w = world();
    let body = json!({"lines": []});
    let new = notice::NewNotice {
        key: "alert:1:2",
        kind: "alert",
        item: Some(item_id("a")),
        title: "t",
        body: &body,
        at: at(1),
    };
    let id = w.store.write(|tx| notice::push(tx, &new)).unwrap().unwrap();
    assert_eq!(w.store.write(|tx| notice::push(tx, &new)).unwrap(), None);
    assert_eq!(w.store.read(notice::unshown).unwrap().len(), 1);
    w.store.write(|tx| notice::set_shown(tx, id, at(2), None)).unwrap();
    assert_eq!(w.store.read(notice::open).unwrap()[0].id, id);
    assert_eq!(w.store.write(|tx| notice::close_of_item(tx, item_id("a"), at(3))).unwrap(), ["alert:1:2"]);
    assert!(!w.store.write(|tx| notice::close(tx, id, at(4), Some("open"))).unwrap(), "a late click");
    assert_eq!(w.store.read(|r| notice::by_key(r, "alert:1:2")).unwrap().unwrap().acted, None);
}
