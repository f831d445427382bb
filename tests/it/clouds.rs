//! The daemon in each of Microsoft's clouds, under their own names: nothing is asked for, and nothing sent, beyond one cloud.

use super::somebody::{CLIENT, Somebody, TENANT};
use crate::sandbox::clouds::CLOUDS;
use crate::world::{Op, Settings};

use super::place::OVERLAP;

const NAMES: [&str; 4] = ["public", "us-gov", "us-dod", "china"];

/// Somebody in this cloud. The port is the sandbox's, so the hosts are spelled out; the scope has none.
async fn citizen(number: usize, change: impl FnMut(&mut Settings)) -> Somebody {
    let (name, hosts) = (NAMES[number], CLOUDS[number + 1]);
    let lines = format!(
        "cloud = \"{name}\"\nvault_suffix = \"{}\"\ngraph_scope = \"https://{}/.default\"\ncredential = {{ kind = \
         \"client-secret\", tenant_id = \"{TENANT}\", client_id = \"{CLIENT}\", secret_file = \
         \"sandbox/azure-client-secret\" }}",
        hosts.vault, hosts.graph
    );
    let somebody = Somebody::with(&lines, change).await;
    rename(
        &somebody,
        &[
            ("login.sandbox.test", hosts.login),
            ("graph.sandbox.test", hosts.graph),
            (".vault.sandbox.test", &format!(".{}", hosts.vault)),
        ],
    );
    somebody
}

/// Changes names in the configuration.
fn rename(somebody: &Somebody, names: &[(&str, &str)]) {
    let file = &somebody.place.setup.config;
    let text = std::fs::read_to_string(file).expect("the configuration");
    let text = names.iter().fold(text, |text, (from, to)| text.replace(from, to));
    std::fs::write(file, text).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_every_cloud_the_first_contact_is_made_with_that_clouds_scopes_and_challenge() {
    for number in 0..NAMES.len() {
        citizen(number, |_| ()).await.succeeds().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_asks_for_tokens_of_another_domain_gets_none() {
    for resource in
        ["https://vault.azure.net", "https://evil.example.com", "https://usgovcloudapi.net.evil.example.com"]
    {
        let somebody = citizen(1, |settings| settings.challenge_resource = Some(resource.to_owned())).await;
        somebody.fails_with(&["Key Vault", "does not authenticate as a Key Vault does", "check the vault's URL"]).await;
        assert_eq!(somebody.place.sandbox.world(OVERLAP).faults.calls(Op::VaultToken), 0, "{resource}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_another_cloud_is_told() {
    // The login of one cloud, the vault of another.
    let somebody = citizen(0, |_| ()).await;
    rename(&somebody, &[("vault.azure.net", "vault.usgovcloudapi.net")]);
    somebody.fails_with(&["AADSTS500011", "check the cloud and the service's URL"]).await;
    // A vault that is none of the cloud that is configured is no matter for the network.
    let somebody = citizen(0, |_| ()).await;
    rename(&somebody, &[("overlap.vault.azure.net", "overlap.vault.azure.cn")]);
    let (code, text) = somebody.run("check").await;
    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("`.vault.azure.net`") && text.contains("azure.vault_suffix overrides it"), "{text}");
}
