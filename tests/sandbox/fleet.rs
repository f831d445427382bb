//! Thousands of connections: far sides that have long been in use, and a configuration that names them all.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use scim_rotator::domain::journal::{Labels, Proof, Stage, TokenNote};
use scim_rotator::domain::{Expiry, ExpirySource, Token};

use super::real_now;
use crate::world::{Begin, Patch, Settings, World};

/// So long a token of theirs lives, and so old is the one that they have.
pub const LIFE: TimeDelta = TimeDelta::days(180);
/// How old the token is that each of them has.
pub const AGE: TimeDelta = TimeDelta::days(100);
/// The secret of every API client.
pub const CLIENT_SECRET: &str = "Qx7f/zKp4+vR9mWtB2nYc";
/// The secret of the daemon's application.
pub const AZURE_SECRET: &str = "Zt8~Hq3.uLw6_DfJ1sXoV5";
const DIRECTORY: &str = "11111111-1111-4111-8111-111111111111";
const APPLICATION: &str = "22222222-2222-4222-8222-222222222222";
/// The name of the first connection.
pub const FIRST: &str = "connection-1";
/// The vault that all share; each has a secret of its own in it.
const VAULT: &str = "fleet";

/// So many HPE tenants, service principals and secrets of one vault. Each holds a token of [`AGE`], which stands in the vault
/// as the daemon would have labelled it, confirmed and proven, so that nothing is left to do until the next is due.
/// `lives` is by how much longer the bearers of HPE live than a quarter of an hour.
pub fn worlds(count: usize, lives: f64) -> Vec<Arc<Mutex<World>>> {
    let now = real_now();
    #[expect(clippy::cast_possible_truncation, reason = "minutes")]
    let bearer_life = TimeDelta::seconds((900.0 * lives) as i64);
    let mut first = World::new(Settings {
        start: now - AGE,
        begin: Begin::AtEntraAndVault,
        client_secret: CLIENT_SECRET.to_owned(),
        bearer_life,
        token_life: LIFE,
        vault: VAULT.to_owned(),
        directory: DIRECTORY.to_owned(),
        azure_client_id: APPLICATION.to_owned(),
        azure_client_secret: AZURE_SECRET.to_owned(),
        ..Settings::default()
    });
    label(&mut first);
    first.advance_to(now);
    (1..=count).map(|number| Arc::new(Mutex::new(like(&first, number)))).collect()
}

/// What is known of the one token that there is.
fn label(world: &mut World) {
    let token = Token::parse(&world.versions()[0].value).expect("the world makes tokens that can be read");
    let made = world.now();
    let expiry = Some(Expiry { at: made + LIFE, source: ExpirySource::Field });
    let note = TokenNote::new(&token, made, expiry);
    let proof = Proof { provisioned: Some(made), confirmed: Some(made), proven: Some(made), ..Proof::default() };
    let labels = Labels { proof, ..Labels::new(Stage::Current, 1, "000000000001".to_owned(), Some(note)) };
    let (secret, id) = (world.settings.secret.clone(), world.versions()[0].id.clone());
    let patch = Patch { tags: Some(labels.to_tags()), ..Patch::default() };
    world.vault_patch(&secret, &id, patch).expect("the vault takes the daemon's labels");
}

/// The same world under another number. What it makes from here on is its own.
fn like(first: &World, number: usize) -> World {
    let mut world = first.clone();
    let name = Name(number);
    let settings = &mut world.settings;
    settings.seed = u64::try_from(number).unwrap_or(u64::MAX);
    (settings.tenant, settings.client_id) = (name.tenant(), name.client());
    (settings.service_principal, settings.app_id) = (name.principal(), format!("app-{number}"));
    let secret = std::mem::replace(&mut settings.secret, name.secret());
    world.vault_rename(&secret);
    world
}

/// What belongs to the connection with this number.
struct Name(usize);

impl Name {
    fn tenant(&self) -> String {
        format!("tenant-{}", self.0)
    }

    fn client(&self) -> String {
        format!("client-{}", self.0)
    }

    fn secret(&self) -> String {
        format!("scim-token-{}", self.0)
    }

    fn principal(&self) -> String {
        format!("{:08x}-0000-4000-8000-{:012x}", self.0, self.0)
    }
}

/// The configuration for so many. `policy` is what `[policy]` holds.
pub fn config(count: usize, port: u16, policy: &str) -> String {
    let mut text = format!(
        r#"[sandbox]
purpose = "this is not production"
address = "127.0.0.1"
clock_speed = 1

[azure]
credential = {{ kind = "client-secret", tenant_id = "{DIRECTORY}", client_id = "{APPLICATION}", secret_file = "./sandbox/azure-client-secret" }}
authority = "https://login.sandbox.test:{port}"
graph = "https://graph.sandbox.test:{port}"

[http]
ca_file = "./sandbox/ca.pem"

[policy]
{policy}
"#
    );
    for name in (1..=count).map(Name) {
        let (number, tenant, client, secret, principal) =
            (name.0, name.tenant(), name.client(), name.secret(), name.principal());
        // A string takes whatever is written to it.
        let _never = write!(
            text,
            r#"
[[connections]]
name = "connection-{number}"
issuer = {{ kind = "greenlake", url = "https://sps.sandbox.test:{port}/v1alpha1", auth = {{ kind = "glcs", issuer = "https://iam.sandbox.test:{port}/oauth2/{tenant}/aus", client_id = "{client}", client_secret_file = "./sandbox/hpe-client-secret" }} }}
vault = {{ url = "https://{VAULT}.vault.sandbox.test:{port}", secret = "{secret}" }}
entra = {{ service_principal_id = "{principal}", tenant_url = "https://sps.sandbox.test:{port}/v1alpha1/scimproxy" }}
"#
        );
    }
    text
}
