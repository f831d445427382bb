//! The stable names of why something is done or waited for: in logs, status, exit codes and alerts.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident => $sentence:literal,)+) => {
        /// Why. The name never changes once released; the sentence beside it may.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means, as a sentence for people.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)+ }
            }
        }
    };
}

reasons! {
    /// Nothing to do until the token comes due.
    NotDue => "the token is good and not due yet",
    /// `rotate_before_expiry` has been reached.
    NearingExpiry => "the token nears the end of its life",
    /// `max_age` has been reached.
    MaxAgeReached => "the token has reached its greatest age",
    /// Expiry minus `min_slack`: no window and no jitter can put it off.
    LastSafeMoment => "this is the last safe moment to rotate",
    /// The token's life is over.
    TokenExpired => "the token's life is over",
    /// The vault's token is refused by the endpoint itself.
    TokenRefused => "the token is refused although nothing says it should be",
    /// Neither an expiry nor an age limit is known.
    NoKnownEnd => "nothing says when the token dies: set assumed_lifetime or max_age",
    /// Due, but a token was issued less than a day ago.
    IssuedRecently => "a token was issued less than a day ago, policy alone does not issue another",
    /// A rotation was begun and its answer may be lost.
    AnswerLost => "a rotation was begun and its answer may be lost, so the issuer is asked again",
    /// A stored token waits to be given to Entra.
    PendingToken => "a stored token is not with Entra for certain yet",
    /// A pending token is older than the current one, or dead.
    PendingSuperseded => "a pending token has been overtaken or is dead",
    /// A pending version was disabled, or does not hold the token that its labels speak of.
    PendingUnreadable => "a pending version can no longer be read, so it is put aside",
    /// A pause of ours stands and Entra's saved token passes.
    PauseToEnd => "the job is still paused by us and Entra's saved token passes",
    /// A pause of ours was ended by somebody.
    PauseEnded => "the job runs again after a pause of ours",
    /// A pause whose tag was never written, found while it is certainly ours.
    PauseToRecord => "the job was paused by a rotation that could not write it down",
    /// A pause that may be ours or a person's.
    PauseOfUnknownOrigin => "the job is paused, and whether by a broken-off rotation or by a person cannot be told",
    /// Waiting after a failure.
    BackingOff => "an attempt failed and the next one is not due yet",
    /// A process that has just begun.
    JustBegun => "this process has just begun, and what a former one asked for may not show yet",
    /// Another process is rotating this connection.
    AnotherHolder => "another process is rotating this connection",
    /// Another process has the first say, and this one waits whether it does what is to be done.
    StandingBy => "another process has tended this connection so far, and is given some minutes to do what is to be done",
    /// The process that had the first say is gone, or asked to step back.
    Claimed => "no other process tends this connection any more, so this one does",
    /// The issuer wants a minute between two rotations.
    IssueFloor => "the last issue was less than a minute ago",
    /// As many rotations as may be are under way.
    Queued => "it waits for its turn: as many rotations as may be made at the same time are under way",
    /// Four issues in a day: something is wrong that issuing does not cure.
    IssueBudgetSpent => "four tokens were issued within a day, and another one would not help",
    /// Nothing of ours in the vault, and `bootstrap` is not set.
    NotAdopted => "the vault holds no version of ours: say by bootstrap = \"adopt\", \"rotate\" or \"create\" how to begin",
    /// `bootstrap = "adopt"` and nothing usable to adopt.
    NothingToAdopt => "there is no usable version in the vault to adopt",
    /// First contact: the vault's latest version is taken over.
    BootstrapAdopt => "first contact: the token that stands in the vault is taken over",
    /// First contact: a first token is issued.
    BootstrapIssue => "first contact: the issuer makes the first token of ours",
    /// Somebody stored a version and may.
    SuppliedToken => "somebody stored a token in the vault, and the configuration accepts it",
    /// Labels edited by hand.
    JournalDamaged => "a label of ours on the newest version cannot be read",
    /// A cycle that began after the PUT has succeeded.
    Confirmed => "a provisioning cycle has succeeded with the new token",
    /// The saved check passed with the previous token known dead.
    Proven => "Entra's saved token passes although the previous one is dead",
    /// An hour unproven: PUT once more.
    StillUnproven => "Entra may still hold the previous token, so the new one is written once more",
    /// No cycle has succeeded within `confirm_within`.
    Unconfirmed => "no provisioning cycle has succeeded since the new token was given to Entra",
    /// Entra's saved token fails, the vault's passes.
    EntraHoldsAnother => "Entra's saved token is refused and the vault's is good",
    /// A quarantine for credentials that have been good since.
    QuarantineToEnd => "the job is in quarantine for credentials that pass now",
    /// `start` was given once; Entra's own retry is awaited.
    QuarantineStands => "the job is in quarantine although its credentials pass; start has been given once",
    /// A cycle failed or a check did not pass, and nothing proves a refusal.
    NoVerdict => "Entra did not accept the token, and nothing shows whether the token or the endpoint is at fault",
    /// Versions that are no longer current may be disabled.
    OldVersions => "versions that are no longer current have served their time",
    /// The wall clock has fallen before 2020 while the process runs.
    ClockNotSet => "this host's clock has lost its date, so nothing is looked at and nothing begun until it is set again",
    /// A service could not be asked.
    CannotObserve => "a service could not be asked",
    /// A step before issuing failed: nothing was changed.
    PreflightFailed => "a later step could not be carried out, so nothing was begun",
    /// The issuer certainly made no token.
    NotIssued => "the issuer made no token",
    /// The new token was refused and put aside.
    NewTokenRefused => "the new token was refused and has been put aside",
    /// A step after issuing failed; it is resumed.
    StepFailed => "a step failed and will be resumed",
    /// Another process has stored a newer version.
    TakenOver => "another process has taken over",
    /// Refused at load, while the other connections run.
    ConfigRefused => "its configuration cannot be used",
    /// Taken out of the configuration in the middle of a rotation.
    LeftBehind => "nobody tends it any more, and what it has begun has not come to its end",
    /// Two connections, one issuer tenant.
    TenantShared => "two connections have one issuer tenant and would rotate each other's token away",
    /// Shutting down.
    ShuttingDown => "the process is shutting down",
    /// A rotation that had not asked the issuer yet was given up for an order.
    OrderFirst => "an order of a person came before the rotation had asked the issuer",
    /// A proven token was refused again within a week of another one.
    RotatedElsewhere => "a good token is refused for the second time within a week: something else rotates or removes it",
    /// Whoever reads the latest version finds another token than the current one.
    LatestIsAnother => "the latest version in the vault is not the current token, so the current one is stored again",
    /// A supplied token is due, and only a person can bring the next.
    SupplyNeeded => "the token nears its end and somebody has to bring the next one",
    /// A rejected token works by now.
    TookEffectLate => "a token that was rejected works by now and is taken back",
    /// The current version is disabled, deleted, or no longer holds its token.
    CurrentUnreadable => "the vault's current version can no longer be read, and Entra's saved token is refused",
    /// A person asks for a new token.
    Ordered => "a person has asked for a new token",
    /// A person says that the current token is in wrong hands.
    Compromised => "the current token is in wrong hands and is replaced at once",
    /// A person brings a token that is the current one already.
    AlreadyCurrent => "the token is the current one already",
    /// A person wants no rotation by policy for a while.
    Held => "a person has put rotations off for a while",
    /// The hold is over, by a person's word.
    Released => "the hold on rotations has been ended",
    /// Rotated to the end.
    Rotated => "Entra holds the new token and accepts it",
}

impl Reason {
    /// What a person can do about it: of every reason that nothing else ends. `NAME` stands for the connection.
    pub const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Self::NotAdopted => {
                "set `bootstrap`, or bring a token by `scim-rotator adopt NAME --token-file FILE`, or have one made by `scim-rotator rotate NAME`; if somebody has deleted the secret, `az keyvault secret recover` brings it back"
            }
            Self::NothingToAdopt => {
                "bring the token by `scim-rotator adopt NAME --token-file FILE`, or have one made by `scim-rotator rotate NAME`; if somebody has deleted the secret, `az keyvault secret recover` brings it back"
            }
            Self::NoKnownEnd => {
                "set max_age, or set assumed_lifetime and have a token made under it by `scim-rotator rotate NAME`"
            }
            Self::IssueBudgetSpent => {
                "read the errors before this one and mend their cause; it goes on by itself when a day has passed; who cannot wait for that brings a token by `scim-rotator adopt NAME --token-file FILE`"
            }
            Self::JournalDamaged => {
                "put the tags of the newest version back as they were, or write a whole version over it by `scim-rotator rotate NAME`"
            }
            Self::PauseOfUnknownOrigin => {
                "start the job in the Entra portal (Provisioning, Start) unless it is meant to be paused"
            }
            Self::PreflightFailed => {
                "mend what the message lists, then let `scim-rotator once` (or the daemon, within a quarter of an hour) try again"
            }
            Self::RotatedElsewhere => {
                "find out what else rotates or removes the token at the issuer and end it, then have a new one made by `scim-rotator rotate NAME`"
            }
            Self::SupplyNeeded => {
                "bring the next token by `scim-rotator adopt NAME --token-file FILE`, or store it in the vault"
            }
            Self::ClockNotSet => {
                "start this host's time service (timedatectl set-ntp true), or set the clock; it is looked at every five minutes"
            }
            Self::ConfigRefused => {
                "correct what is listed; `scim-rotator config check` tries it; then reload the daemon (SIGHUP)"
            }
            Self::LeftBehind => {
                "put the connection back into the configuration as it was and reload the daemon (SIGHUP), which brings it to its end; if it is not to come back, start the job in the Entra portal (Provisioning, Start), once a token that works is saved there"
            }
            Self::TenantShared => "remove one of the two connections from the configuration",
            Self::Held => "`scim-rotator release NAME` ends the hold",
            _ => return None,
        })
    }

    /// What a person who meets it does, and where that is nothing, what ends it: for the documentation of every reason.
    pub const fn outlook(self) -> &'static str {
        if let Some(remedy) = self.remedy() {
            return remedy;
        }
        match self {
            Self::NotDue => "nothing; `next` says when it comes due",
            Self::NearingExpiry
            | Self::MaxAgeReached
            | Self::LastSafeMoment
            | Self::TokenExpired
            | Self::TokenRefused => {
                "nothing: it is rotated now, or as soon as a window and the gap between two cycles let it"
            }
            Self::IssuedRecently => "nothing; `scim-rotator rotate NAME` has one made all the same",
            Self::AnswerLost => "nothing: HPE is asked again after 3, 10 and 60 minutes; the error before it says why",
            Self::PendingToken | Self::PendingSuperseded | Self::PendingUnreadable => {
                "nothing: it is finished, or put aside"
            }
            Self::PauseToEnd => "nothing: the job is started",
            Self::PauseEnded | Self::PauseToRecord => "nothing: that is written down",
            Self::BackingOff => "read the error that is shown with it; `next` says when it is tried again",
            Self::JustBegun => "nothing: three minutes after its start it goes on",
            Self::AnotherHolder | Self::StandingBy | Self::TakenOver => {
                "nothing, if a second replica is meant to be; otherwise end one of the two"
            }
            Self::Claimed => "nothing; if the other process is meant to be the one, see what has become of it",
            Self::IssueFloor => "nothing: it is asked a minute later",
            Self::Queued => {
                "nothing: it is rotated when another one has ended, and at its last safe moment in any case; if that is too \
                 slow for so many connections, raise at_once or at_once_per_host under [rotations]"
            }
            Self::BootstrapAdopt | Self::BootstrapIssue => "nothing: this is what `bootstrap` asks for",
            Self::SuppliedToken => "nothing: it is tested and given to Entra",
            Self::Confirmed | Self::Proven | Self::Rotated => "nothing: all is well",
            Self::StillUnproven => "nothing: it is written once more, and looked at when the old one is over",
            Self::Unconfirmed => "look why no cycle succeeds: Provisioning logs of the application in the Entra portal",
            Self::EntraHoldsAnother => {
                "nothing: the vault's token is given to Entra; see who else writes the credentials there"
            }
            Self::QuarantineToEnd => "nothing: the job is started, once",
            Self::QuarantineStands => "nothing: Entra tries again at the time that `status` names",
            Self::NoVerdict => {
                "see whether the SCIM endpoint is up (`scim-rotator doctor`); it is looked at every five minutes"
            }
            Self::OldVersions => "nothing: they are disabled, never deleted",
            Self::CannotObserve | Self::NotIssued | Self::StepFailed => {
                "read the error behind it, which names the service and the remedy; it is tried again by itself"
            }
            Self::NewTokenRefused => {
                "nothing at first: the last good token is put back, and the refused one looked at for a day; if it is one that \
                 takes its time, raise settle_for"
            }
            Self::OrderFirst => "nothing: the order is carried out, and policy says again what comes after it",
            Self::ShuttingDown => "nothing: whoever starts next takes it up",
            Self::LatestIsAnother => "nothing: the current token is stored again, so that it is the latest",
            Self::TookEffectLate => "raise settle_for, so that it is waited for the next time",
            Self::CurrentUnreadable => "see who disabled or deleted the version; a new token is made",
            Self::Ordered | Self::Compromised => "nothing: it is carried out",
            Self::AlreadyCurrent => "nothing",
            Self::Released => "nothing: policy alone says again when to rotate",
            // These have a remedy, which was taken above.
            Self::NoKnownEnd
            | Self::PauseOfUnknownOrigin
            | Self::IssueBudgetSpent
            | Self::NotAdopted
            | Self::NothingToAdopt
            | Self::JournalDamaged
            | Self::PreflightFailed
            | Self::ClockNotSet
            | Self::ConfigRefused
            | Self::LeftBehind
            | Self::TenantShared
            | Self::RotatedElsewhere
            | Self::SupplyNeeded
            | Self::Held => "",
        }
    }

    /// The same for one connection, ready to be typed.
    pub fn remedy_for(self, connection: &str) -> Option<String> {
        self.remedy().map(|remedy| remedy.replace("NAME", connection))
    }

    /// Whether it says why to try again after a failure: while that is waited for, the failure is what people need to see.
    pub const fn is_retry(self) -> bool {
        matches!(
            self,
            Self::BackingOff
                | Self::AnswerLost
                | Self::IssueFloor
                | Self::TokenExpired
                | Self::TokenRefused
                | Self::CurrentUnreadable
        )
    }

    /// Whether it is a person's order that is carried out.
    pub const fn is_order(self) -> bool {
        matches!(self, Self::Ordered | Self::Compromised | Self::Held | Self::Released)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_names_the_connection_and_is_ready_to_be_typed() {
        let remedy = Reason::Held.remedy_for("prod").unwrap();
        assert!(remedy.contains("scim-rotator release prod`") && !remedy.contains("NAME"), "{remedy}");
        assert_eq!(Reason::NotDue.remedy_for("prod"), None);
    }

    fn those(fits: impl Fn(Reason) -> bool) -> Vec<Reason> {
        Reason::ALL.iter().copied().filter(|reason| fits(*reason)).collect()
    }

    #[test]
    fn whatever_only_a_person_ends_comes_with_a_remedy_and_nothing_else_does() {
        let remedied = [
            Reason::PauseOfUnknownOrigin,
            Reason::IssueBudgetSpent,
            Reason::NotAdopted,
            Reason::NothingToAdopt,
            Reason::JournalDamaged,
            Reason::PreflightFailed,
            Reason::ConfigRefused,
            Reason::TenantShared,
            Reason::LeftBehind,
            Reason::RotatedElsewhere,
            Reason::SupplyNeeded,
            Reason::NoKnownEnd,
            Reason::ClockNotSet,
            Reason::Held,
        ];
        let mut told = those(|reason| reason.remedy().is_some());
        told.sort_by_key(|reason| remedied.iter().position(|known| known == reason));
        assert_eq!(told, remedied);
    }

    #[test]
    fn a_failure_is_shown_while_its_repetition_is_waited_for_and_under_no_other_wait() {
        let shown = [
            Reason::TokenExpired,
            Reason::TokenRefused,
            Reason::AnswerLost,
            Reason::BackingOff,
            Reason::IssueFloor,
            Reason::CurrentUnreadable,
        ];
        assert_eq!(those(Reason::is_retry), shown);
    }

    #[test]
    fn of_every_reason_it_is_said_what_to_do_or_what_ends_it() {
        assert_eq!(those(|reason| reason.outlook().is_empty()), []);
        assert_eq!(those(|reason| reason.remedy().is_some_and(|remedy| remedy != reason.outlook())), []);
    }

    #[test]
    fn four_reasons_are_a_persons_order() {
        assert_eq!(those(Reason::is_order), [Reason::Ordered, Reason::Compromised, Reason::Held, Reason::Released]);
    }
}
