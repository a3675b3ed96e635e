//! `deo token`: a bearer token as the platform issues them.

use std::process::ExitCode;
use std::time::Duration;

use api::{Claims, sign};
use serde::Serialize;
use shared::clock::Clock;
use shared::config::{Config, ProcessEnv, Secret};

use super::{Failure, Outcome};
use crate::terminal;

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

/// A token for an ordinary user, good for so many seconds from now.
pub(super) fn issue(secret: &Secret, user: &str, seconds: u64) -> Result<String, Failure> {
    Ok(sign(secret, &claims(user, seconds))?)
}

fn claims(user: &str, seconds: u64) -> Claims {
    let iat = Clock::System.now_ms() / 1_000;
    Claims {
        sub: user.to_owned(),
        email: format!("{user}@example.com"),
        role: "USER".to_owned(),
        iat,
        exp: iat.saturating_add_unsigned(seconds),
    }
}

/// A whole number with `s`, `m`, `h` or `d` behind it; a bare number counts seconds.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => 0,
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    match seconds {
        Some(seconds) if seconds > 0 && seconds < i64::MAX as u64 => {
            Ok(Duration::from_secs(seconds))
        }
        _ => Err("a time above zero, like 90s, 15m, 12h or 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_units() {
        let seconds = |text| time(text).map(|time| time.as_secs()).ok();
        assert_eq!(seconds("90"), Some(90));
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("15m"), Some(900));
        assert_eq!(seconds("12h"), Some(43_200));
        assert_eq!(seconds("7d"), Some(604_800));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "0",
            "0h",
            "h",
            "-1s",
            "1.5h",
            "1 h",
            "1w",
            "99999999999999999999",
            "9223372036854775807d",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
