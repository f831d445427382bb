//! What a reload changes. Whoever it does not concern is tended all the while, and takes orders: a connection that is told to
//! end may take long, and only the one that takes its place waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::time::Instant;

use super::Daemon;
use crate::admin::control::Call;
use crate::app::App;
use crate::config::{Common, Config, Environment, Loaded, Refused};
use crate::engine::fleet::{Identity, Make, Parted};
use crate::engine::{Claims, Report, herd};

/// Connections that are to be tended as soon as nobody else has anything of theirs.
#[derive(Default)]
pub(super) struct Coming {
    by_name: BTreeMap<String, New>,
    /// Who waits for what.
    wanted: BTreeMap<u64, String>,
    /// What people have asked of them meanwhile.
    calls: Vec<Call>,
    /// When the next of them may look for the first time, and how far apart they do.
    next: Option<Instant>,
    apart: Duration,
}

struct New {
    identity: Identity,
    claims: Claims,
    make: Make,
    check: String,
}

impl Coming {
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// From now on nothing is taken up: the daemon ends.
    pub fn refuse(&mut self) {
        self.calls.clear();
    }

    /// All that have come are spread, in whatever small groups they are admitted.
    fn spread(&mut self) {
        (self.next, self.apart) = (None, herd::apart(self.by_name.len()));
    }

    /// How long the next one waits before it looks.
    fn slot(&mut self) -> Duration {
        let now = Instant::now();
        let at = self.next.map_or(now, |next| next.max(now));
        self.next = Some(at + self.apart);
        at - now
    }

    fn push(&mut self, name: String, new: New) {
        self.wanted.extend(new.claims.all.iter().map(|claim| (*claim, name.clone())));
        self.by_name.insert(name, new);
    }

    fn take(&mut self, name: &str) -> Option<New> {
        let new = self.by_name.remove(name)?;
        new.claims.all.iter().for_each(|claim| drop(self.wanted.remove(claim)));
        Some(new)
    }

    /// Those who have waited for any of this.
    fn waiting_for(&self, claims: &Claims) -> BTreeSet<String> {
        claims.all.iter().filter_map(|claim| self.wanted.get(claim)).cloned().collect()
    }
}

impl Daemon {
    /// Brings the fleet in step with a configuration: what has not changed is not touched.
    pub(super) async fn apply(&mut self, config: Config) -> anyhow::Result<()> {
        let app = Arc::new(App::build(&config, self.shared.clone())?);
        let audience = app.audience(&config);
        // Everything that can fail comes first, so that a configuration that fails changes nothing. What is told of each
        // connection is dropped as soon as it is made: of many it takes as much as they do.
        let (mut wanted, mut common) = (BTreeMap::new(), Common::default());
        for connection in config.connections {
            let (name, check) = (connection.name.to_string(), connection.check.as_str().to_owned());
            let (identity, claims) = (app.identity(&connection), App::claims(&connection));
            let make = app.maker(connection, &mut common)?;
            wanted.insert(name, New { identity, claims, make, check });
        }
        drop(common);
        app.limit_rotations();
        self.web.listen(config.admin);
        for seen in self.looks.refused().iter().filter(|seen| !wanted.contains_key(&seen.connection)) {
            self.forget(&seen.connection);
        }
        let refused = config.refused.iter().map(|one| Report::refused(&one.name, one.problems.to_string()));
        self.looks.refuse(refused.collect());
        self.notifier.turn_to(audience);
        let wards: BTreeSet<_> = wanted.values().map(|new| new.claims.ward).collect();
        let changed = |name: &str, identity: &Identity| wanted.get(name).is_none_or(|new| new.identity != *identity);
        let gone = self.fleet.members().iter().filter(|(name, member)| changed(name, &member.identity));
        let gone: Vec<_> =
            gone.map(|(name, member)| (Arc::clone(name), wards.contains(&member.claims().ward))).collect();
        for (name, has_heir) in gone {
            tracing::info!(connection = %name, "no longer tended as it was configured");
            if let Err(error) = self.ticker.stop(&name).await {
                tracing::info!(connection = %name, %error, "its cron job cannot be removed, and wakes nobody from now on");
            }
            self.fleet.part(&name, has_heir);
        }
        self.fleet.hand_over(&wards);
        let (mut free, members) = (BTreeSet::new(), self.fleet.members());
        for (name, new) in wanted.into_iter().filter(|(name, _)| !members.contains_key(name.as_str())) {
            if !self.fleet.holds(&new.claims) {
                free.insert(name.clone());
            }
            self.coming.push(name, new);
        }
        self.coming.spread();
        self.admit(free).await;
        if !self.coming.is_empty() {
            let waiting = self.coming.by_name.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let parting = self.fleet.parting().collect::<Vec<_>>().join(", ");
            tracing::info!(
                waiting,
                parting,
                "the reload, and every further one, waits until what is under way is at a safe point"
            );
        }
        Ok(())
    }

    /// Begins to tend those who have waited for it.
    async fn admit(&mut self, names: BTreeSet<String>) {
        // Before any of them looks, so that none issues before all have shown their tenant.
        names.iter().for_each(|name| self.shared.tenants.expect(name));
        for name in names {
            let Some(New { identity, claims, make, check }) = self.coming.take(&name) else { continue };
            self.looks.takes_up(&claims).iter().for_each(|left| self.forget(left));
            let name = Arc::<str>::from(name);
            self.looks.expect(Arc::clone(&name), identity, self.clock.now());
            let wake = self.fleet.add(Arc::clone(&name), identity, claims, make, self.coming.slot());
            if let Err(error) = self.ticker.wake(Arc::clone(&name), wake, &check).await {
                tracing::error!(connection = %name, check, %error, "nothing wakes this connection at the times of its check; it looks when something is due, and once a day at least");
            }
        }
        let (waiting, coming) = (std::mem::take(&mut self.coming.calls), &self.coming.by_name);
        let (waiting, come) = waiting.into_iter().partition(|call| coming.contains_key(call.connection()));
        self.coming.calls = waiting;
        come.into_iter().for_each(|call: Call| call.pass_to(&self.fleet));
    }

    /// A connection has ended that was told to, and perhaps more of them: those that come after them come together.
    pub(super) async fn parted(&mut self, parted: Parted) {
        let mut free = self.freed_by(parted);
        while let Some(parted) = self.fleet.parted().now_or_never() {
            free.append(&mut self.freed_by(parted));
        }
        if free.is_empty() {
            return;
        }
        self.admit(free).await;
        if self.coming.is_empty() {
            self.reloaded(Ok(()));
        }
    }

    /// Who need wait no longer.
    fn freed_by(&self, Parted { name, claims }: Parted) -> BTreeSet<String> {
        self.shared.tenants.release(&name);
        // Of one that is only configured otherwise, what was seen is still what is known.
        let stays = self.coming.by_name.get(&name).is_some_and(|new| new.claims.ward == claims.ward);
        if !stays {
            self.looks.forget(&name);
            self.forget(&name);
        }
        let mut free = self.coming.waiting_for(&claims);
        free.retain(|name| self.coming.by_name.get(name).is_some_and(|new| !self.fleet.holds(&new.claims)));
        free
    }

    /// What somebody asks of a connection, now or once that is tended again.
    pub(super) fn pass_on(&mut self, call: Call) {
        match self.coming.by_name.contains_key(call.connection()) {
            true => self.coming.calls.push(call),
            false => call.pass_to(&self.fleet),
        }
    }

    /// SIGHUP: a good configuration is taken over, a bad one refused; everybody looks.
    pub(super) async fn reload(&mut self) {
        self.manager.reloading();
        let read = self.read_again().await;
        self.manager.ready();
        if read.is_err() || self.coming.is_empty() {
            self.reloaded(read);
        }
    }

    /// It has been taken over as a whole, or is refused for these problems.
    fn reloaded(&self, read: Result<(), String>) {
        match &read {
            Ok(()) => {
                tracing::info!(connections = self.fleet.members().len(), "the configuration was read again");
            }
            Err(problems) => tracing::error!(%problems, "the new configuration is refused; the old one stays"),
        }
        self.manager.refused(read.is_err());
        self.looks.reloaded(read.err());
        self.fleet.wake_all();
    }

    /// Fails with all that is wrong with it.
    async fn read_again(&mut self) -> Result<(), String> {
        let loaded = Config::load(&self.config_file, &Environment::of_process());
        let Loaded { config, .. } = loaded.map_err(|problems| problems.to_string())?;
        if !config.refused.is_empty() {
            let told = config.refused.iter().map(|Refused { name, problems }| format!("connection {name}: {problems}"));
            return Err(told.collect::<Vec<_>>().join("\n"));
        }
        self.apply(config).await.map_err(|error| crate::engine::chain(error.as_ref()).to_string())
    }

    /// Nothing more will be told of it.
    fn forget(&self, connection: &str) {
        self.manager.forget(connection);
        self.notifier.forget(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_admitted_one_by_one_looks_apart_as_who_is_admitted_with_others() {
        let mut coming = Coming { apart: Duration::from_millis(20), ..Coming::default() };
        assert_eq!([0; 3].map(|_| coming.slot().as_millis()), [0, 20, 40]);
        tokio::time::advance(Duration::from_millis(50)).await;
        assert_eq!([0; 2].map(|_| coming.slot().as_millis()), [10, 30]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(coming.slot(), Duration::ZERO, "nobody has come for long");
        coming.slot();
        coming.spread();
        assert_eq!(coming.slot(), Duration::ZERO, "another reload");
    }
}
