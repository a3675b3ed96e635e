//! Sends what the fuzzer sends to an API without servers to one that has them: whatever is asked for, it has an
//! answer, and is none the worse for it.

use std::path::Path;

use api::Api;
use fuzz_targets::api_request::{STATUSES, ask};

use crate::world::{World, token};

#[tokio::test]
async fn whatever_is_asked_for_has_a_documented_answer() {
    let world = World::start().await;
    let router = api::router(Api::new(&world.config).unwrap());
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/api_request");
    let mut statuses = Vec::new();
    for input in std::fs::read_dir(corpus).unwrap() {
        let path = input.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        for user in ["owner", "admin", "nobody"] {
            let Some(answer) = ask(&router, &token(user), &input).await else { continue };
            let shown = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(STATUSES.contains(&answer.status), "{path:?} as {user}: {shown}");
            assert_ne!(answer.status, 503, "{path:?} as {user}: {shown}");
            statuses.push(answer.status);
        }
    }
    // It comes to all of these, so that more than refusals is seen.
    for status in [200, 201, 202, 400, 401, 403, 404, 405, 413] {
        assert!(statuses.contains(&status), "nothing in the corpus is answered with {status}");
    }
    assert_eq!(world.get("", "/health?deep=1").await.status, 200);
    assert_eq!(world.post("owner", "/projects/p1/deo-score/recompute", "").await.status, 201);
}
