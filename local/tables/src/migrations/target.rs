//! What each migration makes, so that a database which has it already can be taken over.

/// What a migration makes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Makes {
    /// These tables, in one transaction.
    Tables(&'static [&'static str]),
    /// This table of ours in the schema `deo`, where there is one. Its statement does nothing where the table is there.
    Ours(&'static str),
    /// One index, concurrently and so outside a transaction. Any index that begins with the same
    /// columns does as well.
    Index { name: &'static str, table: &'static str, columns: &'static [&'static str] },
}

/// The migrations' products by version.
pub(super) fn of(version: i32) -> Makes {
    match version {
        1 => Makes::Tables(&["User", "Project", "CrawlResult", "Product"]),
        2 => Makes::Tables(&["DeoScoreSnapshot"]),
        3 => Makes::Index {
            name: "DeoScoreSnapshot_projectId_computedAt_idx",
            table: "DeoScoreSnapshot",
            columns: &["projectId", "computedAt"],
        },
        4 => Makes::Index {
            name: "deo_CrawlResult_projectId_idx",
            table: "CrawlResult",
            columns: &["projectId"],
        },
        5 => Makes::Index {
            name: "deo_Product_projectId_idx",
            table: "Product",
            columns: &["projectId"],
        },
        6 => Makes::Index {
            name: "deo_DeoScoreSnapshot_projectId_computedAt_overallScore_idx",
            table: "DeoScoreSnapshot",
            columns: &["projectId", "computedAt", "overallScore"],
        },
        7 => Makes::Ours("score_drop"),
        // A later one says itself what it needs.
        _ => Makes::Tables(&[]),
    }
}
