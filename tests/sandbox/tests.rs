//! The sandbox words things as the services do, and breaks as networks do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{Sandbox, SandboxOptions, Side, Which, real_now};
use crate::world::{Op, Settings, World};

const VERSIONS: &str = "https://kv1.vault.sandbox.test/secrets/greenlake-scim-token/versions?api-version=2025-07-01";
const SECRET: &str = "https://kv1.vault.sandbox.test/secrets/greenlake-scim-token?api-version=2025-07-01";
const ROTATE: &str = "https://sps.sandbox.test/v1alpha1/proxytoken/rotate?remove-current=false";
const USERS: &str = "https://sps.sandbox.test/v1alpha1/scimproxy/Users?filter=userName%20eq%20%22x%22";

/// A sandbox and a client of it.
struct Bench {
    sandbox: Sandbox,
    client: Client,
}

async fn bench() -> Bench {
    bench_with(Settings::default()).await
}

async fn bench_with(settings: Settings) -> Bench {
    let world = World::new(Settings { start: real_now(), ..settings });
    let sandbox = Sandbox::start(vec![Arc::new(Mutex::new(world))], SandboxOptions::default()).await.unwrap();
    let client = client(&sandbox);
    Bench { sandbox, client }
}

fn client(sandbox: &Sandbox) -> Client {
    // The library's own first call installs this for the daemon.
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(sandbox.ca_pem.as_bytes()).unwrap();
    let hosts = ["login", "iam", "sps", "graph", "kv1.vault", "kv2.vault"];
    let builder = Client::builder().no_proxy().tls_certs_only([ca]).timeout(Duration::from_secs(20));
    let builder = hosts.iter().fold(builder, |b, host| b.resolve(&format!("{host}.sandbox.test"), sandbox.address));
    builder.build().unwrap()
}

/// The URL with the sandbox's port.
fn at(sandbox: &Sandbox, url: &str) -> String {
    url.replacen(".test", &format!(".test:{}", sandbox.address.port()), 1)
}

impl Bench {
    fn get(&self, url: &str) -> RequestBuilder {
        self.client.get(at(&self.sandbox, url))
    }

    fn post(&self, url: &str) -> RequestBuilder {
        self.client.post(at(&self.sandbox, url))
    }

    fn put(&self, url: &str) -> RequestBuilder {
        self.client.put(at(&self.sandbox, url))
    }

    fn settings(&self) -> Settings {
        self.sandbox.world(0).settings.clone()
    }

    async fn hpe_bearer(&self) -> String {
        let settings = self.settings();
        let url = format!("https://iam.sandbox.test/oauth2/{}/aus1/v1/token", settings.tenant);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &settings.client_id),
            ("client_secret", &settings.client_secret),
            ("scope", "hpe-tenant"),
        ];
        text(&body(self.post(&url).form(&form).send().await.unwrap()).await["access_token"])
    }

    async fn login(&self, scope: &str) -> Response {
        let settings = self.settings();
        let url = format!("https://login.sandbox.test/{}/oauth2/v2.0/token", settings.directory);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &settings.azure_client_id),
            ("client_secret", &settings.azure_client_secret),
            ("scope", scope),
        ];
        self.post(&url).form(&form).send().await.unwrap()
    }

    async fn access(&self, scope: &str) -> String {
        text(&body(self.login(scope).await).await["access_token"])
    }

    async fn graph_token(&self) -> String {
        self.access("https://graph.sandbox.test/.default").await
    }

    async fn vault_token(&self) -> String {
        self.access("https://vault.sandbox.test/.default").await
    }

    fn synchronization(&self, rest: &str) -> String {
        let principal = self.settings().service_principal;
        format!("https://graph.sandbox.test/v1.0/servicePrincipals/{principal}/synchronization/{rest}")
    }

    fn job(&self, rest: &str) -> String {
        let job = &self.settings().jobs[0];
        self.synchronization(&format!("jobs/{job}{rest}"))
    }

    async fn rotate(&self) -> reqwest::Result<Response> {
        let bearer = self.hpe_bearer().await;
        self.post(ROTATE).bearer_auth(bearer).header("content-length", "0").send().await
    }
}

async fn body(response: Response) -> Value {
    response.json().await.unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_goes_the_whole_way_over_tls() {
    let bench = bench().await;
    let token = text(&body(bench.rotate().await.unwrap()).await["token"]);
    let vault = bench.vault_token().await;
    let secret = json!({ "value": token, "tags": { "stage": "pending" }, "attributes": { "exp": 1_900_000_000 } });
    let stored = body(bench.put(SECRET).bearer_auth(&vault).json(&secret).send().await.unwrap()).await;
    assert_eq!((&stored["value"], &stored["attributes"]["exp"]), (&json!(token), &json!(1_900_000_000)));

    let graph = bench.graph_token().await;
    let tenant_url = bench.settings().tenant_url;
    let pairs = json!([{ "key": "BaseAddress", "value": tenant_url }, { "key": "SecretToken", "value": token }]);
    let validate = bench.job("/validateCredentials");
    let candidate = bench.post(&validate).bearer_auth(&graph).json(&json!({ "credentials": pairs })).send().await;
    assert_eq!(candidate.unwrap().status(), 204);
    let put = bench.put(&bench.synchronization("secrets")).bearer_auth(&graph);
    assert_eq!(put.json(&json!({ "value": pairs })).send().await.unwrap().status(), 204);
    let saved = json!({ "useSavedCredentials": true });
    assert_eq!(bench.post(&validate).bearer_auth(&graph).json(&saved).send().await.unwrap().status(), 204);
    assert_eq!(bench.sandbox.world(0).saved_token(), Some(2));
    let ops: Vec<_> = bench.sandbox.calls().into_iter().filter_map(|call| call.op).collect();
    assert_eq!(
        ops,
        [
            Op::BearerMint,
            Op::Issue,
            Op::VaultToken,
            Op::VaultStore,
            Op::GraphToken,
            Op::TestCandidate,
            Op::SettingsPut,
            Op::TestSaved
        ]
    );
}

#[tokio::test]
async fn a_refused_candidate_is_a_400_whose_message_is_json_again() {
    let bench = bench().await;
    let graph = bench.graph_token().await;
    let tenant_url = bench.settings().tenant_url;
    let pairs = json!([{ "key": "BaseAddress", "value": tenant_url }, { "key": "SecretToken", "value": "not-one" }]);
    let request = bench.post(&bench.job("/validateCredentials")).bearer_auth(&graph);
    let answer = request.json(&json!({ "credentials": pairs })).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    let error = body(answer).await;
    assert_eq!(error["error"]["code"], "CredentialValidationUnavailable");
    assert!(serde_json::from_str::<Value>(&text(&error["error"]["message"])).is_ok());
    let miscased = json!([{ "key": "baseAddress", "value": "x" }, { "key": "SecretToken", "value": "y" }]);
    let request = bench.post(&bench.job("/validateCredentials")).bearer_auth(&graph);
    assert_eq!(request.json(&json!({ "credentials": miscased })).send().await.unwrap().status(), 500);
}

#[tokio::test]
async fn the_vault_challenges_who_brings_no_token_or_one_for_graph() {
    let bench = bench().await;
    let other = bench.graph_token().await;
    for request in [bench.get(VERSIONS), bench.get(VERSIONS).bearer_auth(other)] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap().to_owned();
        assert!(challenge.contains(r#"resource="https://vault.sandbox.test""#), "{challenge}");
        assert!(challenge.contains(&bench.settings().directory), "{challenge}");
    }
    let access = bench.vault_token().await;
    let listed = body(bench.get(VERSIONS).bearer_auth(access).send().await.unwrap()).await;
    assert_eq!(listed["value"].as_array().unwrap().len(), 1);
    assert_eq!(listed["value"][0].get("value"), None, "a list shows no values");
}

#[tokio::test]
async fn versions_come_in_pages_of_25() {
    let bench = bench().await;
    for n in 0..59 {
        bench.sandbox.world(0).person_stores(&format!("value-{n}"));
    }
    let access = bench.vault_token().await;
    let (mut url, mut pages) = (Some(at(&bench.sandbox, VERSIONS)), Vec::new());
    while let Some(next) = url {
        let page = body(bench.client.get(next).bearer_auth(&access).send().await.unwrap()).await;
        pages.push(page["value"].as_array().unwrap().len());
        url = page["nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(pages, [25, 25, 10]);
}

#[tokio::test]
async fn entras_login_explains_itself_with_line_breaks() {
    let bench = bench().await;
    bench.sandbox.world(0).settings.azure_client_secret = "rolled".to_owned();
    let wrong = bench.login("https://graph.sandbox.test/.default").await;
    assert_eq!(wrong.status(), 200, "the bench reads the secret that holds now");
    let url = format!("https://login.sandbox.test/{}/oauth2/v2.0/token", bench.settings().directory);
    let id = bench.settings().azure_client_id;
    let form = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", "no"), ("scope", "x")];
    let error = body(bench.post(&url).form(&form).send().await.unwrap()).await;
    assert!(text(&error["error_description"]).starts_with("AADSTS7000215"));
    assert!(text(&error["error_description"]).contains("\r\n"));
    assert_eq!(error["error_codes"], json!([7_000_215]));
}

#[tokio::test]
async fn graph_dates_its_answers_in_world_time_and_shows_the_job() {
    let bench = bench_with(Settings { cycle_interval: TimeDelta::minutes(40), ..Settings::default() }).await;
    let ahead = bench.sandbox.world(0).now() + TimeDelta::minutes(10);
    bench.sandbox.world(0).advance_to(ahead);
    let access = bench.graph_token().await;
    let answer = bench.get(&bench.job("")).bearer_auth(&access).send().await.unwrap();
    let date = DateTime::parse_from_rfc2822(answer.headers()["date"].to_str().unwrap()).unwrap();
    assert!((date.to_utc() - bench.sandbox.world(0).now()).abs() < TimeDelta::seconds(30), "{date}");
    let job = body(answer).await;
    assert_eq!(job["status"]["code"], "Active");
    assert_eq!(job["schedule"]["interval"], "PT40M");
    assert_eq!(job["status"]["lastExecution"]["state"], "Succeeded");
    let began = DateTime::parse_from_rfc3339(job["status"]["lastExecution"]["timeBegan"].as_str().unwrap());
    assert_eq!(began.unwrap().to_utc().timestamp(), (bench.settings().start + TimeDelta::minutes(5)).timestamp());
    let list = body(bench.get(&bench.synchronization("jobs")).bearer_auth(&access).send().await.unwrap()).await;
    assert_eq!(list["value"][0]["id"], job["id"]);
}

#[tokio::test]
async fn graph_masks_the_token_and_wants_a_token_of_its_own() {
    let bench = bench().await;
    let url = bench.synchronization("secrets");
    assert_eq!(bench.get(&url).send().await.unwrap().status(), 401);
    let other = bench.vault_token().await;
    assert_eq!(bench.get(&url).bearer_auth(other).send().await.unwrap().status(), 401);
    let access = bench.graph_token().await;
    let shown = bench.get(&url).bearer_auth(access).send().await.unwrap().text().await.unwrap();
    assert!(shown.contains(r#""key":"SecretToken","value":"*""#), "{shown}");
}

#[tokio::test]
async fn the_flag_of_a_rotation_and_its_empty_length_must_be_spelled_out() {
    let bench = bench().await;
    let bearer = bench.hpe_bearer().await;
    let bare = "https://sps.sandbox.test/v1alpha1/proxytoken/rotate";
    let answer = bench.post(bare).bearer_auth(&bearer).header("content-length", "0").send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(bench.sandbox.world(0).ledger.issued, 0);
    let other = bench.post(ROTATE).bearer_auth("x.y.z").header("content-length", "0").send().await.unwrap();
    assert_eq!(other.status(), 401);
}

#[tokio::test]
async fn a_request_can_be_held_before_and_after_its_deed_and_be_cut_there() {
    for (side, issued) in [(Side::Before, 0), (Side::After, 1)] {
        let bench = bench().await;
        let mut hold = bench.sandbox.gate().hold(Which::Nth(2), side);
        let (answer, ()) = tokio::join!(bench.rotate(), async {
            hold.reached().await;
            assert_eq!(bench.sandbox.world(0).ledger.issued, issued, "{side:?}");
            hold.cut();
        });
        assert!(answer.is_err());
        assert_eq!(bench.sandbox.world(0).ledger.issued, issued, "{side:?}");
        let mut hold = bench.sandbox.gate().hold(Which::Next(Op::Issue), side);
        let (answer, ()) = tokio::join!(bench.rotate(), async {
            hold.reached().await;
            hold.go();
        });
        assert_eq!(answer.unwrap().status(), 200);
        assert_eq!(bench.sandbox.deeds(), 4);
    }
}

#[tokio::test]
async fn two_worlds_are_told_apart_on_one_port() {
    let start = real_now();
    let one = Settings { start, ..Settings::default() };
    let two = Settings {
        start,
        seed: 2,
        tenant: "hpe-tenant-2".to_owned(),
        vault: "kv2".to_owned(),
        service_principal: "the-second".to_owned(),
        ..one.clone()
    };
    let worlds = [one, two].map(|settings| Arc::new(Mutex::new(World::new(settings))));
    let sandbox = Sandbox::start(worlds.to_vec(), SandboxOptions::default()).await.unwrap();
    let bench = Bench { client: client(&sandbox), sandbox };
    let second = bench.sandbox.world(1).token_values().next().unwrap().to_owned();
    assert_eq!(bench.get(USERS).bearer_auth(second).send().await.unwrap().status(), 200);
    bench.rotate().await.unwrap();
    assert_eq!((bench.sandbox.world(0).ledger.issued, bench.sandbox.world(1).ledger.issued), (1, 0));
    let access = bench.vault_token().await;
    let other = VERSIONS.replace("kv1", "kv2");
    assert_eq!(bench.get(&other).bearer_auth(access).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stranger_who_does_not_trust_the_ca_gets_no_connection() {
    let bench = bench().await;
    let elsewhere = Sandbox::start(vec![], SandboxOptions::default()).await.unwrap();
    let ca = reqwest::Certificate::from_pem(elsewhere.ca_pem.as_bytes()).unwrap();
    let client = Client::builder().no_proxy().tls_certs_only([ca]).resolve("sps.sandbox.test", bench.sandbox.address);
    let error = client.build().unwrap().get(at(&bench.sandbox, USERS)).send().await.unwrap_err();
    assert!(error.is_connect(), "{error:?}");
}

#[test]
fn world_time_runs_faster_from_the_anchor_on() {
    let anchor = Settings::default().start;
    let clock = super::FastClock { anchor, speed: 2000.0 };
    assert_eq!(clock.at(anchor), anchor);
    assert_eq!(clock.at(anchor + TimeDelta::milliseconds(500)), anchor + TimeDelta::seconds(1000));
}
