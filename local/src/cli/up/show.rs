//! What `deo up` tells at its start: where everything is, and how to try it.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use console::style;
use shared::config::{Config, ProcessEnv, Secret};

use crate::cli::running::{Running, Told, export};
use crate::cli::system::Places;
use crate::settings::given;
use crate::terminal::{heading, say};

/// What commands in other terminals need to work on this system.
pub(super) fn settings(places: &Places, config: &Config) -> BTreeMap<String, String> {
    let secret = config.jwt_secret.as_ref().map(Secret::expose);
    let secret = secret.filter(|_| given(&ProcessEnv, "JWT_SECRET").is_none());
    let settings = [
        ("REDIS_URL", places.redis_url.as_deref()),
        ("UPSTASH_REDIS_REST_URL", Some(&*places.rest_url)),
        ("UPSTASH_REDIS_REST_TOKEN", places.rest_token.as_deref()),
        ("REDIS_PREFIX", Some(&*config.queue.prefix)),
        ("DATABASE_URL", places.database_url.as_deref()),
        ("JWT_SECRET", secret),
    ];
    named(settings)
}

/// What this system tells others of itself; `None` where a part of it is somebody's, whose secrets are not written
/// down.
pub(super) fn running(places: &Places, config: &Config) -> Option<Running> {
    let is_given = |name| given(&ProcessEnv, name).is_some();
    if ["REDIS_URL", "DATABASE_URL", "UPSTASH_REDIS_REST_TOKEN"].into_iter().any(is_given) {
        return None;
    }
    let extras = [
        ("DEO_API_URL", Some(&*places.api_url)),
        ("DEO_PROJECT", places.project_id.as_deref()),
        ("DEO_TOKEN", places.token.as_deref()),
        ("DEO_ADMIN_TOKEN", places.admin_token.as_deref()),
    ];
    let settings = settings(places, config);
    Some(Running { pid: std::process::id(), settings, extras: named(extras) })
}

fn named<const N: usize>(pairs: [(&str, Option<&str>); N]) -> BTreeMap<String, String> {
    let set =
        pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    set.collect()
}

/// Everything, for a person.
pub(super) fn show(
    places: &Places,
    config: &Config,
    told: Option<&Told>,
    every: Duration,
) -> io::Result<()> {
    heading("In other terminals")?;
    match told {
        Some(Told::Here { .. }) => {
            say("deo queue watch                 # every deo command finds this system")?;
            say("eval \"$(deo up --env)\"          # gives other programs these settings:")?;
        }
        Some(Told::Another) => {
            say("Another deo up runs here, and commands find that one. For this one, set:")?;
        }
        _ => say("Settings for them:")?,
    }
    for (name, value) in settings(places, config) {
        say(export(&name, &value))?;
    }
    heading("Look at it")?;
    say(format!("scores, and why they changed: {}", places.console_url))?;
    if let Some(console) = &places.admin_console_url {
        say(format!("all projects and the queue: {console}"))?;
    }
    if let Some(board) = &places.board_url {
        say(format!("the queue, in bull-board: {board}"))?;
    }
    let docs = format!("{}/docs/", places.api_url);
    match (&places.project_id, &places.token) {
        // Behind the #, they stay in the browser.
        (Some(project), Some(token)) => {
            say(format!("the API, to try: {docs}#project={project}&token={token}"))?;
            if let Some(admin) = &places.admin_token {
                say(format!("as an administrator: {docs}#project={project}&token={admin}"))?;
            }
        }
        _ => say(format!("the API, to try: {docs}"))?,
    }
    heading("Try it")?;
    say(format!("curl {}/health", places.api_url))?;
    if let (Some(project), Some(token)) = (&places.project_id, &places.token) {
        let path = format!("{}/projects/{project}/deo-score", places.api_url);
        say(format!("TOKEN={token}"))?;
        say(format!("curl -X POST -H \"Authorization: Bearer $TOKEN\" {path}/recompute"))?;
        say(format!("curl -H \"Authorization: Bearer $TOKEN\" {path}"))?;
    } else if places.project_id.is_some() {
        say("deo token --user ID      # a token, signed with the JWT_SECRET that was given")?;
    } else {
        say("deo token --user ID      # there is no project yet to try it with")?;
    }
    if let Some(token) = &places.admin_token {
        say(format!("ADMIN_TOKEN={token}"))?;
        say(format!("curl -H \"Authorization: Bearer $ADMIN_TOKEN\" {}/queue", places.api_url))?;
    }
    let note = format!("The drain ticks every {} s. Ctrl-C stops everything.", every.as_secs());
    say(format!("\n{}", style(note).dim()))?;
    Ok(())
}
