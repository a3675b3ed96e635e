//! The Lua scripts, put together from their parts at compile time.
//!
//! None of them is replayed by the client on its own: the queue sends a lost one again with
//! `again` set, and the script then answers what its first run did.

use crate::redis::Script;

macro_rules! script {
    ($name:literal, $($part:literal),+) => {
        Script {
            name: $name,
            source: concat!($(include_str!(concat!("lua/", $part, ".lua")), "\n"),+),
            replay_safe: false,
        }
    };
}

pub(crate) static ENQUEUE: Script =
    script!("deo:enqueue", "parts/prelude", "parts/place", "enqueue");
pub(crate) static CLAIM: Script =
    script!("deo:claim", "parts/prelude", "parts/place", "parts/claim", "claim");
pub(crate) static SETTLE: Script =
    script!("deo:settle", "parts/prelude", "parts/place", "parts/alone", "parts/settle", "settle");
pub(crate) static SETTLE_KIN: Script = script!(
    "deo:settle-kin",
    "parts/prelude",
    "parts/place",
    "parts/kin",
    "parts/settle",
    "settle"
);
pub(crate) static SETTLE_AND_CLAIM: Script = script!(
    "deo:settle-and-claim",
    "parts/prelude",
    "parts/place",
    "parts/alone",
    "parts/settle",
    "parts/claim",
    "settle_and_claim"
);
pub(crate) static RECOVER: Script =
    script!("deo:recover", "parts/prelude", "parts/place", "recover");
