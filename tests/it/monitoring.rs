//! `deploy/monitoring` and `docs/runbook`: rules that Prometheus's own tool has tried, a page for whatever a person may be called
//! for, and no page, alert or metric that stands for nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use scim_rotator::domain::Reason;

/// Whatever a rule or a panel may ask for, as Prometheus names it; of a histogram the name that its samples begin with.
pub const METRICS: &[&str] = &[
    "scim_rotator_token_slack_seconds",
    "scim_rotator_token_issued_timestamp_seconds",
    "scim_rotator_token_expiry_timestamp_seconds",
    "scim_rotator_token_last_safe_timestamp_seconds",
    "scim_rotator_rotation_due_timestamp_seconds",
    "scim_rotator_token_unconfirmed_since_timestamp_seconds",
    "scim_rotator_token_stage",
    "scim_rotator_standing",
    "scim_rotator_ready",
    "scim_rotator_last_look_timestamp_seconds",
    "scim_rotator_job_state",
    "scim_rotator_job_last_cycle_timestamp_seconds",
    "scim_rotator_job_last_success_timestamp_seconds",
    "scim_rotator_quarantine_began_timestamp_seconds",
    "scim_rotator_quarantine_disabled_timestamp_seconds",
    "scim_rotator_hold_until_timestamp_seconds",
    "scim_rotator_connections",
    "scim_rotator_config_last_reload_successful",
    "scim_rotator_rotations_total",
    "scim_rotator_step_duration_seconds",
    "scim_rotator_confirm_duration_seconds",
    "scim_rotator_calls_total",
    "scim_rotator_notifications_total",
    "scim_rotator_build_info",
    "process_start_time_seconds",
];

const FOLDER: &str = "deploy/monitoring";
const RULES: &str = "scim-rotator.rules.yml";
const RULES_TEST: &str = "scim-rotator.rules.test.yml";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn monitoring(file: &str) -> String {
    read(&format!("{FOLDER}/{file}"))
}

#[track_caller]
fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(root(FOLDER)).output();
    let output = output.unwrap_or_else(|error| panic!("promtool cannot be run ({error}): `make promtool` installs it"));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
}

/// Each alert with all that the rules say of it.
fn alerts(rules: &str) -> Vec<(&str, &str)> {
    let alerts = rules.split("- alert: ").skip(1);
    alerts.map(|alert| alert.split_once('\n').expect("an alert of several lines")).collect()
}

/// The pages of the runbook but its index, by the names that they are asked for.
fn pages() -> BTreeSet<String> {
    let entries = fs::read_dir(root("docs/runbook")).expect("the runbook").map(|entry| entry.expect("an entry").path());
    let stem = |path: PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    entries.map(stem).filter(|page| page != "README").collect()
}

/// What stands behind each `before` in `text`, as long as it can be a name.
fn names<'t>(text: &'t str, before: &'t str) -> impl Iterator<Item = &'t str> {
    let end = |after: &str| after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
    text.split(before).skip(1).map(move |after| &after[..end(after)])
}

#[test]
fn prometheus_reads_the_rules() {
    promtool(&["check", "rules", RULES]);
}

#[test]
fn every_alert_fires_where_it_should_and_is_silent_where_it_should_be() {
    promtool(&["test", "rules", RULES_TEST]);
    let (rules, tests) = (monitoring(RULES), monitoring(RULES_TEST));
    for (alert, _) in alerts(&rules) {
        let line = format!("alertname: {alert}\n");
        let looks = tests.split("- eval_time:").skip(1).filter(|look| look.contains(&line));
        let (firing, silent): (Vec<_>, Vec<_>) = looks.partition(|look| look.contains("exp_alerts:"));
        assert!(!firing.is_empty(), "{alert} is never seen to fire");
        assert!(!silent.is_empty(), "{alert} is never seen to be silent");
    }
}

#[test]
fn every_alert_says_what_to_do_and_links_its_own_page() {
    let rules = monitoring(RULES);
    let alerts = alerts(&rules);
    assert!(alerts.len() > 10, "{alerts:#?}");
    for (alert, text) in alerts {
        let link = format!("runbook_url: \"http://{{{{ $labels.instance }}}}/runbook/{alert}\"");
        for part in ["severity: ", "summary: ", "description: ", &link] {
            assert!(text.contains(part), "{alert} has no {part}");
        }
        let severity = names(text, "severity: ").next();
        assert!(matches!(severity, Some("critical" | "warning")), "{alert}: {severity:?}");
    }
}

#[test]
fn whatever_a_person_may_be_called_for_has_a_page_and_no_page_stands_for_nothing() {
    let rules = monitoring(RULES);
    let alerts = alerts(&rules).into_iter().map(|(alert, _)| alert);
    let wanted: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).chain(alerts).map(str::to_owned).collect();
    let pages = pages();
    let (missing, invented): (Vec<_>, Vec<_>) =
        (wanted.difference(&pages).collect(), pages.difference(&wanted).collect());
    assert!(missing.is_empty() && invented.is_empty(), "without a page: {missing:?}; of nothing: {invented:?}");
    // A link may name the page by a label.
    for page in names(&rules, "/runbook/").filter(|page| !page.is_empty()) {
        assert!(pages.contains(page), "{page} is linked by an alert and is not there");
    }
}

#[test]
fn every_page_bears_its_name_and_stands_in_the_index() {
    let index = read("docs/runbook/README.md");
    for page in pages() {
        let text = read(&format!("docs/runbook/{page}.md"));
        assert!(text.starts_with(&format!("# {page}\n")), "{page}");
        assert!(index.contains(&format!("]({page}.md)")), "{page} is not in the index");
        let lines = text.lines().count();
        assert!((10..=45).contains(&lines), "{page} has {lines} lines: nobody reads that at night");
    }
}

#[test]
fn the_page_of_a_reason_says_what_the_code_says() {
    for reason in Reason::ALL {
        let page = read(&format!("docs/runbook/{reason}.md"));
        assert!(page.contains(&format!("\n> {}\n", reason.sentence())), "{reason}: {}", reason.sentence());
        let calls = page.contains("\n**A person is needed.**\n");
        let needed = reason.remedy().is_some() && *reason != Reason::Held;
        assert_eq!(calls, needed, "whether {reason} needs a person");
    }
}

#[test]
fn no_rule_and_no_panel_asks_for_a_metric_that_there_is_not() {
    for file in [RULES, RULES_TEST, "dashboard.json"] {
        let text = monitoring(file);
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let asked: BTreeSet<_> =
            words.filter(|word| word.starts_with("scim_rotator_") || word.starts_with("process_")).collect();
        assert!(asked.len() > 10, "{file}: {asked:?}");
        for name in asked {
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(*suffix));
            let is_known = |name: &str| METRICS.contains(&name);
            assert!(is_known(name) || of_histogram.is_some_and(is_known), "{file} asks for {name}");
        }
    }
}

#[test]
fn the_dashboard_is_json_and_takes_its_data_source_from_a_variable() {
    let dashboard: serde_json::Value = serde_json::from_str(&monitoring("dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(!panels.is_empty() && panels.len() <= 15, "{} panels", panels.len());
    for panel in panels {
        let targets = panel["targets"].as_array().expect("targets");
        let mut sources = targets.iter().chain([panel]).map(|part| part["datasource"]["uid"].as_str());
        assert!(sources.all(|uid| uid == Some("${datasource}")), "{}", panel["title"]);
        assert!(panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{}", panel["title"]);
    }
}
