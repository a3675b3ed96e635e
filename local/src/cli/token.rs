//! `deo token`: a bearer token as the platform issues them.

use std::process::ExitCode;
use std::time::Duration;

use api::{Claims, sign};
use command::time;
use serde::Serialize;
use shared::config::{Config, ProcessEnv};

use crate::token::claims;
use crate::{Outcome, terminal};

/// Print a bearer token for a user, signed with JWT_SECRET
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The user's id.
    #[arg(long, value_name = "ID")]
    user: String,

    /// The user's e-mail address [default: ID@example.com]
    #[arg(long)]
    email: Option<String>,

    /// The user's role: USER or ADMIN.
    #[arg(long, default_value = "USER")]
    role: String,

    /// How long it is good for: 90s, 15m, 12h or 7d.
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = time)]
    expires_in: Duration,

    /// Print it with its claims as one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Issued<'a> {
    token: &'a str,
    claims: &'a Claims,
}

pub(super) async fn run(args: Args) -> Outcome {
    let secret = Config::from_env(&ProcessEnv)?
        .jwt_secret
        .ok_or("JWT_SECRET is not set: set it to the API's own, so that the API takes the token")?;
    let ordinary = claims(&args.user, args.expires_in.as_secs());
    let email = args.email.unwrap_or(ordinary.email);
    let claims = Claims { email, role: args.role, ..ordinary };
    let token = sign(&secret, &claims)?;
    if args.json {
        terminal::say(serde_json::to_string(&Issued { token: &token, claims: &claims })?)?;
    } else {
        terminal::say(token)?;
    }
    Ok(ExitCode::SUCCESS)
}
