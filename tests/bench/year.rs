//! A year of a hundred connections in virtual time, and what one of them asks of the services in it.

use std::time::Instant;

use chrono::TimeDelta;
use scim_rotator::domain::{Fence, Mode};

use crate::daemon::own_cpu;
use crate::sim::cost::{self, Calls};
use crate::sim::drive::{Drive, policy};
use crate::world::{Op, Service, Settings, World};

const CONNECTIONS: u64 = 100;
/// Key Vault: dollars for a transaction of a standard vault's secrets.
const PRICE: f64 = 0.03 / 10_000.0;

/// Prints how long the year takes.
pub async fn measure() -> anyhow::Result<()> {
    let (began, cpu) = (Instant::now(), own_cpu()?);
    let (mut rotations, mut failed, mut calls) = (0, 0, 0);
    for seed in 0..CONNECTIONS {
        let drive =
            Drive::new(World::new(Settings { seed, ..Settings::default() }), policy(Mode::Overlap, Fence::Auto));
        let until = drive.world().now() + TimeDelta::days(365);
        calls += drive.live(&[], until).await;
        rotations += drive.world().ledger.issued;
        failed += drive.world().ledger.cycles_failed;
    }
    let (took, cpu) = (began.elapsed().as_secs_f64(), own_cpu()? - cpu);
    println!("\n| a year of {CONNECTIONS} connections in virtual time | goal | |\n|---|---|---|");
    println!("| wall time, one thread (processor time) | < 10 s | {took:.1} s ({cpu:.1} s) |");
    println!("| rotations, failed cycles, calls in it | | {rotations}, {failed}, {calls} |");
    Ok(())
}

/// Prints the calls and the price of one connection.
pub async fn cost() {
    let (day, month) = (cost::idle(TimeDelta::days(1)).await, cost::idle(TimeDelta::days(30)).await);
    let (fenced, rotations) = cost::year(Fence::Always).await;
    let (unfenced, _) = cost::year(Fence::Never).await;
    println!(
        "\n| calls of one connection | idle, a day | idle, 30 days | a year, {rotations} rotations, fenced | a year, unfenced |"
    );
    println!("|---|---|---|---|---|");
    let count = |calls: &Calls, op: Op| calls.iter().find(|(other, _)| *other == op).map_or(0, |(_, count)| *count);
    let columns = [&day, &month, &fenced, &unfenced];
    for op in Op::ALL.iter().filter(|op| columns.iter().any(|calls| count(calls, **op) > 0)) {
        let row: Vec<_> = columns.iter().map(|calls| count(calls, *op).to_string()).collect();
        println!("| {:?}: {op:?} | {} |", op.service(), row.join(" | "));
    }
    let vault = |calls: &Calls| -> u32 {
        calls.iter().filter(|(op, _)| op.service() == Service::Vault).map(|(_, count)| count).sum()
    };
    println!(
        "| Key Vault at $0.03 for 10,000 | ${:.5} | ${:.4} | ${:.4} | ${:.4} |",
        f64::from(vault(&day)) * PRICE,
        f64::from(vault(&month)) * PRICE,
        f64::from(vault(&fenced)) * PRICE,
        f64::from(vault(&unfenced)) * PRICE
    );
}
