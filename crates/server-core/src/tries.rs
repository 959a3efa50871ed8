//! Waits after failed sign-ins, longer each time, never for good: for each
//! login, kept by the storage, and for each address, in memory.

use crate::limits::{FREE_TRIES_PER_ADDRESS, LONGEST_WAIT, TRIES_KEPT};
use crate::storage::Attempts;
use chrono::{DateTime, TimeDelta, Utc};
use meantime_model::TeamId;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

/// Addresses and their failed tries. Bounded: the oldest are forgotten.
#[derive(Debug)]
pub(crate) struct Addresses {
    remembered: usize,
    failed: Mutex<HashMap<IpAddr, Attempts>>,
}

impl Addresses {
    pub(crate) fn new(remembered: usize) -> Self {
        Self { remembered, failed: Mutex::default() }
    }

    /// How many seconds an address has to wait.
    pub(crate) fn wait(&self, from: Option<IpAddr>, now: DateTime<Utc>) -> Option<u32> {
        wait(self.known(from?), FREE_TRIES_PER_ADDRESS, now)
    }

    /// Whether nobody failed from an address, as far as that is remembered.
    pub(crate) fn is_clean(&self, from: Option<IpAddr>, now: DateTime<Utc>) -> bool {
        from.is_some_and(|from| self.known(from).is_none_or(|attempts| now - attempts.at > TRIES_KEPT))
    }

    pub(crate) fn fail(&self, from: Option<IpAddr>, now: DateTime<Utc>) {
        let Some(from) = from.map(network) else { return };
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.len() >= self.remembered && !failed.contains_key(&from) {
            let mut last: Vec<DateTime<Utc>> = failed.values().map(|attempts| attempts.at).collect();
            last.sort_unstable();
            let middle = last.get(last.len() / 2).copied().unwrap_or(now);
            failed.retain(|_, attempts| attempts.at > middle);
        }
        let recent = failed.get(&from).filter(|attempts| now - attempts.at <= TRIES_KEPT);
        let failures = recent.map_or(0, |attempts| attempts.failures).saturating_add(1);
        failed.insert(from, Attempts { failures, at: now });
    }

    fn known(&self, from: IpAddr) -> Option<Attempts> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).get(&network(from)).copied()
    }
}

/// How many seconds are left of the wait after failures of which so many were free.
pub(crate) fn wait(attempts: Option<Attempts>, free: u32, now: DateTime<Utc>) -> Option<u32> {
    let Attempts { failures, at } = attempts?;
    let doublings = failures.saturating_sub(free).min(32);
    let seconds = if doublings == 0 { 0 } else { 1_i64 << (doublings - 1) };
    let left = at + TimeDelta::seconds(seconds).min(LONGEST_WAIT) - now;
    // Rounded up: who waits that long is not told to wait again.
    (left > TimeDelta::zero()).then(|| u32::try_from((left.num_milliseconds() + 999) / 1000).unwrap_or(u32::MAX))
}

/// The slot of a login that is nobody's. Few enough that nobody can fill a disk
/// with logins; two that share one share their waits, which are short.
pub(crate) fn slot(team: TeamId, login: &str) -> u16 {
    let digest = Sha256::new().chain_update(team.0.as_bytes()).chain_update(login.as_bytes()).finalize();
    digest.iter().take(2).fold(0, |slot, byte| slot << 8 | u16::from(*byte))
}

/// What one household has: a whole IPv6 network of 56 bits, or an address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 72 << 72).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_are_forgotten() {
        let at = DateTime::UNIX_EPOCH;
        let after = |failures| wait(Some(Attempts { failures, at }), 3, at).unwrap_or(0);
        assert_eq!((1..=8).map(after).collect::<Vec<_>>(), [0, 0, 0, 1, 2, 4, 8, 16]);
        assert_eq!([after(14), after(u32::MAX)], [900, 900]);
        let six = Some(Attempts { failures: 6, at });
        let left = |ms| wait(six, 3, at + TimeDelta::milliseconds(ms));
        assert_eq!([left(1), left(3999), left(4000)], [Some(4), Some(1), None]);
        assert_eq!(wait(None, 3, at), None);
        // An address that failed is clean again after a day.
        let (addresses, mine) = (Addresses::new(10), Some("192.0.2.1".parse().unwrap()));
        assert!(addresses.is_clean(mine, at) && !addresses.is_clean(None, at));
        addresses.fail(mine, at);
        assert!(!addresses.is_clean(mine, at + TimeDelta::hours(24)));
        assert!(addresses.is_clean(mine, at + TimeDelta::hours(25)));
    }

    #[test]
    fn addresses_are_bounded_and_a_network_is_one() {
        let addresses = Addresses::new(10);
        let now = DateTime::UNIX_EPOCH;
        let mine: IpAddr = "2001:db8::1".parse().unwrap();
        for _ in 0..=FREE_TRIES_PER_ADDRESS {
            assert_eq!(addresses.wait(Some(mine), now), None);
            addresses.fail(Some(mine), now);
        }
        assert_eq!(addresses.wait(Some("2001:db8:0:ff::ffff".parse().unwrap()), now), Some(1));
        assert_eq!(addresses.wait(Some("2001:db8:0:100::1".parse().unwrap()), now), None);
        assert_eq!(addresses.wait(None, now), None);
        for i in 0..1000_u32 {
            addresses.fail(Some(IpAddr::V4(i.into())), now + TimeDelta::seconds(i64::from(i)));
            assert!(addresses.failed.lock().unwrap().len() <= 10);
        }
    }
}
