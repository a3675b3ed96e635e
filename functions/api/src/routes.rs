//! Lists the routes. What each takes and answers stands at its handler, and in the OpenAPI description.

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use crate::{
    Api, fleet, health, history, job, openapi, operate, queue, recompute, score, settle, signals,
    sync,
};

/// Each path and what serves its methods.
fn routes() -> [(&'static str, MethodRouter<Api>); 21] {
    [
        ("/projects/{id}/deo-score/recompute", post(recompute::recompute)),
        ("/projects/{id}/deo-score/recompute-sync", post(sync::recompute_sync)),
        ("/deo-score/recompute", post(recompute::recompute_many)),
        ("/projects/{id}/deo-score", get(score::latest)),
        // One handler for three routes: what differs is what it is asked for.
        ("/projects/{id}/deo-score/history", get(history::history)),
        ("/projects/{id}/deo-score/series", get(history::history)),
        ("/projects/{id}/deo-score/compare", get(history::history)),
        ("/projects/{id}/deo-signals/debug", get(signals::debug)),
        ("/fleet", get(fleet::fleet)),
        ("/fleet/{list}", get(fleet::fleet)),
        ("/jobs/{jobId}", get(job::job)),
        ("/queue", get(queue::queue)),
        ("/queue/failures", get(queue::failures)),
        ("/queue/pause", post(operate::pause)),
        ("/queue/resume", post(operate::resume)),
        ("/queue/retry", post(operate::retry)),
        ("/queue/promote", post(operate::promote)),
        ("/queue/limit", post(operate::limit)),
        ("/queues/{queue}/settle", post(settle::callback)),
        ("/health", get(health::health)),
        ("/openapi.json", get(openapi::document)),
    ]
}

/// The router of all of them. A slash at the end makes no other route, as with Express.
pub(crate) fn router() -> Router<Api> {
    routes().into_iter().fold(Router::new(), |router, (path, methods)| {
        router.route(path, methods.clone()).route(&format!("{path}/"), methods)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{BTreeMap, BTreeSet};

    use axum::body::Body;
    use axum::http::{Request, header};
    use lambda_http::tower::ServiceExt as _;
    use serde_json::Value;
    use shared::config::Config;

    use super::*;

    #[tokio::test]
    async fn what_is_routed_is_described_and_the_other_way_round() {
        let described: Value = serde_json::from_str(&openapi::openapi()).unwrap();
        let config = Config::from_env(&BTreeMap::<String, String>::new()).unwrap();
        let router = crate::router(Api::new(&config).unwrap());
        let mut routed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, _) in routes() {
            let request = Request::builder().method("BREW").uri(path.replace(['{', '}'], "x"));
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            let allowed = answer.headers()[header::ALLOW].to_str().unwrap().to_lowercase();
            let methods = allowed.split(',').filter(|method| *method != "head");
            routed.insert(path.to_owned(), methods.map(str::to_owned).collect());
        }
        let described: BTreeMap<String, BTreeSet<String>> = described["paths"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().cloned().collect()))
            .collect();
        assert_eq!(routed, described);
    }
}
