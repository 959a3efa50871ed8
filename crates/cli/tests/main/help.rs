//! Help, usage, exit codes.

use crate::World;

#[test]
fn help_names_every_command_and_the_guide_does_too() {
    let help = World::new().run(&["--help"]).ok().out;
    let guide = include_str!("../../../../docs/CLI.md");
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let names: Vec<_> =
        commands.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()).collect();
    for wanted in [
        "daemon",
        "status",
        "inbox",
        "search",
        "show",
        "done",
        "undo",
        "snooze",
        "read",
        "unread",
        "mute",
        "reply",
        "compose",
        "focus",
        "team",
        "account",
        "join",
        "due",
        "import",
        "inspect",
        "refusals",
        "settings",
        "hours",
        "device",
        "member",
        "sign-in",
        "attachment",
        "overlap",
    ] {
        assert!(names.contains(&wanted), "{wanted} is not in {names:?}");
    }
    for name in names.iter().filter(|name| **name != "help") {
        assert!(guide.contains(&format!("`{name}")), "docs/CLI.md does not tell of {name}");
    }
}

#[test]
fn every_command_has_help_of_its_own() {
    let world = World::new();
    let help = world.run(&["help"]).ok().out;
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    for line in commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        let help = world.run(&["help", name]);
        assert_eq!(help.code, 0, "{help:?}");
    }
}

#[test]
fn wrong_usage_exits_with_2_and_touches_nothing() {
    let world = World::new();
    for args in [
        &["no-such-command"][..],
        &[],
        &["inbox", "--limit", "501"],
        &["inbox", "--view", "spam"],
        &["done"],
        &["focus", "start", "--for", "25h"],
        &["focus", "start", "--extend"],
        &["urgency", "purple", "0123abcd"],
        &["import"],
        &["import", "--mbox", "a", "--maildir", "b"],
        &["due", "--batch", "--at", "2026-11-24T09:00:00Z"],
        &["due", "--at", "2026-11-24T09:00:00Z"],
        &["overlap", "--from", "2026-11-24T09:00:00Z", "--to", "2026-11-25T09:00:00Z"],
        &["team", "--day", "yesterday"],
        &["join", "meantime://join#x"],
        &["compose"],
        &["compose", "Title", "--private"],
        &["sign-in", "--server", "team.example.org:8787"],
        &["member", "role", "Ana", "king"],
        &["member", "invite", "--hours", "73"],
    ] {
        let ran = world.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {ran:?}");
        assert!(!ran.err.is_empty());
    }
    assert!(!world.path().join("profile").exists(), "a profile was made");
}

#[test]
fn wrong_usage_is_json_for_programs() {
    let world = World::new();
    for (args, said) in [
        (&["--json", "no-such-command"][..], "unrecognized subcommand 'no-such-command'"),
        (&["--json", "inbx"][..], "unrecognized subcommand 'inbx'; a similar subcommand exists: 'inbox'"),
        (&["--json"], "there is no command"),
        (&["account", "--json"], "there is no command"),
        (&["inbox", "--json", "--limit", "501"], "501 is not in 1..=500"),
        (&["inbox", "--view", "spam", "--json"], "spam"),
        (&["done", "--json"], "<ID>"),
        (&["due", "--at", "2026-11-24T09:00:00Z", "--json"], "--window"),
    ] {
        let ran = world.run(args);
        let told = ran.json();
        assert_eq!((ran.code, ran.err.as_str(), told["error"]["code"].as_str()), (2, "", Some("invalid")), "{args:?}");
        let message = told["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(said) && !message.contains("Usage") && !message.contains("--help'"),
            "{args:?}: {message}"
        );
    }
    assert!(world.run(&["--json", "--help"]).ok().out.contains("Commands:"), "help is no failure");
    assert!(!world.path().join("profile").exists(), "a profile was made");
}

#[test]
fn a_password_is_no_argument() {
    let world = World::new();
    for command in [
        &["account", "add", "imap"][..],
        &["account", "sign-in"],
        &["account", "password"],
        &["account", "authenticator", "begin"],
        &["account", "authenticator", "confirm"],
        &["account", "authenticator", "end"],
        &["sign-in"],
        &["secrets", "file"],
    ] {
        let help = world.run(&[command, &["--help"]].concat()).ok().out;
        for option in ["--password", "--code", "--passphrase"] {
            assert!(!help.contains(option), "{help}");
        }
    }
}

#[test]
fn nobody_reading_is_no_failure() {
    let world = World::new();
    let mail = world.file("m.eml", format!("Subject: long\r\n\r\n{}", "word ".repeat(200_000)));
    let mut child = world
        .command()
        .args(["inspect", "mail", &mail])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}
