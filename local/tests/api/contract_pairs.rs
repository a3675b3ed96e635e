//! The recorded pairs, on a socket.

use fixture::contract::{ROWS, SECRET, pairs};
use reqwest::Method;

use crate::world::World;

#[tokio::test]
async fn the_web_clients_contract_holds() {
    let world = World::with(&[("JWT_SECRET", SECRET)]).await;
    world.database.batch_execute(ROWS).await.unwrap();
    let pairs = pairs();
    for pair in &pairs {
        let request = &pair.request;
        let method: Method = request.method.parse().unwrap();
        let headers = request.headers();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = world.send(method, "", &request.target, &headers, request.body()).await;
        pair.check(answer.status, |name| answer.header(name).map(str::to_owned), &answer.text);
    }
    println!("{} pairs", pairs.len());
}
