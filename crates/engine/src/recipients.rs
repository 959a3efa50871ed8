//! Whom an answer to a mail goes to. It sends nothing.

use crate::api::{Failure, FailureCode};
use meantime_store::message::{Correspondent, Message};

/// Those an answer goes to, or can go to.
#[derive(Debug, PartialEq)]
pub(crate) struct Recipients {
    /// Directly: whoever wrote.
    pub(crate) to: Vec<Correspondent>,
    /// As a copy: everybody else who got what is answered.
    pub(crate) cc: Vec<Correspondent>,
}

impl Recipients {
    /// Everybody in a mail but `mine`. Where its author asks for other
    /// addresses, those instead of the author. A note to oneself is answered
    /// to oneself.
    pub(crate) fn of(answered: &Message, mine: &str) -> Self {
        let (mut to, mut cc) = if answered.own {
            (others(&answered.to, mine), others(&answered.cc, mine))
        } else {
            let all = [answered.to.clone(), answered.cc.clone()].concat();
            (asked_to_answer(answered, mine), others(&all, mine))
        };
        if to.is_empty() && !answered.own {
            let author = Correspondent { name: answered.author.clone(), address: answered.address.clone() };
            to.extend((!author.address.is_empty()).then_some(author));
        } else if to.is_empty() && cc.is_empty() {
            to.clone_from(&answered.to);
        }
        cc.retain(|c| !to.iter().any(|direct| same(direct, &c.address)));
        Self { to, cc }.addressed()
    }

    /// Those of them with a `wanted` address; without a word those it goes to
    /// directly. Nobody else gets an answer, and somebody does.
    pub(crate) fn chosen(self, wanted: Option<&[String]>) -> Result<Self, Failure> {
        if self.to.is_empty() && self.cc.is_empty() {
            let message = "nobody gave an address in this mail: there is nobody to answer";
            return Err(Failure::new(FailureCode::NotPossible, message));
        }
        let Some(wanted) = wanted else { return Ok(Self { cc: Vec::new(), ..self }) };
        let known = |address: &String| self.to.iter().chain(&self.cc).any(|c| same(c, address));
        if let Some(stranger) = wanted.iter().find(|address| !known(address)) {
            let message = format!("to: {stranger} is not among those who got this mail");
            return Err(Failure::new(FailureCode::Invalid, message));
        }
        if wanted.is_empty() {
            return Err(Failure::new(FailureCode::Invalid, "to: the answer would go to nobody"));
        }
        let of = |list: Vec<Correspondent>| -> Vec<Correspondent> {
            list.into_iter().filter(|c| wanted.iter().any(|address| same(c, address))).collect()
        };
        Ok(Self { to: of(self.to), cc: of(self.cc) }.addressed())
    }

    /// A mail is to somebody, and not only a copy.
    fn addressed(self) -> Self {
        if self.to.is_empty() { Self { to: self.cc, cc: self.to } } else { self }
    }
}

/// Whom the author of a mail asks to answer instead of them (Reply-To).
pub(crate) fn asked_to_answer(answered: &Message, mine: &str) -> Vec<Correspondent> {
    if answered.own { Vec::new() } else { others(&answered.reply_to, mine) }
}

/// Those of a list that mail can go to, without me, each once.
fn others(list: &[Correspondent], mine: &str) -> Vec<Correspondent> {
    let mut others: Vec<Correspondent> = Vec::new();
    for one in list.iter().filter(|c| !c.address.is_empty() && !same(c, mine)) {
        if !others.iter().any(|other| same(other, &one.address)) {
            others.push(one.clone());
        }
    }
    others
}

fn same(one: &Correspondent, address: &str) -> bool {
    one.address.eq_ignore_ascii_case(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_an_answer_twice() {
        let one = |address: &str| Correspondent { name: String::new(), address: address.to_owned() };
        let list = ["bob@x.org", "", "ana@x.org", "carl@x.org", "BOB@x.org"].map(one);
        assert_eq!(others(&list, "Ana@x.org"), [one("bob@x.org"), one("carl@x.org")]);
    }

    #[test]
    fn an_answer_goes_to_who_wrote_or_to_those_who_are_named() {
        let one = |address: &str| Correspondent { name: String::new(), address: address.to_owned() };
        let all = || Recipients { to: vec![one("pat@x.org")], cc: vec![one("Sara@x.org"), one("tom@x.org")] };
        let chosen = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|address| (*address).to_owned()).collect();
            all().chosen(Some(&wanted))
        };
        assert_eq!(all().chosen(None).unwrap(), Recipients { to: vec![one("pat@x.org")], cc: Vec::new() });
        let both = Recipients { to: vec![one("pat@x.org")], cc: vec![one("Sara@x.org")] };
        assert_eq!(chosen(&["sara@x.org", "pat@x.org"]).unwrap(), both);
        assert_eq!(chosen(&["tom@x.org"]).unwrap(), Recipients { to: vec![one("tom@x.org")], cc: Vec::new() });
        for wrong in [&["pat@x.org", "eve@x.org"][..], &[]] {
            assert_eq!(chosen(wrong).unwrap_err().code, FailureCode::Invalid);
        }
    }
}
