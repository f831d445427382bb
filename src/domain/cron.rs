//! A cron expression, shared by all that go by it: parsed, it takes five kilobytes.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use croner::errors::CronError;

/// A cron expression. Clones are the same one.
#[derive(Clone)]
pub struct Cron(Arc<croner::Cron>);

impl From<croner::Cron> for Cron {
    fn from(cron: croner::Cron) -> Self {
        Self(Arc::new(cron))
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        text.parse().map(|cron: croner::Cron| cron.into())
    }
}

impl Deref for Cron {
    type Target = croner::Cron;

    fn deref(&self) -> &croner::Cron {
        &self.0
    }
}

/// As it is written.
impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
