//! Connections in files of their own, and what is wrong with one while the others can be used.

use super::*;

/// A folder with these files, and the configuration beside it.
struct Place {
    folder: tempfile::TempDir,
}

const HEAD: &str = "connections_dir = \"connections.d\"\n[azure]\ncredential = { kind = \"managed-identity\" }\n";

/// A connection as a file of the folder holds it, called by its file.
fn piece(n: u8) -> String {
    let table = connection(n).replace("[[connections]]", "").replace("[connections.issuer]", "[issuer]");
    table.replace(&format!("name = \"c{n}\"\n"), "").trim_start().to_owned()
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("connections.d")).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join("connections.d").join(name), text).unwrap();
        }
        Self { folder }
    }

    fn load(&self, text: &str) -> Result<Loaded, ConfigErrors> {
        let file = self.folder.path().join("scim-rotator.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file, &Environment::default())
    }
}

fn names(config: &Config) -> Vec<&str> {
    config.connections.iter().map(|connection| connection.name.as_str()).collect()
}

fn refused(config: &Config) -> Vec<(String, String)> {
    config.refused.iter().map(|refused| (refused.name.clone(), refused.problems.to_string())).collect()
}

#[test]
fn each_file_of_the_folder_is_a_connection_called_by_its_file_unless_it_says_otherwise() {
    let named = format!("name = \"other\"\n{}", piece(3));
    let (two, one) = (piece(2), piece(1));
    let files =
        [("b.toml", &*two), ("a.toml", &one), ("c.toml", &named), (".d.toml", "no"), ("e.toml.bak", "no"), ("f", "no")];
    let config = Place::new(&files).load(HEAD).unwrap().config;
    assert_eq!(names(&config), ["a", "b", "other"]);
    let config = Place::new(&files).load(&format!("{HEAD}{}", connection(4))).unwrap().config;
    assert_eq!(names(&config), ["c4", "a", "b", "other"], "those of the file come first");
}

#[test]
fn a_file_that_cannot_be_used_refuses_its_own_connection_with_path_line_and_key_and_no_other() {
    let typo = piece(2).replace("secret = ", "secrets = ");
    let nameless = piece(4);
    let files =
        [("good.toml", &*piece(1)), ("typo.toml", &typo), ("broken.toml", "[vault"), ("No Name.toml", &nameless)];
    let place = Place::new(&files);
    std::fs::write(place.folder.path().join("connections.d/latin.toml"), b"\xe9").unwrap();
    let config = place.load(HEAD).unwrap().config;
    assert_eq!(names(&config), ["good"]);
    let refused = refused(&config);
    let told = |file: &str, words: &[&str]| {
        let (_, problems) = refused.iter().find(|(_, problems)| problems.contains(file)).expect(file);
        words.iter().for_each(|word| assert!(problems.contains(word), "{word}: {problems}"));
    };
    told("typo.toml:1:", &["vault.secrets: is unknown here: `secret` was meant"]);
    told("broken.toml:1:", &["this is no TOML"]);
    told("No Name.toml", &["name: is missing, and the file's own name cannot be taken for it", "small letters"]);
    told("latin.toml", &["is no UTF-8 text"]);
    assert_eq!(refused.len(), 4);
    assert!(refused.iter().any(|(name, _)| name == "typo"), "it is called as it would be: {refused:?}");
}

#[test]
fn what_is_no_file_is_refused_and_waited_for_by_nobody() {
    let place = Place::new(&[("good.toml", &piece(1))]);
    let folder = place.folder.path().join("connections.d");
    std::fs::create_dir(folder.join("folder.toml")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(folder.join("pipe.toml")).status().unwrap();
    assert!(pipe.success());
    std::os::unix::fs::symlink("nowhere", folder.join("dangling.toml")).unwrap();
    let config = place.load(HEAD).unwrap().config;
    assert_eq!(names(&config), ["good"]);
    for (file, what) in
        [("folder.toml: is no file", ""), ("pipe.toml: is no file", ""), ("dangling.toml: ", "cannot be read")]
    {
        assert!(refused(&config).iter().any(|(_, told)| told.contains(file) && told.contains(what)), "{file}");
    }
}

#[test]
fn a_table_that_cannot_be_used_refuses_its_own_connection_and_what_all_have_in_common_refuses_all() {
    let typo = connection(2).replace("secret = ", "secrets = ");
    let loaded = parse(&format!("{}{typo}{}", plain(), connection(3)), &[]).unwrap();
    assert_eq!(names(&loaded.config), ["c1", "c3"]);
    let [(name, problems)] = refused(&loaded.config).try_into().unwrap();
    assert!(name == "c2" && problems.contains("connections[1].vault.secrets"), "{name}: {problems}");
    let mistaken = plain().replace("[azure]", "[policy]\nmin_slack = \"40d\"\n[azure]");
    let errors = parse(&format!("{mistaken}{typo}"), &[]).unwrap_err().to_string();
    assert!(errors.contains("policy.min_slack") && errors.contains("connections[1].vault.secrets"), "{errors}");
}

#[test]
fn where_no_connection_can_be_used_everything_is_refused_and_told() {
    let typo = piece(2).replace("secret = ", "secrets = ");
    let errors = Place::new(&[("a.toml", "["), ("b.toml", &typo)]).load(HEAD).unwrap_err();
    assert!(errors.problems().len() >= 3, "{errors}");
    let errors = Place::new(&[]).load(HEAD).unwrap_err().to_string();
    assert!(errors.contains("there is none: write a table [[connections]]"), "{errors}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let place = Place::new(&[]);
    std::fs::remove_dir(place.folder.path().join("connections.d")).unwrap();
    let errors = place.load(&format!("{HEAD}{}", connection(1))).unwrap_err();
    assert_eq!(errors.problems()[0].key.as_deref(), Some("connections_dir"));
    assert!(errors.to_string().contains("connections.d cannot be read"), "{errors}");
}

#[test]
fn of_two_connections_that_are_one_the_later_is_refused_wherever_they_stand() {
    let config = Place::new(&[("z.toml", &piece(1))]).load(&format!("{HEAD}{}", connection(1))).unwrap().config;
    assert_eq!(names(&config), ["c1"]);
    let [(name, problems)] = refused(&config).try_into().unwrap();
    assert!(name == "z" && problems.contains("connection `c1` has this secret of this vault"), "{name}: {problems}");
    assert!(problems.contains("z.toml:1:"), "{problems}");
}

#[test]
fn the_files_of_the_folder_take_the_defaults_of_the_file_and_their_paths_count_from_the_folder() {
    let own = piece(1).replace("/run/s1", "./s1");
    let head = HEAD.replace("[azure]", "[policy]\nretire_after = \"3d\"\n[azure]");
    let place = Place::new(&[("a.toml", &own)]);
    let config = place.load(&head).unwrap().config;
    assert_eq!(config.connections[0].policy.retire_after, TimeDelta::days(3));
    let secret = config.connections[0].issuer.greenlake().unwrap().auth.secret_file().unwrap().path().to_owned();
    assert_eq!(secret, place.folder.path().join("connections.d/s1"));
}

#[test]
fn a_file_of_the_folder_that_holds_tables_of_connections_is_refused_for_it() {
    let place = Place::new(&[("c1.toml", &piece(1)), ("c2.toml", &format!("{}{}", piece(2), connection(3)))]);
    let loaded = place.load(HEAD).unwrap();
    assert_eq!(names(&loaded.config), ["c1"]);
    let refused = refused(&loaded.config);
    assert!(refused[0].1.contains("connections: is unknown here"), "{refused:?}");
}
