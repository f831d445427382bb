//! Questions and answers: from the command line, from a person or a pipe line by line, or from nobody, who is then told of all
//! that is missing.

use std::collections::BTreeMap;
use std::io::{self, BufRead, IsTerminal as _, Write};

use super::draft::{Draft, Place};

/// The input ended before the last question was answered.
#[derive(Debug, thiserror::Error)]
#[error("the answers ended before the questions did")]
pub struct Ended;

/// How an answer is spelt in the configuration.
type Spelling = Box<dyn Fn(&str) -> String>;

/// Something that has to be known.
pub struct Question {
    /// The option of the command line that answers it, with its dashes.
    pub option: &'static str,
    /// Where the answer goes.
    pub place: Place,
    /// What is asked: a sentence without its end.
    pub asks: String,
    /// The answer of somebody who says nothing.
    pub default: Option<String>,
    /// Whether nothing is an answer.
    pub optional: bool,
    /// The words that can be said, with what each means; any text where there are none.
    pub choices: Vec<(String, String)>,
    spelling: Option<Spelling>,
}

impl Question {
    /// One that takes any text.
    pub fn new(option: &'static str, place: Place, asks: impl Into<String>) -> Self {
        Self { option, place, asks: asks.into(), default: None, optional: false, choices: Vec::new(), spelling: None }
    }

    /// With an answer for whoever says nothing.
    pub fn or(self, default: Option<impl Into<String>>) -> Self {
        Self { default: default.map(Into::into), ..self }
    }

    /// One that may stay without an answer.
    pub fn optional(self, optional: bool) -> Self {
        Self { optional, ..self }
    }

    /// One of these.
    pub fn among<W: Into<String>, S: Into<String>>(self, choices: impl IntoIterator<Item = (W, S)>) -> Self {
        let choices = choices.into_iter().map(|(word, says)| (word.into(), says.into()));
        Self { choices: choices.collect(), ..self }
    }

    /// Whose answer may be given shorter than it is written.
    pub fn spelt(self, spelling: impl Fn(&str) -> String + 'static) -> Self {
        Self { spelling: Some(Box::new(spelling)), ..self }
    }
}

/// Who answers.
pub struct Interview<'a> {
    given: BTreeMap<&'static str, String>,
    input: Option<&'a mut dyn BufRead>,
    out: &'a mut dyn Write,
    missing: Vec<String>,
    wrong: Vec<String>,
}

impl<'a> Interview<'a> {
    /// By what the command line has `given`, and behind that by `input`, if there is somebody.
    pub fn new(
        given: BTreeMap<&'static str, String>,
        input: Option<&'a mut dyn BufRead>,
        out: &'a mut dyn Write,
    ) -> Self {
        Self { given, input, out, missing: Vec::new(), wrong: Vec::new() }
    }

    /// Whether somebody can be asked.
    pub fn has_somebody(&self) -> bool {
        self.input.is_some()
    }

    /// Whether the command line answers this.
    pub fn is_given(&self, option: &str) -> bool {
        self.given.contains_key(option)
    }

    /// What the command line says, which is used up by that.
    pub fn take_given(&mut self, option: &str) -> Option<String> {
        self.given.remove(option)
    }

    /// What is missing or wrong so far, a line each; what the command line has given and nobody has asked for is wrong, too.
    pub fn complaints(&self) -> Vec<String> {
        let unused = self.given.keys().map(|option| format!("{option}: nothing asks for it with these other answers"));
        let missing = self.missing.iter().map(|what| format!("{what}: is missing"));
        missing.chain(self.wrong.iter().cloned()).chain(unused).collect()
    }

    /// As if the command line had said it.
    pub fn give(&mut self, option: &'static str, answer: String) {
        self.given.insert(option, answer);
    }

    /// Asks for something that is looked up and not written down.
    pub fn free(&mut self, asks: &str) -> anyhow::Result<String> {
        loop {
            match self.line(asks)? {
                answer if answer.is_empty() => self.say("  this has to be known")?,
                answer => return Ok(answer),
            }
        }
    }

    /// Nobody can be asked, and this would have to be known.
    pub fn miss(&mut self, option: &str, why: &str) {
        // What has been said of it first says more.
        if !self.missing.iter().any(|missed| missed.starts_with(option)) {
            self.missing.push(format!("{option} ({why})"));
        }
    }

    /// Says something to whoever is there.
    pub fn say(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Has one question answered, and notes the answer in the draft if the readers can use it.
    pub fn put(&mut self, draft: &mut Draft<'_>, question: &Question) -> anyhow::Result<()> {
        loop {
            let given = self.given.remove(question.option);
            let is_given = given.is_some();
            let answer = match given {
                Some(given) => Some(given),
                None => self.hear(question)?,
            };
            let Some(answer) = answer else { return Ok(()) };
            let before = draft.get(question.place).map(str::to_owned);
            draft.set(question.place, chosen(question, &answer));
            let Some(what) = none_of(question, draft).or_else(|| draft.problem(question.place)) else { return Ok(()) };
            match before {
                Some(before) => draft.set(question.place, before),
                None => draft.unset(question.place),
            }
            let blamed = if is_given || self.input.is_none() { question.option } else { "  that" };
            match self.input {
                Some(_) => self.say(&format!("{blamed} {what}"))?,
                None => {
                    self.wrong.push(format!("{blamed}: {what}"));
                    return Ok(());
                }
            }
        }
    }

    /// Asks whether to try once more what has failed. Nobody tries again.
    pub fn tries_again(&mut self, otherwise: &str) -> anyhow::Result<bool> {
        if self.input.is_none() {
            return Ok(false);
        }
        let answer = self.line(&format!("Try again? (yes, or no: {otherwise}) [yes]"))?;
        Ok(answer.is_empty() || answer.to_lowercase().starts_with('y'))
    }

    /// One of these, by its number or by itself. None where nobody can be asked.
    pub fn choose(&mut self, asks: &str, choices: &[String]) -> anyhow::Result<Option<usize>> {
        if self.input.is_none() {
            return Ok(None);
        }
        for (number, choice) in (1..).zip(choices) {
            self.say(&format!("  {number}. {choice}"))?;
        }
        loop {
            let answer = self.line(asks)?;
            match answer.parse::<usize>() {
                Ok(number) if (1..=choices.len()).contains(&number) => return Ok(Some(number - 1)),
                _ => self.say(&format!("  that is no number from 1 to {}", choices.len()))?,
            }
        }
    }

    /// What is answered, the default included; none where nothing is.
    fn hear(&mut self, question: &Question) -> anyhow::Result<Option<String>> {
        if self.input.is_none() {
            if question.default.is_none() && !question.optional {
                let words: Vec<_> = question.choices.iter().map(|(word, _)| word.as_str()).collect();
                let what = if words.is_empty() { question.asks.clone() } else { words.join(", ") };
                self.miss(question.option, &what);
            }
            return Ok(question.default.clone());
        }
        for (number, (word, says)) in (1..).zip(&question.choices) {
            self.say(&format!("  {number}. {word}: {says}"))?;
        }
        let shown = match &question.default {
            Some(default) => format!(" [{default}]"),
            None if question.optional => " [none]".to_owned(),
            None => String::new(),
        };
        loop {
            let answer = self.line(&format!("{}{shown}", question.asks))?;
            match (answer.is_empty(), &question.default) {
                (false, _) if question.optional && answer == "none" => return Ok(None),
                (false, _) => return Ok(Some(answer)),
                (true, Some(default)) => return Ok(Some(default.clone())),
                (true, None) if question.optional => return Ok(None),
                (true, None) => self.say("  this has to be known")?,
            }
        }
    }

    fn line(&mut self, asks: &str) -> anyhow::Result<String> {
        write!(self.out, "{asks}: ")?;
        self.out.flush()?;
        let mut line = Vec::new();
        let input = self.input.as_mut().ok_or(Ended)?;
        if input.read_until(b'\n', &mut line)? == 0 {
            writeln!(self.out)?;
            return Err(Ended.into());
        }
        if !io::stdin().is_terminal() {
            // Nobody's Return shows.
            writeln!(self.out)?;
        }
        Ok(String::from_utf8_lossy(&line).trim().to_owned())
    }
}

/// A reader knows nothing of a kind that is none.
fn none_of(question: &Question, draft: &Draft<'_>) -> Option<String> {
    let words: Vec<_> = question.choices.iter().map(|(word, _)| word.as_str()).collect();
    let is_one = words.is_empty() || words.contains(&draft.get(question.place).unwrap_or_default());
    (!is_one).then(|| format!("is none of: {}", words.join(", ")))
}

/// The word that a number stands for, or the answer itself.
fn chosen(question: &Question, answer: &str) -> String {
    let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let word = number.and_then(|number| question.choices.get(number)).map(|(word, _)| word.clone());
    let spelt = question.spelling.as_ref().map(|spelling| spelling(answer));
    word.or(spelt).unwrap_or_else(|| answer.to_owned())
}
