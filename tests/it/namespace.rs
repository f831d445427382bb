//! A network of a test's own: addresses, names and name servers as one likes, and nothing else can be reached.
//!
//! The test runs itself once more inside of it. Root makes a namespace; everybody else makes one as the root of a user
//! namespace. Where the machine allows neither, the test fails and says so: it is never passed over.

use std::fs;
use std::future::Future;
use std::process::Command;

/// Set inside.
const INSIDE: &str = "SCIM_ROTATOR_TEST_NAMESPACE";

/// What is different in there.
pub struct Network<'a> {
    /// Addresses of this machine beside loopback's own, with their lengths (`10.9.0.1/32`, `fd00::1/128`).
    pub addresses: &'a [&'a str],
    /// The hosts file.
    pub hosts: &'a str,
    /// The name server's address.
    pub name_server: &'a str,
}

const SCRIPT: &str = r#"
set -eu
folder=$1; shift
ip link set lo up
for address in $(cat "$folder/addresses"); do
    case $address in
        # Without nodad it may not be bound to at once.
        *:*) ip address add "$address" dev lo nodad ;;
        *) ip address add "$address" dev lo ;;
    esac
done
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/resolv.conf" /etc/resolv.conf
exec "$@"
"#;

/// Runs `body` in `network`. `test` is the path of the test that calls this, as the test runner knows it.
pub fn within<F: Future<Output = ()>>(test: &str, network: &Network<'_>, body: impl FnOnce() -> F) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        return runtime.block_on(body());
    }
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    write("addresses", &network.addresses.join("\n"));
    write("hosts", &format!("127.0.0.1 localhost\n{}\n", network.hosts));
    write("resolv.conf", &format!("nameserver {}\noptions timeout:3 attempts:5\n", network.name_server));
    write("script", SCRIPT);
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--mount", "sh"]).arg(folder.path().join("script")).arg(folder.path());
    command.arg(std::env::current_exe().expect("this program")).args([test, "--exact", "--nocapture"]).env(INSIDE, "1");
    let output = command.output().expect("unshare (of util-linux) can be run: this test needs it");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    // A name that fits no test is no failure to the runner.
    assert!(
        output.status.success() && said.contains("1 passed"),
        "a network of its own is needed, by `unshare --net --mount` as root or `unshare --user --net --mount` as anybody, \
         with `ip` (of iproute2) and `mount`; or the test failed in there:\n{said}"
    );
}
