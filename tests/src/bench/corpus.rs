//! Mail that nobody wrote: words as common as they are in a language (Zipf),
//! the same on every machine.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const VOCABULARY: usize = 60_000;
const PEOPLE: u64 = 400;
const SECONDS_APART: i64 = 600;

/// A source of made-up messages.
pub struct Corpus {
    words: Vec<String>,
    /// `heap[i]`: how likely a word is one of the first `i + 1`.
    heap: Vec<f64>,
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
struct Dice(u64);

impl Corpus {
    /// Makes up a vocabulary; word 0 is the most common.
    #[must_use]
    pub fn new() -> Self {
        let mut dice = Dice(1);
        let words: Vec<String> = (0..VOCABULARY).map(|rank| word(rank, &mut dice)).collect();
        let mut sum = 0.0;
        let mut heap: Vec<f64> = (1..=VOCABULARY)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        heap.iter_mut().for_each(|part| *part /= sum);
        Self { words, heap }
    }

    /// The word of a rank, 0 being the most common.
    #[must_use]
    pub fn word(&self, rank: usize) -> &str {
        self.words.get(rank).map_or("", String::as_str)
    }

    /// Message `n` as mail. Three of four open a conversation, the fourth
    /// answers the one before it.
    #[must_use]
    pub fn mail(&self, n: u64) -> String {
        let mut dice = Dice(n.wrapping_mul(0x5851_f42d_4c95_7f2d) + 7);
        let person = dice.next() % PEOPLE;
        let words = 20 + dice.next() % 120;
        let at = start() + TimeDelta::seconds(SECONDS_APART.saturating_mul(i64::try_from(n).unwrap_or(0)));
        let answers = n % 4 == 3;
        let title = self.title(if answers { n - 1 } else { n });
        let mut mail = format!(
            "From: {} <p{person}@example.org>\r\nTo: Ana Sousa <ana@example.org>\r\nSubject: {}{title}\r\nDate: {}\r\n\
             Message-ID: <{n}@example.org>\r\n",
            self.word(2000 + usize::try_from(person).unwrap_or(0)),
            if answers { "Re: " } else { "" },
            at.to_rfc2822(),
        );
        if answers {
            let _ = write!(mail, "In-Reply-To: <{}@example.org>\r\n", n - 1);
        }
        mail += "Content-Type: text/plain; charset=utf-8\r\n\r\n";
        for at in 1..=words {
            mail += self.pick(&mut dice);
            mail += if at % 12 == 0 { "\r\n" } else { " " };
        }
        mail + "\r\n"
    }

    /// Writes messages into a Maildir of their own.
    ///
    /// # Errors
    /// The disk.
    pub fn write_maildir(&self, folder: &Path, messages: std::ops::Range<u64>) -> Result<()> {
        for name in ["cur", "new", "tmp"] {
            fs::create_dir_all(folder.join(name))?;
        }
        for n in messages {
            fs::write(folder.join(format!("cur/{n}.example:2,S")), self.mail(n))?;
        }
        Ok(())
    }

    fn title(&self, n: u64) -> String {
        let mut dice = Dice(n ^ 0xabcd_ef01);
        (0..5).map(|_| self.pick(&mut dice)).collect::<Vec<_>>().join(" ")
    }

    fn pick(&self, dice: &mut Dice) -> &str {
        let part = (dice.next() >> 11) as f64 / (1_u64 << 53) as f64;
        self.word(self.heap.partition_point(|&upto| upto < part))
    }
}

impl Default for Corpus {
    fn default() -> Self {
        Self::new()
    }
}

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Common words are short. Each ends with its own number in letters, so that
/// no two are the same, and in a consonant no stemmer takes off.
fn word(rank: usize, dice: &mut Dice) -> String {
    const OPENINGS: [&str; 16] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "t", "v", "z", "br", "tr", "kl"];
    const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
    let mut pick = |of: &[&'static str]| of.get((dice.next() % of.len() as u64) as usize).copied().unwrap_or("a");
    let mut word = String::from(pick(&OPENINGS)) + pick(&VOWELS);
    let mut rest = rank;
    while rest > 0 {
        word += OPENINGS.get(rest % 13).copied().unwrap_or("b");
        word += VOWELS.get((rest / 13) % 5).copied().unwrap_or("a");
        rest /= 65;
    }
    word + "k"
}

fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_400_000_000, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn words_differ_and_the_first_is_the_most_common() {
        let corpus = Corpus::new();
        assert_eq!(corpus.words.iter().collect::<HashSet<_>>().len(), VOCABULARY);
        let text: String = (0..300).map(|n| corpus.mail(n)).collect();
        let count = |word: &str| text.split_whitespace().filter(|other| *other == word).count();
        assert!(count(corpus.word(0)) > 5 * count(corpus.word(20)).max(1));
        assert_eq!(corpus.mail(5), Corpus::new().mail(5));
    }
}
