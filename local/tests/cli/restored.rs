//! What is lost with Redis is asked for again by `deo enqueue --stale`.

use shared::redis::Command;

use crate::project::Shop;

#[tokio::test]
async fn what_waited_in_a_redis_that_is_lost_is_made_good_from_postgres() {
    let shop = Shop::new().await;
    shop.scored(&["seed-1-p0000001"]);
    // All others wait to be scored when everything in Redis goes.
    let asked = shop.json(&["enqueue", "--stale"]);
    assert_eq!(asked["enqueued"], 7, "{asked}");
    shop.redis(Command::new("FLUSHALL")).await;
    let nothing = shop.json(&["drain", "--until-empty"]);
    assert_eq!(nothing["completed"], 0, "{nothing}");

    // The same jobs once more, and no others.
    let again = shop.json(&["enqueue", "--stale"]);
    assert_eq!(
        (&again["enqueued"], &again["deduplicated"]),
        (&asked["enqueued"], &0.into()),
        "{again}"
    );
    let done = shop.json(&["drain", "--until-empty"]);
    assert_eq!((&done["completed"], &done["failed"]), (&asked["enqueued"], &0.into()), "{done}");
    assert_eq!(shop.json(&["enqueue", "--stale"])["enqueued"], 0);
}
