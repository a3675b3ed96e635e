//! Past its share of the month's budget, bulk is refused and a person's request is not.

use serde_json::json;

use crate::world::World;

const BULK: &str = "/deo-score/recompute";

#[tokio::test]
async fn bulk_is_refused_with_a_code_and_single_requests_go_on() {
    let world = World::with(&[("COMMAND_BUDGET", "1000")]).await;
    let body = json!({"projectIds": ["p1", "p2"]}).to_string();
    assert_eq!(world.post("owner", BULK, &body).await.status, 202);

    world.queue().spend(800).await.unwrap();
    let answer = world.post("owner", BULK, &body).await;
    let error = answer.json();
    assert_eq!(
        (answer.status, &error["statusCode"], &error["code"]),
        (503, &json!(503), &json!("COMMAND_BUDGET")),
        "{error}"
    );
    assert!(error["message"].as_str().unwrap().contains("one project at a time"), "{error}");
    assert_eq!(world.post("owner", "/projects/p3/deo-score/recompute", "").await.status, 201);
    // What is wrong with a request is still told first.
    assert_eq!(world.post("owner", BULK, "{}").await.status, 400);
    assert_eq!(world.post("", BULK, &body).await.status, 401);
}

#[tokio::test]
async fn what_requests_take_is_counted_now_and_then() {
    let world = World::with(&[("COMMAND_BUDGET", "1000000")]).await;
    let one = "/projects/p1/deo-score/recompute";
    assert_eq!(world.post("owner", one, "").await.status, 201);
    assert_eq!(world.queue().spent().await.unwrap(), None, "9 commands are not worth one more");
    for _ in 0..20 {
        assert_eq!(world.post("owner", one, "").await.status, 201);
    }
    let spent = world.queue().spent().await.unwrap().unwrap();
    assert!((50..100).contains(&spent), "{spent}");
}

#[tokio::test]
async fn without_a_budget_nothing_is_counted_or_refused() {
    let world = World::start().await;
    world.queue().spend(u64::from(u32::MAX)).await.unwrap();
    let body = json!({"projectIds": ["p1"]}).to_string();
    assert_eq!(world.post("owner", BULK, &body).await.status, 202);
    assert_eq!(world.queue().spent().await.unwrap(), Some(u64::from(u32::MAX) + 1));
}
