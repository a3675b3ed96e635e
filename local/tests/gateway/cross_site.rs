//! What a browser sends for a page of another site.

use super::http::{exchange, request};
use super::{Bench, TOKEN};

#[tokio::test]
async fn a_page_of_another_site_gets_nothing_done_even_with_the_token() {
    let bench = Bench::start().await;
    let bearer = format!("Bearer {TOKEN}");
    let link = format!("/set/k/v?_token={TOKEN}");
    for (method, path, body) in
        [("GET", &*link, ""), ("POST", &*link, ""), ("POST", "/", r#"["SET","k","v"]"#)]
    {
        let from = |site| {
            let headers = [("Authorization", bearer.as_str()), ("Sec-Fetch-Site", site)];
            request(method, path, &headers, body.as_bytes())
        };
        let refused = exchange(&bench.url(), &from("cross-site")).await.unwrap();
        assert_eq!(refused.status, 403, "{method} {path}");
        assert_eq!(refused.json()["error"], "ERR pages of other sites may not ask this gateway");
        assert_eq!(bench.executed().await.get("set"), None, "{method} {path}");
    }
    // Typed in by a person, or of this machine's own pages.
    for site in ["none", "same-origin", "same-site"] {
        let typed = request("GET", &link, &[("Sec-Fetch-Site", site)], b"");
        assert_eq!(exchange(&bench.url(), &typed).await.unwrap().status, 200, "{site}");
    }
}
