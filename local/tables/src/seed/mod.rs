//! Realistic rows for demos, tests and measurements: projects with pages and products, no snapshots.
//!
//! The rows depend on the seed alone, but for their dates, which are counted back from the day of
//! [`Plan::now_ms`]. The same seed a second time adds nothing; a larger number of projects adds the
//! further ones.

mod insert;
mod invent;
mod words;

use shared::config::Secret;
use shared::store::Database;

use crate::{migrations, said};

/// How many rows of one kind a statement inserts at most.
const ROWS_A_STATEMENT: u32 = 2_000;

/// What to seed.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Projects.
    pub projects: u32,
    /// Pages a project.
    pub pages: u32,
    /// Products a project.
    pub products: u32,
    /// Another seed, other rows and other ids.
    pub seed: u64,
    /// Milliseconds since the Unix epoch.
    pub now_ms: i64,
}

/// What is there now, and how much of it is new.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seeded {
    /// The user who owns all projects of this seed.
    pub user_id: String,
    /// Projects that were not there before.
    pub projects: u64,
    /// Pages that were not there before.
    pub pages: u64,
    /// Products that were not there before.
    pub products: u64,
}

/// Seeding failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached.
    #[error(transparent)]
    Connect(#[from] shared::store::Error),
    /// The database did not get its tables.
    #[error(transparent)]
    Migrate(#[from] migrations::Error),
    /// A statement of ours failed. The rows are invented: the server may quote them.
    #[error("inserting rows failed: {}; was `deo migrate` run?", said(.0))]
    Insert(#[from] tokio_postgres::Error),
}

impl Plan {
    /// The id of the user who owns this plan's projects.
    pub fn user_id(&self) -> String {
        format!("seed-{}-user", self.seed)
    }

    /// The ids of this plan's projects, in their order.
    pub fn project_ids(&self) -> impl Iterator<Item = String> + use<> {
        let seed = self.seed;
        (0..self.projects).map(move |index| invent::project_id(seed, index))
    }

    /// Projects at a time.
    fn step(&self) -> u32 {
        (ROWS_A_STATEMENT / self.pages.max(self.products).max(1)).clamp(1, 500)
    }
}

/// Makes the tables in the database at `url`, which is private and new, and inserts the plan's rows.
///
/// # Errors
/// When the database cannot be reached, or takes neither tables nor rows.
pub async fn into_empty(url: &str, plan: &Plan) -> Result<Seeded, Error> {
    let database = Database::parse(&Secret::new(url))?;
    migrations::migrate(&database, false).await?;
    seed(&database, plan, |_| {}).await
}

/// Inserts the plan's rows. `done` hears after every statement how many projects are in.
///
/// # Errors
/// When the database cannot be reached or does not take the rows. Those before stay.
pub async fn seed(
    database: &Database,
    plan: &Plan,
    mut done: impl FnMut(u32),
) -> Result<Seeded, Error> {
    let client = database.in_its_schema().connect().await?;
    let user_id = plan.user_id();
    insert::user(&client, plan).await?;
    let mut seeded = Seeded { user_id, projects: 0, pages: 0, products: 0 };
    let mut from = 0;
    while from < plan.projects {
        let to = plan.projects.min(from + plan.step());
        let shops: Vec<_> = (from..to).map(|index| invent::shop(plan, index)).collect();
        seeded.projects += insert::projects(&client, plan, &shops).await?;
        seeded.pages += insert::pages(&client, &shops).await?;
        seeded.products += insert::products(&client, &shops).await?;
        done(to);
        from = to;
    }
    Ok(seeded)
}
