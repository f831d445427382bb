//! Every way in which HPE says no, or says nothing that is understood, with what to do about it. Pure.

use crate::messages::messages;

messages! {
    /// Why HPE did not do as asked.
    pub enum Refused {
        /// 403.
        NoRole {
            shows: "403 to a rotation",
            means: "whoever the bearer speaks for may not make tokens",
            remedy: "assign the role \"SCIM Proxy Token Contributor\", space \"All Resources\", scope \"greenlake.service.user\" to \
                     the API client, or to whoever the bearer speaks for",
        }
        /// 401.
        NoBearer {
            shows: "401 to a rotation, \"HPE does not take …\"",
            means: "HPE does not take the bearer, nor a new one where one can be had",
            remedy: "check that the API client, or the bearer from the file or the command, is of this workspace and region",
        }
        /// 404 to a rotation.
        NoToken {
            shows: "404 to a rotation",
            means: "if the URL is right there is no token yet",
            remedy: "create the first one, by bootstrap = \"create\" or by hand",
        }
        /// 404 to a create.
        WrongUrl {
            shows: "404 to a creation",
            means: "there is no proxy-token service under this URL",
            remedy: "check the issuer's url",
        }
        /// 3xx.
        Redirect {
            shows: "a redirect",
            means: "something else answers under the issuer's URL",
            remedy: "check the issuer's url: it must not redirect",
        }
        /// Any other 4xx.
        Other {
            shows: "any other refusal",
            means: "HPE did not do as asked, for a reason of its own; it made no token",
            remedy: "read HPE's words, and check the issuer's url; the request's id is what HPE's support asks for",
        }
        /// Any other 4xx to the login.
        LoginOther {
            shows: "any other refusal of the login",
            means: "HPE's token issuer did not do as asked, for a reason of its own",
            remedy: "read its words, and check issuer.auth.issuer and issuer.auth.kind",
        }
        /// 409, 425, 429.
        Busy {
            shows: "409, 425, 429",
            means: "HPE wants to be asked later; it made no token",
            remedy: "nothing: it is asked again, as late as `Retry-After` or `X-RateLimit-Reset` says",
        }
        /// 408, 5xx, or no answer.
        AnswerLost {
            shows: "408, 500 and above, or no whole answer",
            means: "nobody knows whether a token was made",
            remedy: "nothing: the job stays paused and HPE is asked again after 3, 10 and 60 minutes, four times a day at most",
        }
        /// 2xx, and no token is found.
        NoTokenFound {
            shows: "\"200 but …\", \"201 but …\"",
            means: "a token may have been issued, and cannot be found in the answer",
            remedy: "if this stays, name its place in the answer as token_pointer",
        }
        /// The login, in trouble.
        LoginBusy {
            shows: "408, 425, 429, 500 and above to the login",
            means: "HPE's token issuer, or something before it, is in trouble or too busy; no token was asked for",
            remedy: "nothing: it is asked again, as late as `Retry-After` or `X-RateLimit-Reset` says where one says anything",
        }
        /// The login.
        Client {
            shows: "400, 401, 403 to the login",
            means: "the API client is not known, or its secret is wrong (HPE shows a secret once, when the API client is made)",
            remedy: "check client_id and the secret in SECRET_FILE",
        }
        /// The login's URL.
        LoginUrl {
            shows: "404 or a redirect to the login, or an answer without a bearer",
            means: "the token issuer's URL is of another service, or of another form",
            remedy: "check the token issuer's URL (issuer.auth.issuer), and issuer.auth.kind",
        }
        /// A bearer in a file.
        Pasted {
            shows: "\"the bearer in FILE ended at …\", \"holds no bearer\"",
            means: "a bearer that is pasted by hand lives for 15 minutes",
            remedy: "put a fresh one there (HPE's portal, your profile, API Access; it lives for 15 minutes), and then ask for the \
                     rotation: scim-rotator rotate NAME",
        }
        /// The command cannot be run.
        NotStarted {
            shows: "\"the command … for the bearer could not be started\"",
            means: "it is not there, or not to be run by this service",
            remedy: "check issuer.auth.command: its first word is the path of a program that this service may run",
        }
        /// The command does not end.
        Overdue {
            shows: "\"did not end within …\"",
            means: "the command, or something that it started, hangs",
            remedy: "issuer.auth.time_limit is the limit",
        }
        /// The command prints something else.
        NotPrinted {
            shows: "\"printed no bearer\"",
            means: "its output is no bearer",
            remedy: "it has to print the bearer alone, on one line, or OAuth's JSON with access_token",
        }
    }
}
