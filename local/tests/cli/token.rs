//! `deo token`.

use crate::process::{deo, json, open_folder};

#[test]
fn a_token_needs_the_secret_and_says_who_its_bearer_is() {
    let folder = open_folder();
    let token = |secret: &str| {
        let mut command = deo(folder.path());
        command.args(["token", "--user", "u1", "--role", "ADMIN", "--expires-in", "2h", "--json"]);
        command.env("JWT_SECRET", secret).output().unwrap()
    };
    let issued = json(&token("s3cret"));
    let claims = &issued["claims"];
    assert_eq!(claims["sub"], "u1");
    assert_eq!(claims["email"], "u1@example.com");
    assert_eq!(claims["role"], "ADMIN");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 7_200);
    assert_eq!(issued["token"].as_str().unwrap().split('.').count(), 3);

    let refused = token("");
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("JWT_SECRET is not set"));
}
