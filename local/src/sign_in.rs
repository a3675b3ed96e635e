//! Signs the console in on a developer's machine: no part of the function.
//!
//! `deo up` prints a link with a code. The page takes the code out of the address and exchanges it, once, for a token
//! in the answer and a cookie that scripts cannot read. After a reload the cookie alone gives the next token. The address
//! keeps the role, and each role has a cookie of its own, so that a browser shows the console as both. Another link
//! takes the place of one that has been used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rand::distr::{Alphanumeric, SampleString as _};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::config::Secret;

use crate::terminal::say;
use crate::token;

/// What the cookies' names begin with; the role follows.
const COOKIE: &str = "deo-console-";

/// How long a token is good for, and how long the cookie: an hour and twelve, in seconds.
const TOKEN_S: u64 = 3_600;
const COOKIE_S: u64 = 12 * 3_600;

/// Somebody whom the console may sign in.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's id.
    pub user_id: String,
    /// `USER` or `ADMIN`.
    pub role: &'static str,
    /// The project to begin with, if it is not the first of them.
    pub project_id: Option<String>,
    /// Projects to choose from.
    pub projects: Vec<NamedProject>,
}

/// A project to choose.
#[derive(Clone, Debug, Serialize)]
pub struct NamedProject {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
}

/// Codes that can be exchanged, and cookies that were given for one.
#[derive(Clone, Debug)]
pub struct SignIn(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    secret: Secret,
    /// Whether stdout hears of links that take another's place.
    told: bool,
    base: OnceLock<String>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    codes: HashMap<String, Account>,
    cookies: HashMap<String, Account>,
}

/// What the page sends: a code, or no code where it has the cookie of a role.
#[derive(Deserialize)]
struct Sent {
    code: Option<String>,
    #[serde(rename = "as")]
    role: Option<String>,
}

impl SignIn {
    /// Signs tokens with `secret`. With `told`, stdout hears of each new link.
    pub fn new(secret: Secret, told: bool) -> Self {
        let inner = Inner { secret, told, base: OnceLock::new(), known: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// The route by which codes and cookies are exchanged.
    pub fn routes(&self) -> Router {
        Router::new().route("/console/session", post(exchange)).with_state(self.clone())
    }

    /// Returns the link that signs this account in, once, at the API with this URL.
    pub fn link(&self, base: &str, account: Account) -> String {
        let base = self.0.base.get_or_init(|| base.to_owned());
        let code = random();
        let link = format!("{base}/console?as={}#code={code}", account.role);
        self.known().codes.insert(code, account);
        link
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account of a code, which counts no more, or of a cookie; and a new cookie for a code.
    fn find(
        &self,
        code: Option<String>,
        cookie: Option<&str>,
    ) -> Option<(Account, Option<String>)> {
        let mut known = self.known();
        if let Some(account) = code.and_then(|code| known.codes.remove(&code)) {
            let cookie = random();
            known.cookies.insert(cookie.clone(), account.clone());
            return Some((account, Some(cookie)));
        }
        cookie.and_then(|cookie| known.cookies.get(cookie)).map(|account| (account.clone(), None))
    }

    fn tell_next(&self, account: &Account) {
        let Some(base) = self.0.base.get().filter(|_| self.0.told) else { return };
        let link = self.link(base, account.clone());
        // Whoever closed our stdout needs no link.
        let _ = say(format!("console: signed in as {}; to do so elsewhere: {link}", account.role));
    }
}

async fn exchange(
    State(sign_in): State<SignIn>,
    headers: HeaderMap,
    body: Result<Json<Sent>, axum::extract::rejection::JsonRejection>,
) -> Response {
    // Another page of the browser may send a request, with the cookie where it is on this host as well.
    let is_ours = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let Ok(Json(Sent { code, role })) = body else {
        let message = "The body must be an object with code, or with as, a role";
        return refused(StatusCode::BAD_REQUEST, message);
    };
    if !is_ours {
        return refused(StatusCode::FORBIDDEN, "Only the console may sign in here");
    }
    let Some((account, cookie)) = sign_in.find(code, role.and_then(|role| cookie(&headers, &role)))
    else {
        return refused(StatusCode::UNAUTHORIZED, "The code does not count, or not any more");
    };
    let claims = token::claims(&account.user_id, TOKEN_S);
    let claims = api::Claims { role: account.role.to_owned(), ..claims };
    let Ok(token) = api::sign(&sign_in.0.secret, &claims) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "The token cannot be signed");
    };
    let answer = json!({ "token": token, "role": account.role, "projectId": account.project_id, "projects": account.projects });
    let mut response = Json(answer).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        let role = account.role;
        let cookie = format!(
            "{COOKIE}{role}={cookie}; HttpOnly; SameSite=Strict; Path=/console; Max-Age={COOKIE_S}"
        );
        // Letters, digits and hyphens.
        headers.extend(HeaderValue::from_str(&cookie).map(|cookie| (header::SET_COOKIE, cookie)));
        sign_in.tell_next(&account);
    }
    response
}

fn refused(status: StatusCode, message: &str) -> Response {
    let body = json!({ "statusCode": status.as_u16(), "message": message });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn cookie<'a>(headers: &'a HeaderMap, role: &str) -> Option<&'a str> {
    let sent = headers.get(header::COOKIE)?.to_str().ok()?;
    let value =
        |pair: &'a str| pair.trim().strip_prefix(COOKIE)?.strip_prefix(role)?.strip_prefix('=');
    sent.split(';').find_map(value)
}

fn random() -> String {
    Alphanumeric.sample_string(&mut rand::rng(), 32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_code_counts_once_and_its_cookie_goes_on() {
        let sign_in = SignIn::new(Secret::new("s3cret"), false);
        let account = Account {
            user_id: "u1".to_owned(),
            role: "USER",
            project_id: None,
            projects: Vec::new(),
        };
        let link = sign_in.link("http://127.0.0.1:1", account);
        let code =
            link.strip_prefix("http://127.0.0.1:1/console?as=USER#code=").unwrap().to_owned();
        assert!(sign_in.find(Some("x".to_owned()), Some("x")).is_none());
        assert!(sign_in.find(None, Some(&code)).is_none(), "a code is no cookie");
        let (account, cookie) = sign_in.find(Some(code.clone()), None).unwrap();
        let cookie = cookie.unwrap();
        assert_eq!(account.user_id, "u1");
        assert!(sign_in.find(Some(code.clone()), None).is_none(), "it was exchanged");
        for code in [None, Some(code), Some(cookie.clone())] {
            assert!(matches!(sign_in.find(code, Some(&cookie)), Some((_, None))));
        }
    }

    #[test]
    fn the_cookie_of_the_role_is_found_among_others() {
        let find = |value: &str| {
            let headers = HeaderMap::from_iter([(header::COOKIE, value.parse().unwrap())]);
            cookie(&headers, "USER").map(str::to_owned)
        };
        let both = "a=b; deo-console-ADMIN=c2; deo-console-USER=c1; d=e";
        assert_eq!(find(both).as_deref(), Some("c1"));
        assert_eq!(find("xdeo-console-USER=c1"), None);
        assert_eq!(find("deo-console-USER-2=c1"), None);
        assert_eq!(find("deo-console-ADMIN=c1"), None);
    }
}
