//! The daemon as a pod: Kubernetes vouches for it by a token in a file.

use std::fs;

use chrono::TimeDelta;

use super::place::OVERLAP;
use super::somebody::{CLIENT, Somebody, TENANT};
use crate::sandbox::assertion::Cluster;
use crate::world::{Federated, Settings};

const FILE: &str = "sandbox/federated-token";

fn trusts(cluster: &Cluster) -> impl FnMut(&mut Settings) {
    let key = cluster.public_key();
    move |settings| {
        let subject = "system:serviceaccount:provisioning:scim-rotator".to_owned();
        let issuer = "https://oidc.sandbox.test/cluster".to_owned();
        settings.federated = Some(Federated { key: key.clone(), issuer, subject });
    }
}

/// What the cluster projects into the pod, good for so long.
fn token(cluster: &Cluster, pod: &Somebody, life: TimeDelta) -> String {
    cluster.token(&pod.place.sandbox.world(OVERLAP).service_account(life))
}

fn configured() -> String {
    format!(
        "{{ kind = \"workload-identity\", tenant_id = \"{TENANT}\", client_id = \"{CLIENT}\", token_file = \"{FILE}\" }}"
    )
}

async fn pod(cluster: &Cluster) -> Somebody {
    let mut pod = Somebody::new(&configured(), trusts(cluster)).await;
    pod.secret_file(FILE, token(cluster, &pod, TimeDelta::days(300)));
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_makes_the_first_contact_by_rotate() {
    pod(&Cluster::new()).await.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aks_tells_the_pod_need_not_be_configured() {
    let cluster = Cluster::new();
    let mut pod = Somebody::new("{ kind = \"workload-identity\" }", trusts(&cluster)).await;
    pod.secret_file(FILE, token(&cluster, &pod, TimeDelta::days(300)));
    let (code, text) = pod.run("check").await;
    assert_eq!(code, Some(78), "{text}");
    for word in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "azure.workload.identity/use"] {
        assert!(text.contains(word), "{text}");
    }
    pod.set("AZURE_TENANT_ID", TENANT);
    pod.set("AZURE_CLIENT_ID", CLIENT);
    pod.set("AZURE_FEDERATED_TOKEN_FILE", &pod.place.setup.folder.join(FILE).display().to_string());
    pod.can_look().await;
    pod.set("AZURE_CLIENT_ID", "me");
    let (code, text) = pod.run("check").await;
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("environment variable AZURE_CLIENT_ID") && text.contains("is no UUID"), "{text}");
}

/// What is in the file → what is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_that_cannot_be_used_is_named_with_what_to_do() {
    let mut pod = pod(&Cluster::new()).await;
    let path = pod.place.setup.folder.join(FILE);
    let always = ["Entra login", "federated-token", "azure.workload.identity/use"];
    for (content, word) in [("", "is empty"), ("\n", "is empty"), ("no-token-4711-but-words", "holds no token")] {
        pod.secret_file(FILE, content);
        pod.fails_with(&[&always[..], &[word]].concat()).await;
    }
    fs::remove_file(&path).expect("it was there");
    pod.fails_with(&[&always[..], &["does not exist"]].concat()).await;
    fs::create_dir(&path).expect("a folder");
    pod.fails_with(&[&always[..], &["cannot be read", "directory"]].concat()).await;
}

/// What is wrong with the token → Entra's code → what is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_entra_does_not_take_is_told_with_what_to_do() {
    let cluster = Cluster::new();
    let mut pod = pod(&cluster).await;
    let federated = |pod: &Somebody| pod.place.sandbox.world(OVERLAP).settings.federated.clone().expect("one");
    let trusted = federated(&pod);
    let old = token(&cluster, &pod, TimeDelta::seconds(-1));
    let table = [
        (None, "AADSTS70021:", "federated credential"),
        (Some(Federated { issuer: "https://another".to_owned(), ..trusted.clone() }), "AADSTS700211", "issuer"),
        (
            Some(Federated { subject: "another".to_owned(), ..trusted.clone() }),
            "AADSTS700213",
            "system:serviceaccount:",
        ),
    ];
    for (trust, code, word) in table {
        pod.place.sandbox.world(OVERLAP).settings.federated = trust;
        pod.fails_with(&["Entra login", TENANT, "401", code, word, "api://AzureADTokenExchange"]).await;
    }
    pod.place.sandbox.world(OVERLAP).settings.federated = Some(trusted);
    pod.secret_file(FILE, old);
    pod.fails_with(&["Entra login", "401", "AADSTS700024", "token_file has expired"]).await;
    // Signed by nobody whom Entra knows; and by somebody, and edited then.
    pod.secret_file(FILE, token(&Cluster::new(), &pod, TimeDelta::days(300)));
    pod.fails_with(&["Entra login", "401", "AADSTS50013", "federated credential"]).await;
    let good = token(&cluster, &pod, TimeDelta::days(300));
    let longer = token(&cluster, &pod, TimeDelta::days(301));
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (good, longer) = (parts(&good), parts(&longer));
    pod.secret_file(FILE, [good[0].as_str(), &longer[1], &good[2]].join("."));
    pod.fails_with(&["Entra login", "401", "AADSTS50013", "federated credential"]).await;
    pod.secret_file(FILE, "e30.e30.e30");
    pod.fails_with(&["Entra login", "401", "AADSTS50027"]).await;
}
