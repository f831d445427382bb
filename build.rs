//! Puts the pages of the runbook into the binary, so that they can be read where the daemon runs, whatever else is away; and
//! says which commit it is made of, and of which day that is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    println!("cargo::rustc-env=SCIM_ROTATOR_VERSION={}", version(&root));
    runbook(&root)
}

fn runbook(root: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed=docs/runbook");
    let mut pages: Vec<_> = fs::read_dir(root.join("docs/runbook"))?
        .filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.extension().is_some_and(|kind| kind == "md")))
        .collect();
    pages.sort();
    let mut table = "&[\n".to_owned();
    for page in &pages {
        let name = page.file_stem().unwrap_or_default().to_string_lossy();
        let path = format!("/docs/runbook/{name}.md");
        // Where the package lies is asked when it is compiled: what is built here may be used again for another checkout. (A
        // string takes everything.)
        let _ = writeln!(table, "({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),");
    }
    table.push(']');
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("runbook.rs"), table)
}

/// The release; behind it, where they are known, the commit and its day (never that of the building, which would make every
/// build another). Who builds without the repository, in a container say, tells them by two variables.
fn version(root: &Path) -> String {
    let checkout = Checkout::at(root);
    let told = |name: &str| {
        println!("cargo::rerun-if-env-changed={name}");
        env::var(name).ok().filter(|value| !value.is_empty())
    };
    let of_head = |format: &str| checkout.as_ref()?.git(&["log", "-1", "--no-show-signature", format]);
    let commit = told("SCIM_ROTATOR_COMMIT").or_else(|| of_head("--format=%H"));
    let seconds = told("SOURCE_DATE_EPOCH").or_else(|| of_head("--format=%ct"));
    let commit = commit.map(|commit| commit.chars().take(12).collect());
    let day = seconds.and_then(|seconds| seconds.parse().ok()).map(day);
    let known: Vec<String> = [commit, day].into_iter().flatten().collect();
    let release = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if known.is_empty() { release } else { format!("{release} ({})", known.join(", ")) }
}

/// The repository that this package is the root of. One further up is somebody else's.
struct Checkout<'a>(&'a Path);

impl<'a> Checkout<'a> {
    fn at(root: &'a Path) -> Option<Self> {
        let this = Self(root);
        let top = this.git(&["rev-parse", "--show-toplevel"])?;
        (fs::canonicalize(top).ok()? == fs::canonicalize(root).ok()?).then(|| {
            this.watch();
            this
        })
    }

    /// Builds anew when HEAD moves. Its log is written then and at no other time; where none is kept, HEAD itself and all that
    /// it may stand for are watched. In a worktree they lie elsewhere than below `.git`, which git knows. (A file that is not
    /// there would have everything built anew each time.)
    fn watch(&self) {
        let log = self.file("logs/HEAD");
        let all = || ["HEAD", "refs/heads", "packed-refs"].iter().filter_map(|name| self.file(name)).collect();
        for file in log.map_or_else(all, |log| vec![log]) {
            println!("cargo::rerun-if-changed={}", file.display());
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        let path = self.git(&["rev-parse", "--git-path", name])?;
        Some(self.0.join(path)).filter(|path| path.exists())
    }

    fn git(&self, arguments: &[&str]) -> Option<String> {
        let output = Command::new("git").arg("-C").arg(self.0).args(arguments).output().ok()?;
        let said = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| said.trim().to_owned())
    }
}

/// The day (UTC) of so many seconds since 1970, in the calendar whose years begin in March: its leap day is the last.
fn day(seconds: i64) -> String {
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
