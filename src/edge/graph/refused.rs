//! Every way in which Graph says no, told apart by status and code, each with its own remedy. Pure.

use std::time::Duration;

use crate::messages::messages;
use crate::ports::Class;

messages! {
    /// Why Graph did not do as asked.
    pub enum Refused {
        /// The login's bearer is none for it.
        Bearer {
            shows: "401 `InvalidAuthenticationToken`",
            means: "Graph takes no bearer of this login, not even a new one",
            remedy: "check tenant_id, and that azure.cloud and azure.graph are of one cloud",
        }
        /// 401 without words.
        NotOwner {
            shows: "401 without words, often `UnknownError`",
            means: "a permission is lacking, for which Graph's synchronization API answers 401 (a new bearer was tried as \
                    well): this identity seems to own the app registration only",
            remedy: "make it an owner of the enterprise application (the service principal), with the application \
                     permission Application.ReadWrite.OwnedBy, or grant Synchronization.ReadWrite.All",
        }
        /// 401 or 403 with words.
        NoPermission {
            shows: "401 or 403",
            means: "a permission is lacking (Graph's synchronization API says 401 or 403 for that; a new bearer was tried as \
                    well)",
            remedy: "grant this identity the application permission Application.ReadWrite.OwnedBy and make it an owner of \
                     the enterprise application (the service principal), or grant Synchronization.ReadWrite.All; a grant \
                     may take an hour to show",
        }
        /// The look-up by application id alone.
        NoLookup {
            shows: "401 or 403 to `servicePrincipals(appId=…)`",
            means: "this identity may not look up the enterprise application by its application id",
            remedy: "write its object id in place of app_id (service_principal_id = … az ad sp show --id APP --query id -o \
                     tsv), or grant the application permission Application.Read.All",
        }
        /// Nothing has this application id.
        NoPrincipal {
            shows: "404 to `servicePrincipals(appId=…)`",
            means: "this tenant has no enterprise application of this application id, or none yet: what was just made shows \
                    after some minutes",
            remedy: "check app_id and the tenant; it is looked up again by itself",
        }
        /// The service principal or the job.
        NotFound {
            shows: "404",
            means: "there is no such enterprise application or job, or none yet: what was just made or granted shows after \
                    some minutes",
            remedy: "check service_principal_id (the object id of the enterprise application; an application id goes into \
                     app_id), and job_id; it is looked for again by itself",
        }
        /// Nothing to provision with.
        NoJob {
            shows: "\"has no provisioning job\"",
            means: "provisioning has not been set up for this enterprise application",
            remedy: "set up provisioning in the portal (Enterprise applications → the application → Provisioning), or check \
                     which application is named (service_principal_id, app_id)",
        }
        /// Nobody can know which.
        SeveralJobs {
            shows: "\"has several provisioning jobs\"",
            means: "there is more than one job, and not exactly one of them is for SCIM",
            remedy: "name one of them as job_id",
        }
        /// A race in the directory.
        Conflict {
            shows: "409",
            means: "something else is changing the application at the same moment",
            remedy: "nothing: it is tried again",
        }
        /// 429.
        Throttled {
            shows: "429",
            means: "Graph has been asked too often, by whomever in this tenant",
            remedy: "nothing: it is asked again, as late as `Retry-After` says where it says anything",
        }
        /// 408, 5xx.
        Away {
            shows: "408, 500 and above",
            means: "Graph, or something before it, is in trouble",
            remedy: "nothing: it is tried again. After a pause or a start the job is looked at first",
        }
        /// 3xx.
        Redirect {
            shows: "a redirect",
            means: "something else answers under Graph's URL",
            remedy: "check Graph's URL: it must not redirect",
        }
        /// A page for people.
        WebPage {
            shows: "\"the answer is a web page\"",
            means: "something between here and Graph has answered in its place",
            remedy: "check Graph's URL, and the proxy (http.proxy, or HTTPS_PROXY)",
        }
        /// Any other 4xx.
        Other {
            shows: "any other refusal",
            means: "Graph did not do as asked, for a reason of its own",
            remedy: "read its words; the request's id is what Microsoft's support asks for",
        }
    }
}

/// What was asked for: the same status means this or that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The object id behind an application id.
    Lookup,
    /// Settings and token, to be written: they have been read just before.
    Write,
    /// Anything else of a service principal or a job.
    Other,
}

impl Refused {
    /// Which circumstance an answer tells of.
    pub(super) fn of(asked: Asked, status: u16, code: Option<&str>, has_words: bool) -> Self {
        match status {
            401 if code.is_some_and(|code| code == "InvalidAuthenticationToken") => Self::Bearer,
            401 | 403 if asked == Asked::Lookup => Self::NoLookup,
            401 if !has_words => Self::NotOwner,
            401 | 403 => Self::NoPermission,
            404 if asked == Asked::Lookup => Self::NoPrincipal,
            404 => Self::NotFound,
            409 => Self::Conflict,
            429 => Self::Throttled,
            300..=399 => Self::Redirect,
            408 | 500.. => Self::Away,
            _ => Self::Other,
        }
    }

    /// How to go on. `maybe` is the fate of a call that may have been carried out all the same.
    pub(super) fn class(self, asked: Asked, maybe: Class, after: Option<Duration>) -> Class {
        let retry = Class::Retry { after };
        match self {
            // Turned away at the door: nothing was done.
            Self::Conflict | Self::Throttled => retry,
            // It was there a moment ago: not every replica of a directory knows the same.
            Self::NotFound if asked == Asked::Write => retry,
            // Whatever stands before Graph may have passed the request on.
            Self::Away | Self::WebPage if maybe == Class::Ambiguous => maybe,
            Self::Away | Self::WebPage => retry,
            _ => Class::Human,
        }
    }

    /// What an error says of it; none of what is only waited out, or what only the service can explain.
    pub(super) fn advice(self) -> Option<String> {
        let is_silent = matches!(self, Self::Conflict | Self::Throttled | Self::Away | Self::Other);
        (!is_silent).then(|| self.message().advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_401_is_told_as_the_missing_permission_that_it_stands_for() {
        let of = |asked, status, code, words| Refused::of(asked, status, Some(code), words);
        let table = [
            (of(Asked::Other, 401, "InvalidAuthenticationToken", true), Refused::Bearer),
            (of(Asked::Lookup, 401, "InvalidAuthenticationToken", true), Refused::Bearer),
            (of(Asked::Other, 401, "UnknownError", false), Refused::NotOwner),
            (of(Asked::Other, 401, "Unauthorized", true), Refused::NoPermission),
            (of(Asked::Write, 403, "Authorization_RequestDenied", true), Refused::NoPermission),
            (of(Asked::Other, 403, "Authorization_RequestDenied", false), Refused::NoPermission),
            (of(Asked::Lookup, 403, "Authorization_RequestDenied", true), Refused::NoLookup),
        ];
        for (told, expected) in table {
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn what_is_not_there_is_for_a_person_unless_it_was_there_a_moment_ago() {
        let class = |asked| Refused::NotFound.class(asked, Class::Retry { after: None }, None);
        assert_eq!(class(Asked::Other), Class::Human);
        assert_eq!(class(Asked::Write), Class::Retry { after: None });
    }
}
