//! What is measured: how much, of whom, and what was seen of each.

use meantime_tests::bench::figures::Samples;

/// What is measured.
pub struct Plan {
    pub people: usize,
    pub messages: u64,
    pub rounds: usize,
    pub idle: usize,
    pub archive: u64,
    pub fresh: usize,
    /// Fifty whole apps on one machine take minutes for more.
    pub whole_messages: u64,
    /// A peer that takes a minute for a thousand messages gets fewer; what is
    /// compared is what one costs.
    pub peer_messages: u64,
    pub peer_archive: u64,
}

pub const FULL: Plan = Plan {
    people: 50,
    messages: 10_000,
    rounds: 2,
    idle: 60,
    archive: 100_000,
    fresh: 2,
    whole_messages: 1_000,
    peer_messages: 500,
    peer_archive: 2_000,
};
pub const QUICK: Plan = Plan {
    people: 8,
    messages: 160,
    rounds: 1,
    idle: 10,
    archive: 2_000,
    fresh: 1,
    whole_messages: 160,
    peer_messages: 80,
    peer_archive: 100,
};

/// Which server, and which clients.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Our server and whole apps.
    Whole,
    /// Our server and lean clients.
    Lean,
    /// Synapse and lean clients.
    Synapse,
}

/// One of those who are compared, and what was seen of it.
pub struct Side {
    pub name: &'static str,
    pub program: Program,
    pub on_postgres: bool,
    /// Everybody's messages wait in the outbox when it begins.
    pub at_once: bool,
    pub idle: Samples,
    pub all: Measured,
    pub archive: Measured,
}

/// Wall and server CPU time, in seconds, for so many messages.
pub struct Spent {
    pub messages: u64,
    pub wall: f64,
    pub cpu: f64,
}

#[derive(Default)]
pub struct Measured {
    pub messages: u64,
    pub wall: Samples,
    pub cpu: Samples,
}

impl Measured {
    pub fn add(&mut self, spent: &Spent) {
        self.messages = spent.messages;
        self.wall.add(spent.wall);
        self.cpu.add(spent.cpu);
    }

    /// Messages a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.wall.median()
    }

    /// Server CPU time of one message, in milliseconds. A clock tick is 10 ms.
    pub fn cost(&self) -> f64 {
        self.cpu.median().max(0.01) * 1000.0 / self.messages as f64
    }
}

pub fn sides() -> Vec<Side> {
    let side = |name, program, on_postgres, at_once| {
        let (all, archive) = Default::default();
        Side { name, program, on_postgres, at_once, idle: Samples::default(), all, archive }
    };
    vec![
        side("meantime, whole apps, SQLite", Program::Whole, false, false),
        side("Synapse, SQLite", Program::Synapse, false, false),
        side("meantime, lean clients, SQLite", Program::Lean, false, false),
        side("meantime, whole apps, PostgreSQL", Program::Whole, true, false),
        side("Synapse, PostgreSQL", Program::Synapse, true, false),
        side("meantime, lean clients, PostgreSQL", Program::Lean, true, false),
        side("meantime, whole apps that were offline, SQLite", Program::Whole, false, true),
    ]
}
