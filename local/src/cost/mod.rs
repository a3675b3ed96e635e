//! What a month costs: [`Workload`] and [`Figures`] make a [`Day`], thirty of them and [`Prices`] a [`Bill`],
//! line by line, each with its formula. [`Reconciled`] puts the figures beside a log of real ticks.

mod bill;
mod day;
mod figures;
mod lines;
mod measure;
mod number;
mod prices;
mod reconcile;
#[cfg(test)]
mod workloads;

pub use bill::{Bill, LEFT_OUT, OnFixedPlan, Plan, ours, worker};
pub use day::{Day, Workload};
pub use figures::{Figures, Once, Worker};
pub use lines::Line;
pub(crate) use measure::measure;
pub(crate) use number::number;
pub use prices::{
    ApiGateway, CloudWatch, Fixed, Lambda, Machine, Neon, Prices, SecretsManager, Transfer, Upstash,
};
pub use reconcile::{BAR, Reconciled};
