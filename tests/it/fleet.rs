//! Many connections of one process: what each of them asks, and of whom.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::sandbox::fleet::{FIRST, worlds};
use crate::sandbox::setup::Setup;
use crate::sandbox::{Recorded, Sandbox, SandboxOptions};
use crate::world::Op;

const COUNT: usize = 20;

/// Which worlds were asked this.
fn asked(calls: &[Recorded], op: Op) -> BTreeSet<usize> {
    calls.iter().filter(|call| call.op == Some(op)).filter_map(|call| call.world).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_share_a_vault_a_directory_and_a_login_each_look_at_what_is_their_own_once_and_rotate_that() {
    let _already = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = SandboxOptions { round_trip: Duration::from_millis(4), ..SandboxOptions::default() };
    let sandbox = Sandbox::start(worlds(COUNT, 1.0), options).await.expect("a sandbox");
    let folder = tempfile::tempdir().expect("a folder");
    let policy = "rotate_before_expiry = \"30d\"\nmin_slack = \"7d\"\nfence = \"never\"";
    let setup = Setup::of_fleet(folder.path(), &sandbox, policy).expect("a configuration");
    let run = async |arguments: &[&str]| {
        let place = sandbox.calls().len();
        let mut command = tokio::process::Command::from(setup.command(super::place::BINARY));
        let output = command.args(arguments).kill_on_drop(true).output();
        let output = tokio::time::timeout(super::place::PATIENCE, output).await.expect("it ends").expect("it starts");
        (output.status.code(), sandbox.calls_from(place))
    };
    let (code, calls) = run(&["check"]).await;
    assert_eq!(code, Some(0), "nothing is due: {calls:#?}");
    for op in [Op::VaultList, Op::JobRead] {
        assert_eq!(asked(&calls, op), (0..COUNT).collect(), "{op:?}");
        assert_eq!(calls.iter().filter(|call| call.op == Some(op)).count(), COUNT, "{op:?}");
    }
    let (code, calls) = run(&["rotate", FIRST]).await;
    let issued: Vec<_> = (0..COUNT).map(|number| sandbox.world(number).ledger.issued).collect();
    assert_eq!((code, issued.iter().sum::<u32>(), issued[0]), (Some(0), 1, 1), "{calls:#?}");
}
