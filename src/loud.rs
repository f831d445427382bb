//! What is logged as a warning or an error, and what `status` warns of. The words are said where it happens; what they mean
//! and what to do about them stands here, for the documentation. A test finds each in the code, and each in the code here.

use crate::messages::messages;

messages! {
    /// Every line of the log from `warn` on.
    pub enum Logged {
        /// A look, a rotation, or any other act.
        Failed {
            shows: "… failed",
            means: "an act failed; the line has the reason, the whole chain of causes, and when it is tried again",
            remedy: "look the reason and the service up in the tables here",
        }
        /// A clock that nobody has set.
        ClockNotSet {
            shows: "…; nothing is looked at before that",
            means: "this host's clock shows a year before 2020, so nobody has set it yet: `run` waits for it, commands end with 1 (`check --due`: with 0, for doubt)",
            remedy: "start this host's time service (timedatectl set-ntp true), or set the clock",
        }
        /// The page's own port.
        PageUnserved {
            shows: "the status page cannot be served here; tokens are tended all the same, and it is tried again",
            means: "the address of `[admin]` is taken or not one of this host's; page, health and metrics cannot be read",
            remedy: "see who has the port (ss -ltnp), or set listen under [admin] to another one, or to \"none\"",
        }
        /// One who wanted to read.
        PageCallerUnheard {
            shows: "a caller of the status page could not be let in",
            means: "the process has no file descriptors left, most likely",
            remedy: "raise LimitNOFILE of the service",
        }
        /// One of several.
        Refused {
            shows: "this connection is refused; the others are tended",
            means: "what is wrong with its configuration is listed; it has no daemon until that is mended",
            remedy: "correct what is listed, try it by `scim-rotator config check`, and reload the daemon (SIGHUP)",
        }
        /// Another process was quicker.
        TakenOver {
            shows: "… ended",
            means: "another process has taken over; this one changes nothing any more",
            remedy: "nothing, if a second replica is meant to be",
        }
        /// A bearer, early.
        NoBearer {
            shows: "the issuer's bearer cannot be had now; without it no token can be issued",
            means: "HPE's login, or the file or command for the bearer, failed, while nothing is due yet",
            remedy: "mend what the error names before the token comes due",
        }
        /// A clock that is wrong by days.
        ClockAstray {
            shows: "this host's clock is more than a day from Microsoft Graph's, which is believed: set it",
            means: "by this host alone a living token would be taken for dead, or a dead one for alive",
            remedy: "mend its time service (timedatectl set-ntp true)",
        }
        /// Put back at once.
        SettingsLost {
            shows: "settings of the provisioning job were lost by a write; putting them back",
            means: "Graph replaced what it should have merged",
            remedy: "nothing, unless the next line says that it could not be done",
        }
        /// Not to be put back.
        SettingsGone {
            shows: "these settings of the provisioning job could not be put back",
            means: "Graph shows them no more, or otherwise than before; the token works",
            remedy: "set them again in the portal (the application → Provisioning → Settings)",
        }
        /// Clamped, at each issue.
        ShortLife {
            shows: "the new token lives shorter than the policy thinks; it is rotated by its own life",
            means: "rotate_before_expiry would use less than a third of its life, or a day, or min_slack is longer than rotate_before_expiry leaves: both are cut down for this token, and status says to what",
            remedy: "see the warning in status; set both for the real life of a token, as a share perhaps",
        }
        /// A dropped or late PUT.
        WrittenAgain {
            shows: "Entra does not accept what it has saved although it accepts the token; writing it again",
            means: "a write to Entra was dropped, or is not seen yet",
            remedy: "nothing",
        }
        /// After a refusal.
        NotCleared {
            shows: "what a refused token left behind is cleared at a later look",
            means: "a token was refused, and something failed while things were put back",
            remedy: "nothing, if it does not come again",
        }
        /// Onto the intent.
        NotNoted {
            shows: "that no token was issued could not be written down",
            means: "the vault was away; the next look assumes that a token may have been made",
            remedy: "nothing: it costs one more token at most",
        }
        /// A role on the one secret.
        DeletedUnseen {
            shows: "whether somebody has deleted the secret cannot be seen; there is none now",
            means: "the vault has no version of the secret, and does not let this identity look among the deleted ones (a role \
                    on the one secret may not do for that)",
            remedy: "before a first contact, look for it (az keyvault secret list-deleted --vault-name VAULT), and have it back \
                     if it is there (az keyvault secret recover --vault-name VAULT --name SECRET)",
        }
        /// A token in memory only.
        NotStored {
            shows: "a new token could not be stored in the vault; it lives in memory only until that succeeds",
            means: "the vault is away at the worst moment; Entra is given the token all the same",
            remedy: "mend the vault, and do not end this process before it has stored the token",
        }
        /// A vault that has gone away with the token.
        OthersUnseen {
            shows: "whether another process has taken over cannot be seen; going on",
            means: "the vault has taken the new token and cannot be read any more; Entra is given the token all the same",
            remedy: "mend the vault; nothing is lost meanwhile",
        }
        /// A policy on validity.
        WithoutExpiry {
            shows: "the vault refused the version with its expiry; storing it without",
            means: "a policy of the vault limits the validity; Azure's own alerts cannot warn of this version's end",
            remedy: "let the policy allow the life of the token, if those alerts are wanted",
        }
        /// Later.
        NotStarted {
            shows: "the job could not be started again; a later look does it",
            means: "provisioning stands for the moment; the token is not at fault",
            remedy: "nothing, if it does not come again; otherwise start the job in the portal",
        }
        /// Graph is behind.
        PauseNotShown {
            shows: "the job does not show the pause that was made of it; a later look starts it",
            means: "Graph took the pause and has shown the job as active for two minutes; or somebody started it at once",
            remedy: "nothing: within ten minutes it shows one way or the other",
        }
        /// Later.
        StartNotNoted {
            shows: "that the job runs again is written down as soon as it can be",
            means: "the vault was away when the job was started again",
            remedy: "nothing",
        }
        /// Nothing to write it onto.
        NeverNoted {
            shows: "what was done could not be written down and never will be",
            means: "the vault refuses the labels of what was done",
            remedy: "mend what the error names; it is done again where that does no harm",
        }
        /// Somebody's.
        NoToken {
            shows: "what somebody stored in the vault is no token; it is put aside",
            means: "a version without our labels holds something else",
            remedy: "store the token itself, or bring it by scim-rotator adopt NAME --token-file FILE",
        }
        /// A panic.
        Fault {
            shows: "a fault in the program ended the loop of this connection; it begins anew in a minute",
            means: "a mistake of this program",
            remedy: "report it with the lines around it; the vault's journal lets the next look go on",
        }
        /// SIGTERM with a token in memory.
        EndPutOff {
            shows: "the end is put off: a token that the vault does not have yet is in memory only",
            means: "the process was asked to end, and waits for the vault until four minutes have passed since",
            remedy: "mend the vault, or let it go: the next start has a new token made",
        }
        /// The vault never came.
        TokenLost {
            shows: "a token that the vault never took is lost; Entra may hold it, and whoever tends the connection next has the \
                    issuer rotate again",
            means: "the vault stayed away until the end",
            remedy: "start it again: one more token is issued",
        }
        /// A takeover while a token was in memory.
        TokenDropped {
            shows: "a token that was in memory only is dropped",
            means: "another process has taken over meanwhile, and has a token of its own made",
            remedy: "nothing, if a second replica is meant to be; otherwise end one of the two",
        }
        /// SIGTERM, and something hangs.
        LeftUnfinished {
            shows: "it did not come to a safe point in time; whoever tends it next takes it up",
            means: "the process was asked to end, and has not come to a safe point within the 285 seconds that it takes at most; or a \
                    reload took the connection away, and it has not within an hour",
            remedy: "start it again; the step that is named with it says what took so long",
        }
        /// SIGHUP, in the middle of a rotation.
        LeftBehind {
            shows: "nobody tends this connection any more, and it is left behind: what it has begun has not come to its end",
            means: "it was taken out of the configuration, or led to another secret or job, and what is named as `open` could not be \
                    brought to its end within an hour, or only a person can do that, or the process has ended before",
            remedy: "put the connection back as it was and reload; or do what stands on the page LeftBehind of the runbook",
        }
        /// A cron job that cannot be made.
        NoTicks {
            shows: "nothing wakes this connection at the times of its check; it looks when something is due, and once a day at least",
            means: "the cron of the process has not taken what stands in `check`; all else goes on",
            remedy: "restart the service; report it if it comes again",
        }
        /// SIGHUP.
        ReloadRefused {
            shows: "the new configuration is refused; the old one stays",
            means: "something in it can only be had by a restart, or cannot be built",
            remedy: "restart the service, or correct what the error names",
        }
        /// The watchdog.
        Stuck {
            shows: "the loop of a connection no longer turns; the watchdog is not fed",
            means: "something hangs; systemd ends the process and starts it anew",
            remedy: "nothing, if it does not come again; otherwise report it",
        }
        /// A second SIGTERM.
        EndedAtOnce {
            shows: "ended at once, as asked; the next start takes up what is unfinished",
            means: "a second SIGTERM, or Ctrl-C, came",
            remedy: "nothing",
        }
        /// No socket.
        NoSocket {
            shows: "no command can reach this daemon: its control socket cannot be opened",
            means: "the runtime directory cannot be written to; rotations by policy go on",
            remedy: "make the runtime directory writable for the service's user, or set runtime_dir",
        }
        /// One command.
        NotLetIn {
            shows: "a command could not be let in",
            means: "the system gave no more connections or files",
            remedy: "try the command again",
        }
        /// One command.
        CommandRefused {
            shows: "a command was refused: …",
            means: "the command was told the same",
            remedy: "see *Commands and the daemon on this host*",
        }
        /// Of the first contact.
        PutUntried {
            shows: "what a PUT does to settings that it does not name was not tried",
            means: "the experiment of `doctor --first-contact` left this part out; `why` says for what reason",
            remedy: "nothing: rotations are right whether a PUT merges or replaces",
        }
        /// A webhook that is away.
        NotTakenYet {
            shows: "a notification is not taken yet; it is tried again for a day",
            means: "a receiver of `[[notify]]` cannot be reached, or answers 5xx or 429; `error` says which; said once until it takes \
                    something",
            remedy: "see what the error says; `scim-rotator notify test NAME` tries it at once",
        }
        /// A webhook that wants none of it.
        NotTaken {
            shows: "a notification is given up",
            means: "its receiver refuses it, or has taken nothing for a day",
            remedy: "do what stands behind the dash; `scim-rotator notify test NAME` tries it",
        }
        /// More than it takes.
        TooManyWait {
            shows: "too many notifications wait for this receiver; some are dropped",
            means: "a hundred wait for one receiver; said once until none waits any more",
            remedy: "see why it takes none: the line before says so; to be told of less, name `events`",
        }
        /// SIGTERM, or a reload without it.
        NotDelivered {
            shows: "notifications are left undelivered",
            means: "the process has ended, or the receiver stands in the configuration no more, before they were taken",
            remedy: "nothing: what still stands is told again after the next start",
        }
        /// The dead man's switch.
        NotHeard {
            shows: "the heartbeat is not heard; it is tried again every minute",
            means: "the URL of `[heartbeat]` cannot be reached, or refuses to be called",
            remedy: "see what the error says; unless it is mended, whoever listens there raises the alarm",
        }
        /// In a month.
        CertificateEnds {
            shows: "the client certificate ends soon: …",
            means: "the certificate by which the daemon logs in to Entra has a month at most",
            remedy: "renew it, upload the new one, and put it into the file; it is read anew at each login",
        }
    }
}

messages! {
    /// What `status` and `check` warn of.
    pub enum Warned {
        /// Against Graph's `Date`.
        Clock {
            shows: "this host's clock differs from Microsoft Graph's by … seconds",
            means: "expiries and waits are reckoned by this host's clock; by Graph's, where they are more than a day apart",
            remedy: "mend its time service",
        }
        /// A guess.
        Assumed {
            shows: "the expiry is assumed (assumed_lifetime)",
            means: "nothing that the issuer said confirms it",
            remedy: "compare assumed_lifetime with what HPE grants, or name the expiry's place in the answer as expiry_pointer",
        }
        /// Not even a guess.
        NoEnd {
            shows: "nothing says when the token dies",
            means: "only max_age makes it come due",
            remedy: "set max_age, or assumed_lifetime",
        }
        /// Clamped.
        ShortLife {
            shows: "the token lives shorter than the policy thinks",
            means: "rotate_before_expiry or min_slack does not fit its life; what is in force instead is said behind it",
            remedy: "set both for the real life of a token, rotate_before_expiry to two thirds of it at most, or as a share",
        }
        /// Windows, jitter and slack, judged by the real life.
        NoRoom {
            shows: "this token, which lives for …, cannot be kept as the policy asks: …",
            means: "with the life that the token has, its window, jitter or slack leaves no room for a rotation, as the arithmetic behind it shows: the last safe moment will decide when it is rotated",
            remedy: "do what stands behind it; let the window open more often, or have tokens made that live longer",
        }
        /// 28 days.
        Quarantine {
            shows: "the job is in quarantine: Entra disables it for good in … days",
            means: "Entra tries ever less often, and gives up after 28 days",
            remedy: "see the reason beside it; scim-rotator doctor looks at job, settings and endpoint",
        }
        /// After them.
        GivenUp {
            shows: "the job is in quarantine, and Entra has disabled it on …",
            means: "28 days are over, and Entra tries no more",
            remedy: "mend the cause, which the reason beside it names, then start the job in the Entra portal (Provisioning, Start)",
        }
        /// Of ours.
        StandsStill {
            shows: "provisioning stands still: the job is paused by us since …",
            means: "a rotation is under way, or was broken off; the job runs again when what is shown beside it is settled",
            remedy: "see what is shown beside it",
        }
        /// Of ours, or of a person's.
        MayStandStill {
            shows: "provisioning stands still: the job is paused, it may be by us",
            means: "somebody has edited the tags that may have told whose pause it is",
            remedy: "start the job in the Entra portal (Provisioning, Start) unless it is meant to be paused",
        }
        /// By a person.
        Disabled {
            shows: "the current version in the vault, …, is disabled, so that nobody can read it",
            means: "Entra is given that token no more, should it lose it; a rotation by policy is made all the same",
            remedy: "enable the version again, or have a new token made by scim-rotator rotate NAME",
        }
        /// And then a rotation was broken off.
        Placeholder {
            shows: "nobody can read the current token in the vault, since its version was disabled",
            means: "a rotation was begun after that, and came to nothing; the version that tells of it holds no token",
            remedy: "have a new token made by scim-rotator rotate NAME",
        }
        /// A person's wish.
        Held {
            shows: "a person has put rotations by policy off until …",
            means: "nothing is rotated until then, unless the last safe moment comes first",
            remedy: "scim-rotator release NAME ends it",
        }
        /// Left alone.
        Foreign {
            shows: "somebody stored a newer version in the vault; it is left alone (accept_supplied = false)",
            means: "whoever reads the latest version gets that one",
            remedy: "set accept_supplied = true if such tokens are to be taken over; otherwise find out who stores there",
        }
    }
}

messages! {
    /// What ends a run, or refuses a command, without a service having said so.
    pub enum Stopped {
        /// `health`.
        NobodyAnswers {
            shows: "no daemon answers in …: start it, or name the runtime directory that it has",
            means: "`health` asks the daemon of the runtime directory, and there is none, or it does not answer",
            remedy: "systemctl status scim-rotator; runtime_dir must be the same for daemon and command",
        }
        /// `explain`.
        NoPage {
            shows: "the runbook has no page ……; `scim-rotator explain` shows what there is",
            means: "a page is named as a reason or an alert is, letter by letter",
            remedy: "scim-rotator explain",
        }
        /// Disabled or deleted.
        Unreadable {
            shows: "the vault's current version can no longer be read, and Entra does not accept what it has saved",
            means: "somebody has disabled or deleted the version, and whether its token is good cannot be told",
            remedy: "enable it again (az keyvault secret set-attributes --id … --enabled true); it is tried again by itself",
        }
        /// The token, or the endpoint?
        Unclear {
            shows: "Entra's test does not accept the current token, and nothing shows whether the token or the SCIM endpoint is at \
                    fault",
            means: "Entra answers the same for a refused token and for an endpoint that is away",
            remedy: "see whether the SCIM endpoint is up (`scim-rotator doctor`); it is tried again by itself",
        }
        /// One tenant, two connections.
        Shared {
            shows: "its API client belongs to the tenant that connection … rotates as well",
            means: "a rotation acts on the tenant's one token, so they would rotate each other's away",
            remedy: "keep one connection per tenant",
        }
        /// Overtaken.
        Dropped {
            shows: "another process has taken over: it has signed the newest version, or written a newer one",
            means: "another process has taken over",
            remedy: "nothing, if a second replica is meant to be; otherwise end one of the two",
        }
        /// Edited.
        Mislabelled {
            shows: "the version does not hold the token that its labels speak of",
            means: "somebody has edited the tags of the version, or it is no token any more",
            remedy: "see who writes there (az keyvault secret list-versions); scim-rotator rotate NAME has a new token made",
        }
        /// In the middle.
        Started {
            shows: "the provisioning job was started by somebody while it was paused for a rotation",
            means: "a cycle may run at a moment at which none should",
            remedy: "nothing: it is paused anew at the next try; see who started it",
        }
        /// Nothing to do.
        Known {
            shows: "the token that was brought is the one that the vault holds as current already",
            means: "there is nothing to adopt",
            remedy: "nothing; if another one was meant, bring that",
        }
        /// Of `kind = "supplied"`.
        Supplied {
            shows: "the tokens of this connection are supplied: there is nobody to ask for one",
            means: "its issuer is of kind \"supplied\"",
            remedy: "bring the next token by scim-rotator adopt NAME --token-file FILE",
        }
        /// Of the first contact.
        Unfit {
            shows: "something is unfinished: it comes first",
            means: "the experiment of `doctor --first-contact` leaves its last part out, and the rotation before it has been made",
            remedy: "nothing: scim-rotator once, or the daemon, brings it to its end",
        }
        /// A name.
        NoSuchConnection {
            shows: "there is no connection …; the configuration has …",
            means: "the name on the command line is none of the configuration's",
            remedy: "take one of those that are listed, or name the right file with --config",
        }
        /// Of `notify test`.
        NoSuchReceiver {
            shows: "there is no receiver …; the configuration has …",
            means: "the name on the command line is none of those under `[[notify]]`",
            remedy: "take one of those that are listed",
        }
        /// The same.
        NobodyTold {
            shows: "nobody is told of anything: there is no table [[notify]] in the configuration",
            means: "there is no receiver to try",
            remedy: "write a table [[notify]]: docs/notifications.md shows how",
        }
        /// A connection that cannot be used.
        ConnectionRefused {
            shows: "connection … is refused: …",
            means: "its configuration cannot be used, for the reasons that are listed",
            remedy: "correct what is listed; scim-rotator config check tries it",
        }
        /// A clock that nobody has set.
        NoTime {
            shows: "nothing is done: …",
            means: "this host's clock shows a year before 2020, so nobody has set it yet",
            remedy: "start this host's time service (timedatectl set-ntp true), or set the clock",
        }
        /// One at a time.
        NameOne {
            shows: "a first contact is made with one connection: name it",
            means: "the configuration has several",
            remedy: "scim-rotator doctor NAME --first-contact",
        }
        /// Nobody to learn from.
        NothingToLearn {
            shows: "connection … has no issuer that could be asked: people bring its tokens, so there is nothing to learn",
            means: "its issuer is of kind \"supplied\"",
            remedy: "nothing",
        }
        /// A daemon is there.
        Tended {
            shows: "a daemon… tends …, and …",
            means: "the experiment wants the connection for itself",
            remedy: "systemctl stop scim-rotator, run it again, and start the daemon",
        }
        /// The experiment does not begin.
        NotBegun {
            shows: "nothing was rotated: …",
            means: "the experiment of `doctor --first-contact` would not be safe, or could not be watched, for the reason that is named",
            remedy: "do what stands behind it, and run it again",
        }
        /// No lock either.
        NotHere {
            shows: "no daemon answers, and the work cannot be done here",
            means: "where no daemon runs a command takes the lock, and cannot have it",
            remedy: "do what stands behind it",
        }
        /// Of `init`.
        NoAnswers {
            shows: "…; nothing was written",
            means: "the terminal or the pipe was closed in the middle of `init`'s questions",
            remedy: "run it again; what is said by options is not asked",
        }
        /// Of `init`.
        DoNotGoTogether {
            shows: "nothing was written, since the answers do not go together:…",
            means: "each answer of `init` can be used, but not beside the others, for the reasons that are listed",
            remedy: "run it again with other answers; without --non-interactive it asks",
        }
        /// Of `init`.
        NoFolder {
            shows: "there is no folder …: make it, or name another file with --output",
            means: "`init` makes a file, and no folder",
            remedy: "do what stands behind it",
        }
        /// Of `init`.
        IsFolder {
            shows: "… is a folder: name a file with --output",
            means: "`init` writes one file",
            remedy: "do what stands behind it",
        }
        /// Of `init`.
        IsThere {
            shows: "… is there already, and stays as it is: name another file with --output, or write over it with --force",
            means: "`init` writes over no file unless it is told to",
            remedy: "do what stands behind it",
        }
        /// Of `adopt`.
        NoToken {
            shows: "secret file … holds no token",
            means: "what stands in the file of --token-file is no token, for the reason that is named",
            remedy: "write the token alone into the file, on one line",
        }
        /// Of the first contact.
        NoReport {
            shows: "the report … cannot be written",
            means: "the experiment has been made, and its findings stand on the standard output only",
            remedy: "keep that; another file can be named by --report",
        }
    }
}
