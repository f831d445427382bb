//! A forward proxy on the way: what goes through it, what does not, and what is said when it does not let us through.

use std::net::{Ipv4Addr, SocketAddr};

use super::canary::{leak, secrets, windows};
use super::place::{OVERLAP, Place, SPEED, is_at_rest_with_newer, judge, only};
use crate::sandbox::proxy::{ForwardProxy, Leads, Manner};
use crate::sandbox::setup::worlds;
use crate::world::Op;

const USER: &str = "svc-scim";
const PASSWORD: &str = "Pr0xy/p4ss+w0rd~Kq7ZmX2vB9";
const SERVICES: [&str; 5] =
    ["graph.sandbox.test", "iam.sandbox.test", "login.sandbox.test", "overlap.vault.sandbox.test", "sps.sandbox.test"];

/// A place whose only way out is a proxy.
struct Office {
    place: Place,
    proxy: ForwardProxy,
}

impl Office {
    /// `http` is added to `[http]`; `PROXY` in it is the proxy's URL.
    async fn new(manner: Manner, http: &str) -> Self {
        // The proxy has to be there before the configuration that names it, and the sandbox before the proxy that leads to
        // it: so the proxy learns its way from a relay.
        let relay = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let to = relay.local_addr().expect("an address");
        let proxy = ForwardProxy::start(any_port(), Leads::To(to), manner).await.expect("a proxy");
        let http = http.replace("PROXY", &proxy.url());
        let place = Place::new(worlds(|_| ()), SPEED, |text| {
            only(OVERLAP, &text.replace("[http]", &format!("[http]\n{http}")))
        })
        .await;
        let sandbox = place.sandbox.address;
        tokio::spawn(async move {
            while let Ok((mut client, _)) = relay.accept().await {
                tokio::spawn(async move {
                    let mut server = tokio::net::TcpStream::connect(sandbox).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { place, proxy }
    }

    fn password(&self, text: &str) {
        std::fs::write(self.place.setup.folder.join("sandbox/proxy-password"), text).expect("written");
    }

    /// A command, as talkative as can be, that shows no secret. Answers with its exit code and all that it said.
    async fn say(&self, arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let output = self.place.run_with(arguments, environment).await;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        let mut all = secrets(&self.place);
        all.extend(windows(PASSWORD));
        if let Some(leak) = leak(text.as_bytes(), &all) {
            panic!("a secret shows at the end of: {leak}");
        }
        (output.status.code(), text)
    }

    async fn succeeds(&self) {
        let (code, text) = self.say(&["once", "-vvv"], &[]).await;
        assert_eq!(code, Some(0), "{text}");
        let world = self.place.sandbox.world(OVERLAP);
        judge(&world, 1).unwrap_or_else(|why| panic!("{why}"));
    }

    /// It fails, says each of these, and nothing was issued.
    async fn fails_with(&self, words: &[&str]) {
        let (code, text) = self.say(&["once", "-vvv"], &[]).await;
        assert_eq!(code, Some(1), "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in\n{text}");
        }
        let world = self.place.sandbox.world(OVERLAP);
        assert_eq!((world.ledger.issued, world.saved_token()), (0, Some(1)), "{}", world.ledger.trace());
        assert!(world.entra_holds_a_working_token() && world.ledger.cycles_failed == 0, "{}", world.ledger.trace());
    }
}

fn any_port() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

const LOGIN: &str = "proxy = \"PROXY\"\nproxy_user = \"svc-scim\"\nproxy_password_file = \"sandbox/proxy-password\"";

fn basic() -> Manner {
    Manner::Basic(USER.to_owned(), PASSWORD.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_goes_through_the_proxy_that_is_configured() {
    let office = Office::new(Manner::Open, "proxy = \"PROXY\"").await;
    office.succeeds().await;
    assert_eq!(office.proxy.asked(), SERVICES);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_no_proxy_are_reached_without_it_and_config_check_names_them() {
    let office =
        Office::new(Manner::Open, "proxy = \"PROXY\"\nno_proxy = [\"vault.sandbox.test\", \"graph.sandbox.test\"]")
            .await;
    office.succeeds().await;
    assert_eq!(office.proxy.asked(), ["iam.sandbox.test", "login.sandbox.test", "sps.sandbox.test"]);
    let (code, text) = office.say(&["config", "check"], &[]).await;
    assert_eq!(code, Some(0), "{text}");
    let told = format!(
        "by way of the proxy {}; directly to graph.sandbox.test, overlap.vault.sandbox.test",
        office.proxy.url()
    );
    assert!(text.contains(&told), "{told} is not in\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_are_shown_to_the_proxy_and_nowhere_else() {
    let office = Office::new(basic(), LOGIN).await;
    office.password(PASSWORD);
    office.succeeds().await;
    assert_eq!(office.proxy.asked(), SERVICES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_speak_tls_itself_under_a_private_ca() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let (leads, tls) = (Leads::To(place.sandbox.address), place.sandbox.tls.clone());
    let proxy = ForwardProxy::start_tls(any_port(), leads, basic(), tls).await.expect("a proxy");
    let http = LOGIN.replace("PROXY", &format!("https://proxy.sandbox.test:{}", proxy.address.port()));
    let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    std::fs::write(&place.setup.config, text.replace("[http]", &format!("[http]\n{http}"))).expect("written");
    let office = Office { place, proxy };
    office.password(PASSWORD);
    office.succeeds().await;
    assert_eq!(office.proxy.asked(), SERVICES);
}

/// The table: how the proxy behaves, what is configured, what is said. In every case nothing is issued.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_does_not_let_us_through_is_told_with_what_to_do() {
    const IMPATIENT: &str = "proxy = \"PROXY\"\nconnect_timeout = \"1s\"\ndns_timeout = \"100ms\"";
    let table: [(Manner, &str, &[&str]); 8] = [
        (
            basic(),
            "proxy = \"PROXY\"",
            &["wants a user and a password (407)", "set http.proxy_user and http.proxy_password_file"],
        ),
        (Manner::RefuseTo("login"), "proxy = \"PROXY\"", &["refuses, or cannot reach, this host", "http.no_proxy"]),
        (Manner::Says("502 Bad Gateway"), "proxy = \"PROXY\"", &["or cannot reach, this host (its log says which)"]),
        (
            Manner::Says("503 Service Unavailable"),
            "proxy = \"PROXY\"",
            &["or cannot reach, this host", "the proxy's log"],
        ),
        (Manner::Hang, IMPATIENT, &["no connection in time (by way of the proxy http://127.0.0.1:", "let"]),
        (Manner::NoProxy, "proxy = \"PROXY\"", &["refuses, or cannot reach, this host"]),
        (
            Manner::Open,
            "proxy = \"http://127.0.0.1:1\"",
            &["no connection to the proxy http://127.0.0.1:1", "check http.proxy"],
        ),
        (Manner::Open, "proxy = \"https://p.test:1\"", &["no connection to the proxy https://p.test:1"]),
    ];
    for (manner, http, words) in table {
        let office = Office::new(manner, http).await;
        office.fails_with(words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_missing_or_wrong_is_told_by_its_file_and_taken_up_without_a_restart() {
    let office = Office::new(basic(), LOGIN).await;
    office.fails_with(&["the proxy's password is missing", "sandbox/proxy-password does not exist"]).await;
    office.password("not-this-one");
    office.fails_with(&["refuses user \"svc-scim\" and the password (407)", "sandbox/proxy-password"]).await;
    let daemon = office.place.daemon(&["-v"]);
    daemon.says("refuses user").await;
    office.password(&format!("{PASSWORD}\n"));
    office.place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, 1)).await;
    assert!(leak(daemon.log().as_bytes(), &windows(PASSWORD)).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issue_that_the_proxy_refuses_was_certainly_not_made_and_the_job_runs_again() {
    let office = Office::new(Manner::RefuseTo("sps"), "proxy = \"PROXY\"\nno_proxy = []").await;
    office.fails_with(&["refuses, or cannot reach, this host", "NotIssued"]).await;
    assert_eq!(office.place.sandbox.world(OVERLAP).faults.calls(Op::Issue), 0);
    office.proxy.behave(Manner::Open);
    let _daemon = office.place.daemon(&[]);
    office.place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, 1)).await;
    judge(&office.place.sandbox.world(OVERLAP), 1).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_names_the_proxy_where_the_proxy_is_what_is_looked_at() {
    let away = Office::new(Manner::Open, "proxy = \"http://127.0.0.1:9\"").await;
    let (_, text) = away.say(&["doctor"], &[]).await;
    for words in
        ["no connection to the proxy http://127.0.0.1:9: 127.0.0.1:9: ", "check http.proxy", "/dev/tcp/127.0.0.1/9'"]
    {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    assert!(!text.contains("/dev/tcp/sps.sandbox.test"), "nothing goes there directly\n{text}");
    let refuses = Office::new(Manner::RefuseTo("sps"), "proxy = \"PROXY\"").await;
    let (_, text) = refuses.say(&["doctor"], &[]).await;
    let through = format!("openssl s_client -proxy {} -connect sps.sandbox.test:", refuses.proxy.address);
    assert!(text.contains(&through), "{through:?} is not in\n{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_takes_no_proxy_from_the_environment() {
    let office = Office::new(Manner::Open, "").await;
    let url = office.proxy.url();
    let (code, text) = office.say(&["once", "-vvv"], &[("HTTPS_PROXY", &url), ("https_proxy", &url)]).await;
    assert_eq!((code, office.proxy.asked()), (Some(0), Vec::new()), "{text}");
}
