//! What points the real binary at a sandbox: a folder with a configuration, a CA and secrets; and worlds to go with it.

use std::fs;
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use scim_rotator::domain::settings::BASE_ADDRESS;

use super::{Sandbox, fleet, real_now};
use crate::world::{Begin, Settings, Timestamp, World};

/// The shipped configuration of the sandbox, which names port 18443.
const CONFIG: &str = include_str!("../../config/sandbox.toml");
const PORT: &str = ":18443";

/// The far sides of the two connections of `config/sandbox.toml`: `overlap` and `remove-current`. `change` may bend each
/// before it begins.
pub fn worlds(mut change: impl FnMut(&mut Settings)) -> Vec<Arc<Mutex<World>>> {
    let start = real_now();
    let mut world = |seed, name: &str, letter: char| {
        let digits = |n: usize| letter.to_string().repeat(n);
        let mut settings = Settings {
            seed,
            start,
            begin: Begin::AtEntra,
            tenant: format!("tenant-{letter}"),
            client_id: format!("client-{letter}"),
            client_secret: format!("Qx7{seed}/zKp4+vR9mWtB2nYc"),
            token_life: TimeDelta::days(3),
            // A quarter of an hour would be over in the blink of a busy machine's eye.
            bearer_life: TimeDelta::hours(12),
            vault: name.to_owned(),
            directory: "11111111-1111-4111-8111-111111111111".to_owned(),
            azure_client_id: "22222222-2222-4222-8222-222222222222".to_owned(),
            azure_client_secret: "Zt8~Hq3.uLw6_DfJ1sXoV5".to_owned(),
            service_principal: format!("{}-{1}-4{2}-8{2}-{3}", digits(8), digits(4), digits(3), digits(12)),
            jobs: vec![format!("scim.{name}.job")],
            tenant_url: "https://sps.sandbox.test/v1alpha1/scimproxy".to_owned(),
            ..Settings::default()
        };
        change(&mut settings);
        Arc::new(Mutex::new(World::new(settings)))
    };
    vec![world(1, "overlap", 'a'), world(2, "remove-current", 'b')]
}

/// A folder that holds what the binary needs.
#[derive(Debug)]
pub struct Setup {
    /// The folder.
    pub folder: PathBuf,
    /// The configuration in it.
    pub config: PathBuf,
    anchor: String,
    speed: String,
}

impl Setup {
    /// Writes configuration, CA and secrets into `folder`. `change` may bend the configuration's text.
    pub fn write(folder: &Path, sandbox: &Sandbox, change: impl FnOnce(String) -> String) -> io::Result<Self> {
        let text = change(CONFIG.replace(PORT, &format!(":{}", sandbox.address.port())));
        let setup = Self::begin(folder, sandbox, &text)?;
        secret(&folder.join("sandbox/azure-client-secret"), &sandbox.world(0).settings.azure_client_secret)?;
        for (number, letter) in [(0, 'a'), (1, 'b')] {
            let hpe = sandbox.world(number).settings.client_secret.clone();
            secret(&folder.join(format!("sandbox/hpe-client-secret-{letter}")), &hpe)?;
        }
        Ok(setup)
    }

    /// The same for the worlds of [`fleet`], whose `[policy]` holds this.
    pub fn of_fleet(folder: &Path, sandbox: &Sandbox, policy: &str) -> io::Result<Self> {
        let text = fleet::config(sandbox.worlds(), sandbox.address.port(), policy);
        let setup = Self::begin(folder, sandbox, &text)?;
        secret(&folder.join("sandbox/azure-client-secret"), fleet::AZURE_SECRET)?;
        secret(&folder.join("sandbox/hpe-client-secret"), fleet::CLIENT_SECRET)?;
        Ok(setup)
    }

    /// Everything but the secrets; and every world's job now provisions to where the sandbox is.
    fn begin(folder: &Path, sandbox: &Sandbox, text: &str) -> io::Result<Self> {
        let config = folder.join("scim-rotator.toml");
        fs::create_dir_all(folder.join("sandbox"))?;
        fs::set_permissions(folder.join("sandbox"), fs::Permissions::from_mode(0o700))?;
        fs::write(&config, text)?;
        fs::write(folder.join("sandbox/ca.pem"), &sandbox.ca_pem)?;
        let tenant_url = format!("https://sps.sandbox.test:{}/v1alpha1/scimproxy", sandbox.address.port());
        for number in 0..sandbox.worlds() {
            let mut world = sandbox.world(number);
            world.settings.tenant_url.clone_from(&tenant_url);
            world.person_sets(BASE_ADDRESS, &tenant_url);
        }
        let clock = sandbox.clock();
        Ok(Self {
            folder: folder.to_owned(),
            config,
            anchor: clock.anchor.to_rfc3339(),
            speed: format!("{}", clock.speed),
        })
    }

    /// A command of the real binary against this sandbox, in the sandbox's time.
    pub fn command(&self, binary: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("SCIM_ROTATOR_CONFIG", &self.config)
            .env("SCIM_ROTATOR__RUNTIME_DIR", self.folder.join("run"))
            .env("SCIM_ROTATOR__ADMIN__LISTEN", "127.0.0.1:0")
            .env("SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR", &self.anchor)
            .env("SCIM_ROTATOR__SANDBOX__CLOCK_SPEED", &self.speed);
        command
    }

    /// The same for a sandbox whose worlds have leapt by `leapt` since.
    pub fn command_after(&self, leapt: TimeDelta, binary: impl AsRef<std::ffi::OsStr>) -> Command {
        let anchor: Timestamp = self.anchor.parse().expect("a moment");
        let speed: i32 = self.speed.parse().expect("a whole number");
        let mut command = self.command(binary);
        // With an anchor so much earlier, `speed` times the time since is so much later.
        command.env("SCIM_ROTATOR__SANDBOX__CLOCK_ANCHOR", (anchor - leapt / (speed - 1)).to_rfc3339());
        command
    }
}

/// A file that only its owner can read, as a secret's should be.
fn secret(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())
}
