//! Children of flows end, and their parents hear of it.

use shared::config::Events;

use super::settling::{done, failed, settle, settle_and_claim};
use crate::totality::harness::{Job, Scenario};

pub(super) fn all() -> Vec<Scenario> {
    let parents: [(&str, Job); 2] = [
        ("here", Job::new("parent").waiting_for_children()),
        ("elsewhere", Job::new("parent").elsewhere().waiting_for_children()),
    ];
    let mut all = Vec::new();
    for (place, parent) in &parents {
        let child = |id: &str, flag: &str| Job::new(id).active().child_of(parent, flag);
        let waits = || Job::new("sister").waiting().child_of(parent, "");
        let name = |text: &str| format!("{text}, its parent {place}");
        all.push(settle(
            &name("the last child completes"),
            &[(child("c", ""), done())],
            std::slice::from_ref(parent),
        ));
        all.push(
            settle(
                &name("the last child completes, told"),
                &[(child("c", ""), done())],
                std::slice::from_ref(parent),
            )
            .with(|c| c.events = Events::All),
        );
        all.push(settle(
            &name("both children complete"),
            &[(child("c", ""), done()), (child("d", ""), done())],
            std::slice::from_ref(parent),
        ));
        all.push(settle(
            &name("one of two completes"),
            &[(child("c", ""), done())],
            &[parent.clone(), waits()],
        ));
        for flag in ["fpof", "cpof", "idof", "rdof", ""] {
            let text = format!("a child fails {flag}");
            let one =
                settle(&name(&text), &[(child("c", flag), failed())], std::slice::from_ref(parent));
            all.push(if flag.is_empty() { one.parent_waits() } else { one });
        }
        for flag in ["fpof", "cpof"] {
            let text = format!("one of two fails {flag}");
            all.push(settle(
                &name(&text),
                &[(child("c", flag), failed()), (Job::new("x").active(), done())],
                &[parent.clone(), waits()],
            ));
        }
        let unkept = child("c", "").opts(r#"{"removeOnComplete":true,"removeOnFail":true}"#);
        all.push(
            settle(
                &name("a child that is not kept completes"),
                &[(unkept.clone(), done())],
                std::slice::from_ref(parent),
            )
            .going(&["c"]),
        );
        all.push(
            settle(
                &name("a child that is not kept fails"),
                &[(unkept, failed())],
                std::slice::from_ref(parent),
            )
            .going(&["c"]),
        );
        all.push(settle_and_claim(
            &name("the last child completes"),
            &[(child("c", ""), done())],
            &[parent.clone(), Job::new("w").waiting()],
        ));
        let late = parent.clone().field("delay", "5000");
        all.push(settle(
            &name("a delayed parent is released"),
            &[(child("c", ""), done())],
            &[late],
        ));
        let urgent = parent.clone().field("priority", "3");
        all.push(settle(
            &name("a prioritized parent is released"),
            &[(child("c", ""), done())],
            &[urgent],
        ));
    }
    let busy = Job::new("parent").active();
    let open = Job::new("c").waiting().child_of(&busy, "");
    all.push(settle(
        "a parent whose child is open",
        &[(busy.clone(), done()), (Job::new("x").active(), done())],
        &[open],
    ));
    all.push(
        settle(
            "a parent whose child failed",
            &[(busy, done()), (Job::new("x").active(), done())],
            &[],
        )
        .and("ZADD @parent:unsuccessful 1 @gone"),
    );
    all
}
