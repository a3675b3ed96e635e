//! `.env.example` cannot rot: it names every setting, with its default where it is commented out.
use std::collections::BTreeMap;

use shared::config::{Config, VARIABLES};

const EXAMPLE: &str = include_str!("../../.env.example");

/// The lines of the form `NAME=value` or `#NAME=value`: name, value, whether it is set.
fn lines() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    EXAMPLE.lines().filter_map(|line| {
        let set = !line.starts_with('#');
        let (name, value) = line.trim_start_matches('#').split_once('=')?;
        let is_name = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        is_name.then_some((name, value, set))
    })
}

#[test]
fn every_setting_is_there_with_its_default() {
    for variable in VARIABLES {
        let name = variable.name;
        let (_, value, set) = lines().find(|line| line.0 == name).expect(name);
        if !set && !variable.default.is_empty() {
            assert_eq!(value, variable.default, "{name}");
        }
    }
}

#[test]
fn nothing_is_there_that_is_no_setting() {
    let ours = ["DEO_REDIS", "DEO_POSTGRES"];
    for (name, _, _) in lines() {
        assert!(ours.contains(&name) || VARIABLES.iter().any(|v| v.name == name), "{name}");
    }
}

#[test]
fn it_can_be_used_as_it_is() {
    let env: BTreeMap<String, String> =
        lines().filter(|line| line.2).map(|(name, value, _)| (name.into(), value.into())).collect();
    let config = Config::from_env(&env).unwrap();
    assert!(config.redis.is_some() && config.database_url.is_some() && config.jwt_secret.is_some());
}
